/*
 * A FAT16 or FAT32 file system, written in one go: first the tree of names,
 * then its size, then the bytes. Every file lies in one piece, and the same
 * tree gives the same bytes: dates and serial number are constants.
 */
#ifndef TOOLS_FAT_H
#define TOOLS_FAT_H

#include "lib/types.h"

struct fat_node;

struct fat_node *fat_new(void);
void fat_free(struct fat_node *root);

/*
 * Adds the host's file source as path ("EFI/BOOT/BOOTX64.EFI") with the
 * folders it needs.
 */
void fat_add(struct fat_node *root, const char *path, const char *source);

/* As many sectors as the tree needs, but at least so many. 0: above at_most. */
u32 fat_sectors(struct fat_node *root, u64 at_least, u64 at_most, bool fat32);

/* Writes a file system of sectors, as told above, from sector start on. */
void fat_write(struct fat_node *root, u32 start, u32 sectors, bool fat32);

#endif
