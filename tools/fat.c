/* "FAT: General Overview of On-Disk Format", version 1.03, Microsoft 2000. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/fat_tree.h"
#include "tools/image.h"

/* A constant moment, 1 January 1980, and a constant serial number. */
#define FAT_DATE     0x0021
#define FAT_SERIAL   0x60d31700
#define VOLUME_LABEL "GODWIT BOOT"

#define FATS		    2
#define MEDIA_FIXED	    0xf8
#define FIRST_CLUSTER	    2
#define ATTRIBUTE_LABEL	    0x08
#define ATTRIBUTE_FOLDER    0x10
#define ATTRIBUTE_ARCHIVE   0x20
#define ATTRIBUTE_LONG_NAME 0x0f
#define LAST_LONG_ENTRY	    0x40

/* The number of clusters alone tells the two apart; stay off the edges. */
#define FAT16_CLUSTERS_MIN 4096u
#define FAT16_CLUSTERS_MAX 65500u
#define FAT32_CLUSTERS_MIN 65600u
#define FAT32_CLUSTERS_MAX 0x0ffffff0u

#define FAT32_INFO_SECTOR   1
#define FAT32_BACKUP_SECTOR 6

struct layout {
	bool fat32;
	u32 start; /* the first sector, in the image */
	u32 sectors;
	u32 reserved;
	u32 fat_sectors; /* of one of them */
	u32 root_sectors;
	u32 cluster_sectors;
	u32 clusters;
};

/* --- sizes ---------------------------------------------------------------- */

static u32 div_up(u64 value, u32 by)
{
	return (u32)((value + by - 1) / by);
}

/* Splits the sectors, for a given size of clusters. */
static struct layout split(u32 sectors, bool fat32, u32 root_entries,
			   u32 cluster_sectors)
{
	struct layout l = {
		.fat32 = fat32,
		.sectors = sectors,
		.reserved = fat32 ? 32 : 1,
		.cluster_sectors = cluster_sectors,
	};
	u32 entry = fat32 ? 4 : 2;

	if (!fat32)
		l.root_sectors = div_up(root_entries * FAT_ENTRY_SIZE, SECTOR);
	for (;;) {
		u64 used =
			l.reserved + l.root_sectors + (u64)FATS * l.fat_sectors;
		u32 needed;

		l.clusters = used < sectors
				     ? (u32)((sectors - used) / cluster_sectors)
				     : 0;
		needed = div_up((l.clusters + (u64)FIRST_CLUSTER) * entry,
				SECTOR);
		if (needed <= l.fat_sectors)
			return l;
		l.fat_sectors = needed;
	}
}

/* 4 KiB clusters where they can be, smaller or larger where they must. */
static struct layout plan(u32 sectors, bool fat32, u32 root_entries)
{
	u32 min = fat32 ? FAT32_CLUSTERS_MIN : FAT16_CLUSTERS_MIN;
	u32 max = fat32 ? FAT32_CLUSTERS_MAX : FAT16_CLUSTERS_MAX;
	u32 size = 8;
	struct layout l = split(sectors, fat32, root_entries, size);

	while (l.clusters < min && size > 1)
		l = split(sectors, fat32, root_entries, size /= 2);
	while (l.clusters > max && size < 64)
		l = split(sectors, fat32, root_entries, size *= 2);
	if (l.clusters < min || l.clusters > max)
		l.clusters = 0;
	return l;
}

/* Gives every file and folder its clusters; returns how many are used. */
static u64 place(struct fat_node *node, const struct layout *l, u64 used)
{
	u64 bytes = node->size;

	if (!node->source)
		bytes = (u64)fat_folder_entries(node) * FAT_ENTRY_SIZE;
	if (!node->parent && !l->fat32)
		bytes = 0; /* FAT16 has a place of its own for the root */
	node->clusters = div_up(bytes, l->cluster_sectors * SECTOR);
	node->first = node->clusters ? (u32)used + FIRST_CLUSTER : 0;
	used += node->clusters;
	for (struct fat_node *c = node->children; c; c = c->next)
		used = place(c, l, used);
	return used;
}

/* Multiples of 16 fill the root's sectors; 512 is what everybody expects. */
static u32 root_entries(const struct fat_node *root)
{
	return (u32)ALIGN_UP(MAX(fat_folder_entries(root), 512u), 16);
}

