/*
 * The image builder, read back by a FAT reader of the test's own, which is
 * written from the specification and shares nothing with the writer.
 *
 *	links: tools/fat.c tools/fat_tree.c tools/gpt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/types.h"
#include "tests/unit/test.h"
#include "tools/fat.h"
#include "tools/gpt.h"
#include "tools/image.h"

/* --- what the program gives its parts ------------------------------------- */

static u8 *image;
static size_t image_size;
static jmp_buf death;
static char last_words[512];

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(last_words, sizeof(last_words), fmt, args);
	va_end(args);
	longjmp(death, 1);
}

void *must_alloc(size_t size)
{
	return calloc(1, size);
}

void image_write(u64 offset, const void *data, size_t size)
{
	CHECK(offset <= image_size && size <= image_size - offset);
	memcpy(image + offset, data, size);
}

static void new_image(u64 sectors)
{
	free(image);
	image_size = sectors * SECTOR;
	image = calloc(1, image_size);
}

#define DIES(statement, words)                \
	do {                                  \
		last_words[0] = '\0';         \
		if (!setjmp(death))           \
			statement;            \
		CHECK_STR(last_words, words); \
	} while (0)

/* --- files to put in ------------------------------------------------------ */

static char folder[] = "/tmp/mkimage_test.XXXXXX";

/* Byte i of the file with this seed. */
static u8 content(unsigned seed, u64 i)
{
	return (u8)(seed * 31 + i + (i >> 9) * 7);
}

/* Valid until the next call. */
static const char *source(unsigned seed, u64 size)
{
	static char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%u", folder, seed);
	file = fopen(path, "wb");
	CHECK(file);
	for (u64 i = 0; i < size; i++)
		putc(content(seed, i), file);
	fclose(file);
	return path;
}

static void remove_sources(void)
{
	for (unsigned i = 0; i < 100; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%u", folder, i);
		unlink(path);
	}
	rmdir(folder);
}

static void start(void)
{
	CHECK(mkdtemp(folder));
	atexit(remove_sources);
}

/* --- a reader ------------------------------------------------------------- */

