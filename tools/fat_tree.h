/* The tree of names behind fat.h, shared by fat_tree.c and fat.c. */
#ifndef TOOLS_FAT_TREE_H
#define TOOLS_FAT_TREE_H

#include "tools/fat.h"

#define FAT_NAME_MAX	 255
#define FAT_SHORT_LENGTH 11
#define FAT_LONG_CHARS	 13 /* of a long name in one directory entry */
#define FAT_ENTRY_SIZE	 32

struct fat_node {
	char name[FAT_NAME_MAX + 1];
	char short_name[FAT_SHORT_LENGTH + 1]; /* "BOOTX64 EFI" */
	char *source;			       /* NULL: a folder */
	u32 size;			       /* of a file */
	u32 first, clusters;		       /* where it lies */
	struct fat_node *parent, *next;
	struct fat_node *children, *last_child;
};

/* Directory entries that describe node in its folder, the long name's too. */
unsigned fat_entries(const struct fat_node *node);

/* Directory entries of all that lies in folder. */
unsigned fat_folder_entries(const struct fat_node *folder);

#endif
