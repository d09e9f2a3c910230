/*
 * Reads FAT16 and FAT32 back, written from the specification.
 */
#include "tests/unit/fat_reader.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"
#include "tools/image.h"

u32 fat_get(const u8 *at, int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

/* "FAT: General Overview", "FAT Type Determination". */
struct volume volume_mount(const u8 *boot, const u8 *end)
{
	struct volume v = {.boot = boot};
	u32 sector = fat_get(boot + 11, 2);
	u32 fat_size = fat_get(boot + 22, 2);
	u32 total = fat_get(boot + 19, 2);
	u32 root_sectors, first;

	CHECK_EQ(fat_get(boot + 510, 2), 0xaa55);
	fat_size = fat_size ? fat_size : fat_get(boot + 36, 4);
	total = total ? total : fat_get(boot + 32, 4);
	v.root_bytes = fat_get(boot + 17, 2) * 32;
	root_sectors = (v.root_bytes + sector - 1) / sector;
	first = fat_get(boot + 14, 2) + boot[16] * fat_size + root_sectors;
	v.cluster_bytes = boot[13] * sector;
	v.clusters = (total - first) / boot[13];
	v.fat_bits = v.clusters < 4085 ? 12 : v.clusters < 65525 ? 16 : 32;
	v.fat = boot + fat_get(boot + 14, 2) * sector;
	v.root = boot + (first - root_sectors) * sector;
	v.data = boot + (u64)first * sector;
	if (v.fat_bits == 32)
		v.root_cluster = fat_get(boot + 44, 4);
	CHECK(boot + (u64)total * sector <= end);
	CHECK_EQ(fat_get(v.fat, 1), boot[21]);
	/* Both tables say the same. */
	CHECK_EQ(boot[16], 2);
	CHECK_MEM(v.fat, v.fat + (u64)fat_size * sector,
		  (u64)fat_size * sector);
	return v;
}

/* FAT32 keeps count of its free clusters, in two places. */
void volume_check_free_count(const struct volume *v)
{
	const u8 *info = v->boot + fat_get(v->boot + 48, 2) * SECTOR;
	const u8 *backup = v->boot + fat_get(v->boot + 50, 2) * SECTOR;
	u32 free_clusters = 0;

	for (u32 i = 2; i < v->clusters + 2; i++)
		free_clusters += !fat_get(v->fat + 4 * (u64)i, 4);
	CHECK_EQ(fat_get(info, 4), 0x41615252);
	CHECK_EQ(fat_get(info + 488, 4), free_clusters);
	CHECK_EQ(fat_get(v->fat + 4 * (u64)fat_get(info + 492, 4), 4), 0);
	CHECK_MEM(backup, v->boot, SECTOR);
	CHECK_MEM(backup + SECTOR, info, SECTOR);
}

static u32 next_cluster(const struct volume *v, u32 cluster)
{
	CHECK(cluster >= 2 && cluster < v->clusters + 2);
	if (v->fat_bits == 32)
		return fat_get(v->fat + 4 * (u64)cluster, 4) & 0x0fffffff;
	return fat_get(v->fat + 2 * (u64)cluster, 2);
}

static bool is_last(const struct volume *v, u32 cluster)
{
	return cluster >= (v->fat_bits == 32 ? 0x0ffffff8 : 0xfff8);
}

/* The bytes of a chain, size of them in use; the caller frees. */
u8 *volume_read(const struct volume *v, u32 cluster, size_t *size)
{
	u8 *bytes = NULL;

	for (*size = 0; !is_last(v, cluster);
	     cluster = next_cluster(v, cluster)) {
		const u8 *at = v->data + (u64)(cluster - 2) * v->cluster_bytes;

		CHECK(cluster >= 2 && cluster < v->clusters + 2);
		bytes = realloc(bytes, *size + v->cluster_bytes);
		memcpy(bytes + *size, at, v->cluster_bytes);
		*size += v->cluster_bytes;
	}
	return bytes;
}

static u8 checksum(const u8 *short_name)
{
	u8 sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (u8)(((sum & 1) << 7) + (sum >> 1) + short_name[i]);
	return sum;
}

/* The thirteen characters of a long entry stand in three places. */
static u32 long_char(const u8 *entry, int i)
{
	int at = i < 5	  ? 1 + 2 * i
		 : i < 11 ? 14 + 2 * (i - 5)
			  : 28 + 2 * (i - 11);

	return fat_get(entry + at, 2);
}

static void short_text(const u8 *entry, char *name)
{
	for (int i = 0; i < 11; i++) {
		if (i == 8 && entry[8] != ' ')
			*name++ = '.';
		if (entry[i] != ' ')
			*name++ = (char)entry[i];
	}
	*name = '\0';
}

/* Behind a name's end are one 0 and then -1s, as far as the entries reach. */
static void check_padding(const u32 *name, size_t room)
{
	size_t length = 0;

	while (length < room && name[length])
		length++;
	for (size_t i = length + 1; i < room; i++)
		CHECK_EQ(name[i], 0xffff);
}

/* No two entries of a folder have one short name, and each is a proper one. */
static void check_short_name(const u8 *entries, const u8 *e)
{
	for (int i = 0; i < 11; i++)
		CHECK(e[i] >= ' ' && e[i] != '+' && e[i] != ',' &&
		      !(e[i] >= 'a' && e[i] <= 'z'));
	for (const u8 *f = entries; f < e; f += 32)
		CHECK(f[11] == 0x0f || memcmp(e, f, 11));
}

/* Finds a name, exactly as it was given; NULL: it is not there. */
static const u8 *find(const u8 *entries, size_t size, const char *wanted)
{
	const u8 *found = NULL;
	u32 name[21 * 13];
	int expected = 0, parts = 0;
	u8 sum = 0;

	for (const u8 *e = entries; e < entries + size && *e; e += 32) {
		char text[sizeof(name) / sizeof(name[0]) + 1] = "";

		if (e[11] == 0x0f) {
			int number = e[0] & 0x1f;

			if (e[0] & 0x40) {
				expected = parts = number;
				sum = e[13];
			}
			CHECK(number && number == expected);
			CHECK_EQ(e[13], sum);
			for (int i = 0; i < 13; i++)
				name[13 * (number - 1) + i] = long_char(e, i);
			expected--;
			continue;
		}
		CHECK_EQ(expected, 0);
		if (parts) {
			CHECK_EQ(sum, checksum(e));
			check_padding(name, 13 * (size_t)parts);
			for (int i = 0; i < 13 * parts && name[i]; i++)
				text[i] = (char)name[i];
		} else {
			short_text(e, text);
		}
		parts = 0;
		check_short_name(entries, e);
		if (!(e[11] & 0x08) && !strcmp(text, wanted))
			found = e;
	}
	return found;
}

u32 fat_first_cluster(const u8 *entry)
{
	return fat_get(entry + 20, 2) << 16 | fat_get(entry + 26, 2);
}

/* "." is the folder itself and ".." the one above, which is 0 for the root. */
static u8 *read_folder(const struct volume *v, const u8 *entry, u32 above,
		       size_t *size)
{
	u8 *entries = volume_read(v, fat_first_cluster(entry), size);

	CHECK(entry[11] & 0x10);
	CHECK_MEM(entries, ".          ", 11);
	CHECK_EQ(fat_first_cluster(entries), fat_first_cluster(entry));
	CHECK_MEM(entries + 32, "..         ", 11);
	CHECK_EQ(fat_first_cluster(entries + 32), above);
	return entries;
}

/* Looks a path up from the root; copies the entry. */
bool volume_look_up(const struct volume *v, const char *path, u8 *entry)
{
	size_t size = v->root_bytes;
	u8 *entries;
	u32 above = 0;

	if (v->fat_bits == 32) {
		entries = volume_read(v, v->root_cluster, &size);
	} else {
		entries = malloc(size);
		memcpy(entries, v->root, size);
	}
	for (;;) {
		size_t length = strcspn(path, "/");
		char *name = strndup(path, length);
		const u8 *e = find(entries, size, name);

		free(name);
		if (e)
			memcpy(entry, e, 32);
		free(entries);
		if (!e || !path[length])
			return e != NULL;
		path += length + 1;
		entries = read_folder(v, entry, above, &size);
		above = fat_first_cluster(entry);
	}
}