u32 fat_sectors(struct fat_node *root, u64 at_least, u64 at_most, bool fat32)
{
	u32 step = MIB(1) / SECTOR;

	for (u64 n = MAX(ALIGN_UP(at_least, step), step); n <= at_most;
	     n += step) {
		struct layout l = plan((u32)n, fat32, root_entries(root));

		if (l.clusters && place(root, &l, 0) <= l.clusters)
			return (u32)n;
	}
	return 0;
}

/* --- the tables ----------------------------------------------------------- */

static void write_sectors(const struct layout *l, u32 sector, const void *data,
			  size_t size)
{
	image_write(((u64)l->start + sector) * SECTOR, data, size);
}

static u32 cluster_sector(const struct layout *l, u32 cluster)
{
	return l->reserved + FATS * l->fat_sectors + l->root_sectors +
	       (cluster - FIRST_CLUSTER) * l->cluster_sectors;
}

static void fill_tail(u8 *at, const char *type)
{
	at[0] = 0x80; /* a hard disk */
	at[2] = 0x29; /* serial number, label and type follow */
	put32(at + 3, FAT_SERIAL);
	memcpy(at + 7, VOLUME_LABEL, 11);
	memcpy(at + 18, type, 8);
}

static void write_boot_sector(const struct layout *l, u32 root_entry_count,
			      u32 root_cluster)
{
	u8 b[SECTOR] = {0xeb, l->fat32 ? 0x58 : 0x3c, 0x90}; /* jmp */

	memcpy(b + 3, "GODWIT  ", 8);
	put16(b + 11, SECTOR);
	b[13] = (u8)l->cluster_sectors;
	put16(b + 14, l->reserved);
	b[16] = FATS;
	put16(b + 17, l->fat32 ? 0 : root_entry_count);
	if (!l->fat32 && l->sectors < 0x10000)
		put16(b + 19, l->sectors);
	else
		put32(b + 32, l->sectors);
	b[21] = MEDIA_FIXED;
	put16(b + 24, 63);  /* sectors per track, for BIOSes */
	put16(b + 26, 255); /* heads */
	put32(b + 28, l->start);
	if (l->fat32) {
		put32(b + 36, l->fat_sectors);
		put32(b + 44, root_cluster);
		put16(b + 48, FAT32_INFO_SECTOR);
		put16(b + 50, FAT32_BACKUP_SECTOR);
		fill_tail(b + 64, "FAT32   ");
	} else {
		put16(b + 22, l->fat_sectors);
		fill_tail(b + 36, "FAT16   ");
	}
	put16(b + 510, 0xaa55);
	write_sectors(l, 0, b, sizeof(b));
	if (l->fat32)
		write_sectors(l, FAT32_BACKUP_SECTOR, b, sizeof(b));
}

static void write_fat32_info(const struct layout *l, u32 used)
{
	u8 b[SECTOR] = {0};

	put32(b, 0x41615252);
	put32(b + 484, 0x61417272);
	put32(b + 488, l->clusters - used);
	put32(b + 492, FIRST_CLUSTER + used);
	put32(b + 508, 0xaa550000);
	write_sectors(l, FAT32_INFO_SECTOR, b, sizeof(b));
	write_sectors(l, FAT32_BACKUP_SECTOR + FAT32_INFO_SECTOR, b, sizeof(b));
}

static void put_fat(const struct layout *l, u8 *fat, u32 cluster, u32 value)
{
	if (l->fat32)
		put32(fat + cluster * 4, value & 0x0fffffff);
	else
		put16(fat + cluster * 2, value & 0xffff);
}

/* A file is one run of clusters: each points to the next, the last nowhere. */
static void chain(const struct layout *l, u8 *fat, const struct fat_node *node)
{
	for (u32 i = 1; i < node->clusters; i++)
		put_fat(l, fat, node->first + i - 1, node->first + i);
	if (node->clusters)
		put_fat(l, fat, node->first + node->clusters - 1, 0xffffffff);
	for (struct fat_node *c = node->children; c; c = c->next)
		chain(l, fat, c);
}

static void write_fats(const struct layout *l, const struct fat_node *root)
{
	size_t size = (size_t)l->fat_sectors * SECTOR;
	u8 *fat = must_alloc(size);

	put_fat(l, fat, 0, 0xffffff00 | MEDIA_FIXED);
	put_fat(l, fat, 1, 0xffffffff);
	chain(l, fat, root);
	for (u32 i = 0; i < FATS; i++)
		write_sectors(l, l->reserved + i * l->fat_sectors, fat, size);
	free(fat);
}

/* --- files and folders ---------------------------------------------------- */