static u32 get(const u8 *at, int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

struct volume {
	const u8 *boot, *fat, *root;
	u32 cluster_bytes, clusters, root_bytes, root_cluster;
	int fat_bits;
	const u8 *data;
};

/* "FAT: General Overview", "FAT Type Determination". */
static struct volume mount(const u8 *boot)
{
	struct volume v = {.boot = boot};
	u32 sector = get(boot + 11, 2);
	u32 fat_size = get(boot + 22, 2);
	u32 total = get(boot + 19, 2);
	u32 root_sectors, first;

	CHECK_EQ(get(boot + 510, 2), 0xaa55);
	fat_size = fat_size ? fat_size : get(boot + 36, 4);
	total = total ? total : get(boot + 32, 4);
	v.root_bytes = get(boot + 17, 2) * 32;
	root_sectors = (v.root_bytes + sector - 1) / sector;
	first = get(boot + 14, 2) + boot[16] * fat_size + root_sectors;
	v.cluster_bytes = boot[13] * sector;
	v.clusters = (total - first) / boot[13];
	v.fat_bits = v.clusters < 4085 ? 12 : v.clusters < 65525 ? 16 : 32;
	v.fat = boot + get(boot + 14, 2) * sector;
	v.root = boot + (first - root_sectors) * sector;
	v.data = boot + (u64)first * sector;
	if (v.fat_bits == 32)
		v.root_cluster = get(boot + 44, 4);
	CHECK(boot + (u64)total * sector <= image + image_size);
	CHECK_EQ(get(v.fat, 1), boot[21]);
	/* Both tables say the same. */
	CHECK_EQ(boot[16], 2);
	CHECK_MEM(v.fat, v.fat + (u64)fat_size * sector,
		  (u64)fat_size * sector);
	return v;
}

/* FAT32 keeps count of its free clusters, in two places. */
static void check_free_count(const struct volume *v)
{
	const u8 *info = v->boot + get(v->boot + 48, 2) * SECTOR;
	const u8 *backup = v->boot + get(v->boot + 50, 2) * SECTOR;
	u32 free_clusters = 0;

	for (u32 i = 2; i < v->clusters + 2; i++)
		free_clusters += !get(v->fat + 4 * (u64)i, 4);
	CHECK_EQ(get(info, 4), 0x41615252);
	CHECK_EQ(get(info + 488, 4), free_clusters);
	CHECK_EQ(get(v->fat + 4 * (u64)get(info + 492, 4), 4), 0);
	CHECK_MEM(backup, v->boot, SECTOR);
	CHECK_MEM(backup + SECTOR, info, SECTOR);
}

static u32 next_cluster(const struct volume *v, u32 cluster)
{
	CHECK(cluster >= 2 && cluster < v->clusters + 2);
	if (v->fat_bits == 32)
		return get(v->fat + 4 * (u64)cluster, 4) & 0x0fffffff;
	return get(v->fat + 2 * (u64)cluster, 2);
}

static bool is_last(const struct volume *v, u32 cluster)
{
	return cluster >= (v->fat_bits == 32 ? 0x0ffffff8 : 0xfff8);
}

/* The bytes of a chain, size of them in use; the caller frees. */
static u8 *read_chain(const struct volume *v, u32 cluster, size_t *size)
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

	return get(entry + at, 2);
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

static u32 first_cluster(const u8 *entry)
{
	return get(entry + 20, 2) << 16 | get(entry + 26, 2);
}

/* "." is the folder itself and ".." the one above, which is 0 for the root. */
static u8 *read_folder(const struct volume *v, const u8 *entry, u32 above,
		       size_t *size)
{
	u8 *entries = read_chain(v, first_cluster(entry), size);

	CHECK(entry[11] & 0x10);
	CHECK_MEM(entries, ".          ", 11);
	CHECK_EQ(first_cluster(entries), first_cluster(entry));
	CHECK_MEM(entries + 32, "..         ", 11);
	CHECK_EQ(first_cluster(entries + 32), above);
	return entries;
}

/* Looks a path up from the root; copies the entry. */
static bool look_up(const struct volume *v, const char *path, u8 *entry)
{
	size_t size = v->root_bytes;
	u8 *entries;
	u32 above = 0;

	if (v->fat_bits == 32) {
		entries = read_chain(v, v->root_cluster, &size);
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
		above = first_cluster(entry);
	}
}

static void check_file(const struct volume *v, const char *path, unsigned seed,
		       u64 size)
{
	u8 entry[32], *bytes = NULL;
	size_t room = 0;
	u32 first;

	CHECK(look_up(v, path, entry));
	CHECK_EQ(entry[11], 0x20);
	CHECK_EQ(get(entry + 28, 4), size);
	first = first_cluster(entry);
	if (size)
		bytes = read_chain(v, first, &room);
	else
		CHECK_EQ(first, 0);
	CHECK(room >= size && room < size + v->cluster_bytes);
	for (u64 i = 0; i < size; i++) {
		if (bytes[i] != content(seed, i))
			test_fail(__FILE__, __LINE__, "%s: byte %lu", path, i);
	}
	free(bytes);
}

/* --- the tests ------------------------------------------------------------ */

static const struct {
	const char *path;
	u64 size;
} files[] = {
	{"EFI/BOOT/BOOTX64.EFI", 20000},
	{"godwit/kernel.elf", 123456},
	{"godwit/godwit.conf", 100},
	{"godwit/guests/a rather long name.with dots.tar.gz", 4096},
	{"godwit/guests/a rather long name.with dots.tar.xz", 4097},
	{"godwit/guests/empty", 0},
	{"godwit/guests/thirteen.char", 1},
	{"godwit/guests/exactly26characters.in.it!", 2},
	{"godwit/guests/UPPER.TXT", 3},
	{"godwit/guests/deep/er/and/deeper/x", 512},
	{"godwit/.hidden", 5},
};

static struct fat_node *tree(void)
{
	struct fat_node *root = fat_new();

	for (unsigned i = 0; i < ARRAY_LEN(files); i++)
		fat_add(root, files[i].path, source(i, files[i].size));
	return root;
}

static void check_volume(u32 start, int bits)
{
	struct volume v = mount(image + (u64)start * SECTOR);
	u8 entry[32];

	CHECK_EQ(v.fat_bits, bits);
	CHECK_EQ(get(v.boot + 28, 4), start);
	if (bits == 32)
		check_free_count(&v);
	for (unsigned i = 0; i < ARRAY_LEN(files); i++)
		check_file(&v, files[i].path, i, files[i].size);
	CHECK(!look_up(&v, "godwit/nothing", entry));
}

static void write_and_check(u32 at_least, bool fat32)
{
	struct fat_node *root = tree();
	u32 sectors = fat_sectors(root, at_least, UINT32_MAX, fat32);

	CHECK(sectors >= at_least);
	new_image(sectors);
	fat_write(root, 0, sectors, fat32);
	check_volume(0, fat32 ? 32 : 16);
	fat_free(root);
	free(image);
	image = NULL;
}

TEST(fat16_reads_back)
{
	start();
	write_and_check(0, false);
	write_and_check(8192, false);  /* 4 MiB */
	write_and_check(67584, false); /* 33 MiB */
	write_and_check(600000, false);
}

TEST(fat32_reads_back)
{
	start();
	write_and_check(0, true);
	write_and_check(200000, true);
}

TEST(image_grows_with_its_files)
{
	struct fat_node *root;
	u32 small, large;

	start();
	root = tree();
	small = fat_sectors(root, 0, UINT32_MAX, false);
	fat_add(root, "big", source(50, MIB(9)));
	large = fat_sectors(root, 0, UINT32_MAX, false);
	CHECK(large >= small + MIB(6) / SECTOR);
	CHECK(large <= MIB(11) / SECTOR);
	CHECK_EQ(fat_sectors(root, 0, large - 1, false), 0);
	CHECK_EQ(fat_sectors(root, 0, large, false), large);
	new_image(large);
	fat_write(root, 0, large, false);
	check_volume(0, 16);
	fat_free(root);
	free(image);
}

/* More than one cluster of directory entries, and more than ten aliases. */
TEST(crowded_folders_read_back)
{
	struct fat_node *root;
	struct volume v;
	u32 sectors;

	start();
	root = fat_new();
	for (unsigned i = 0; i < 90; i++) {
		char path[64];

		snprintf(path, sizeof(path), "crowd/the long name %u.data", i);
		fat_add(root, path, source(i, i));
	}
	sectors = fat_sectors(root, 0, UINT32_MAX, false);
	new_image(sectors);
	fat_write(root, 0, sectors, false);
	v = mount(image);
	for (unsigned i = 0; i < 90; i++) {
		char path[64];

		snprintf(path, sizeof(path), "crowd/the long name %u.data", i);
		check_file(&v, path, i, i);
	}
	fat_free(root);
	free(image);
}

/* What a short name cannot hold is marked by a number. */
TEST(short_names_tell_what_they_lost)
{
	static const struct {
		const char *name, *alias;
	} rows[] = {
		{"kernel.elf", "KERNEL  ELF"},
		{"a+b.txt", "A_B~1   TXT"},
		{"godwit.conf", "GODWIT~1CON"},
		{"godwit.config", "GODWIT~2CON"},
		{"A.B.C", "AB~1    C  "},
		{".dot", "DOT~1      "},
		{"KERNEL~1.ELF", "KERNEL~1ELF"},
		{"kernel+1.elf", "KERNEL~2ELF"},
	};
	struct fat_node *root;
	struct volume v;
	u32 sectors;

	start();
	root = fat_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fat_add(root, rows[i].name, source(1, 1));
	sectors = fat_sectors(root, 0, UINT32_MAX, false);
	new_image(sectors);
	fat_write(root, 0, sectors, false);
	v = mount(image);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		u8 entry[32];

		CHECK(look_up(&v, rows[i].name, entry));
		CHECK_MEM(entry, rows[i].alias, 11);
	}
	fat_free(root);
	free(image);
}

