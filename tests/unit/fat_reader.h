/*
 * A FAT reader of the tests' own, which shares nothing with the writer.
 * Whatever it comes across that the specification forbids fails the test.
 */
#ifndef UNIT_FAT_READER_H
#define UNIT_FAT_READER_H

#include <stddef.h>

#include "lib/types.h"

struct volume {
	const u8 *boot, *fat, *root;
	u32 cluster_bytes, clusters, root_bytes, root_cluster;
	int fat_bits;
	const u8 *data;
};

/* A number of so many bytes, the lowest first. */
u32 fat_get(const u8 *at, int bytes);
/* Of a directory entry. */
u32 fat_first_cluster(const u8 *entry);

/* The volume that begins here and goes no further than the end. */
struct volume volume_mount(const u8 *boot, const u8 *end);
/* FAT32 keeps count of its free clusters, in two places. */
void volume_check_free_count(const struct volume *v);
/* The bytes of a chain, size of them in use; the caller frees. */
u8 *volume_read(const struct volume *v, u32 cluster, size_t *size);
/* Looks a path up from the root; copies the entry. */
bool volume_look_up(const struct volume *v, const char *path, u8 *entry);

#endif