static u8 *put_entry(u8 *at, const char *short_name, u8 attribute, u32 cluster,
		     u32 size)
{
	memcpy(at, short_name, FAT_SHORT_LENGTH);
	at[11] = attribute;
	put16(at + 16, FAT_DATE); /* created, read, written */
	put16(at + 18, FAT_DATE);
	put16(at + 20, cluster >> 16);
	put16(at + 24, FAT_DATE);
	put16(at + 26, cluster);
	put32(at + 28, size);
	return at + FAT_ENTRY_SIZE;
}

static u8 short_checksum(const char *short_name)
{
	u8 sum = 0;

	for (int i = 0; i < FAT_SHORT_LENGTH; i++)
		sum = (u8)((sum >> 1 | sum << 7) + (u8)short_name[i]);
	return sum;
}

/* Part number of a long name, from 1; the last one stands first on the disk. */
static u8 *put_long_entry(u8 *at, const struct fat_node *node, unsigned number,
			  bool last)
{
	static const u8 places[FAT_LONG_CHARS] = {1,  3,  5,  7,  9,  14, 16,
						  18, 20, 22, 24, 28, 30};
	size_t length = strlen(node->name);
	size_t from = (number - 1) * (size_t)FAT_LONG_CHARS;

	at[0] = (u8)(number | (last ? LAST_LONG_ENTRY : 0));
	at[11] = ATTRIBUTE_LONG_NAME;
	at[13] = short_checksum(node->short_name);
	for (size_t i = 0; i < FAT_LONG_CHARS; i++) {
		u32 c = 0xffff; /* behind the end, and a 0 at the end */

		if (from + i <= length)
			c = (u8)node->name[from + i];
		put16(at + places[i], c);
	}
	return at + FAT_ENTRY_SIZE;
}

static u8 *put_node(u8 *at, const struct fat_node *node)
{
	unsigned parts = fat_entries(node) - 1;

	for (unsigned i = parts; i; i--)
		at = put_long_entry(at, node, i, i == parts);
	return put_entry(at, node->short_name,
			 node->source ? ATTRIBUTE_ARCHIVE : ATTRIBUTE_FOLDER,
			 node->first, node->size);
}

static void write_folder(const struct layout *l, const struct fat_node *folder)
{
	size_t size = (size_t)fat_folder_entries(folder) * FAT_ENTRY_SIZE;
	u8 *entries = must_alloc(size), *at = entries;
	const struct fat_node *up = folder->parent;
	u32 sector = l->reserved + FATS * l->fat_sectors;

	if (up) {
		/* ".." of a folder in the root says 0, in FAT32 too. */
		at = put_entry(at, ".          ", ATTRIBUTE_FOLDER,
			       folder->first, 0);
		at = put_entry(at, "..         ", ATTRIBUTE_FOLDER,
			       up->parent ? up->first : 0, 0);
	} else {
		at = put_entry(at, VOLUME_LABEL, ATTRIBUTE_LABEL, 0, 0);
	}
	for (struct fat_node *c = folder->children; c; c = c->next)
		at = put_node(at, c);
	if (folder->first)
		sector = cluster_sector(l, folder->first);
	write_sectors(l, sector, entries, size);
	free(entries);
}

static void write_file(const struct layout *l, const struct fat_node *node)
{
	FILE *file = fopen(node->source, "rb");
	u8 *data = must_alloc(node->size + 1);

	if (!file)
		die("%s: %s", node->source, strerror(errno));
	if (fread(data, 1, (size_t)node->size + 1, file) != node->size)
		die("%s: %s", node->source,
		    ferror(file) ? "read error" : "it changed meanwhile");
	fclose(file);
	if (node->size)
		write_sectors(l, cluster_sector(l, node->first), data,
			      node->size);
	free(data);
}

static void write_tree(const struct layout *l, const struct fat_node *node)
{
	if (node->source)
		write_file(l, node);
	else
		write_folder(l, node);
	for (struct fat_node *c = node->children; c; c = c->next)
		write_tree(l, c);
}

void fat_write(struct fat_node *root, u32 start, u32 sectors, bool fat32)
{
	struct layout l = plan(sectors, fat32, root_entries(root));
	u64 used;

	l.start = start;
	used = place(root, &l, 0);
	if (!l.clusters || used > l.clusters)
		die("%u sectors are too few for the files", sectors);
	write_boot_sector(&l, root_entries(root), root->first);
	if (fat32)
		write_fat32_info(&l, (u32)used);
	write_fats(&l, root);
	write_tree(&l, root);
}