TEST(same_files_same_bytes)
{
	struct fat_node *root;
	u32 sectors;
	u8 *first;
	size_t size;

	start();
	root = tree();
	sectors = fat_sectors(root, 0, UINT32_MAX, false);
	new_image(sectors);
	fat_write(root, 0, sectors, false);
	fat_free(root);
	first = image;
	size = image_size;
	image = NULL;
	root = tree();
	new_image(sectors);
	fat_write(root, 0, sectors, false);
	fat_free(root);
	CHECK_EQ(image_size, size);
	CHECK_MEM(first, image, size);
	free(first);
	free(image);
}

/* A table of one's own makes no mistake of the writer's. */
static u32 crc32(const u8 *data, size_t size)
{
	u32 table[256], crc = 0xffffffff;

	for (u32 i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320
						: table[i] >> 1;
	}
	while (size--)
		crc = table[(crc ^ *data++) & 0xff] ^ crc >> 8;
	return crc ^ 0xffffffff;
}

/* UEFI 2.10, 5.3.2: the header's own sum counts as 0. */
static void check_gpt_header(u64 here, u64 other, u64 entries)
{
	u8 header[92];
	const u8 *h = image + here * SECTOR;
	u64 table = get(h + 72, 4);

	memcpy(header, h, sizeof(header));
	memset(header + 16, 0, 4);
	CHECK_MEM(h, "EFI PART", 8);
	CHECK_EQ(table, entries);
	CHECK_EQ(get(h + 16, 4), crc32(header, sizeof(header)));
	CHECK_EQ(get(h + 24, 4), here);
	CHECK_EQ(get(h + 32, 4), other);
	CHECK_EQ(get(h + 88, 4), crc32(image + table * SECTOR, 128 * 128));
	CHECK_EQ(get(image + table * SECTOR + 32, 4), GPT_HEAD);
}

TEST(gpt_holds_the_partition)
{
	struct fat_node *root;
	u32 sectors;
	u64 last;

	CHECK_EQ(crc32((const u8 *)"123456789", 9), 0xcbf43926);
	start();
	root = tree();
	sectors = fat_sectors(root, 0, UINT32_MAX, true);
	new_image((u64)GPT_HEAD + sectors + GPT_TAIL);
	last = image_size / SECTOR - 1;
	gpt_write(sectors);
	fat_write(root, GPT_HEAD, sectors, true);
	check_gpt_header(1, last, 2);
	check_gpt_header(last, 1, last - 32);
	CHECK_EQ(image[446 + 4], 0xee);
	check_volume(GPT_HEAD, 32);
	fat_free(root);
	free(image);
}

TEST(bad_names_are_refused)
{
	struct fat_node *root = fat_new();
	const char *file;

	start();
	file = source(1, 10);
	fat_add(root, "a/b", file);
	DIES(fat_add(root, "a/b", file), "a/b: b is there already");
	DIES(fat_add(root, "A/B", file), "A/B: b is there already");
	DIES(fat_add(root, "a", file), "a: a is there already");
	DIES(fat_add(root, "a/b/c", file), "a/b/c: b is there already");
	DIES(fat_add(root, "x//y", file),
	     "x//y: each part of the name has 1 to 255 characters");
	DIES(fat_add(root, "x?", file),
	     "x?: a FAT name is plain ASCII without \" * : < > ? \\ |");
	DIES(fat_add(root, "x.", file),
	     "x.: a FAT name does not end in a dot or blank");
	DIES(fat_add(root, "x", "/nonexistent/file"),
	     "/nonexistent/file: No such file or directory");
	DIES(fat_add(root, "x", "/"), "/: not a file");
	fat_free(root);
}
