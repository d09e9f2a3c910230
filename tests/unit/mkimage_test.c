/*
 * The image builder, read back by a FAT reader of the test's own, which is
 * written from the specification and shares nothing with the writer.
 *
 *	links: tools/fat.c tools/fat_tree.c tools/gpt.c
 *	links: tests/unit/fat_reader.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/types.h"
#include "tests/unit/fat_reader.h"
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

/* --- what a volume holds -------------------------------------------------- */

static void check_file(const struct volume *v, const char *path, unsigned seed,
		       u64 size)
{
	u8 entry[32], *bytes = NULL;
	size_t room = 0;
	u32 first;

	CHECK(volume_look_up(v, path, entry));
	CHECK_EQ(entry[11], 0x20);
	CHECK_EQ(fat_get(entry + 28, 4), size);
	first = fat_first_cluster(entry);
	if (size)
		bytes = volume_read(v, first, &room);
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
	struct volume v =
		volume_mount(image + (u64)start * SECTOR, image + image_size);
	u8 entry[32];

	CHECK_EQ(v.fat_bits, bits);
	CHECK_EQ(fat_get(v.boot + 28, 4), start);
	if (bits == 32)
		volume_check_free_count(&v);
	for (unsigned i = 0; i < ARRAY_LEN(files); i++)
		check_file(&v, files[i].path, i, files[i].size);
	CHECK(!volume_look_up(&v, "godwit/nothing", entry));
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
	v = volume_mount(image, image + image_size);
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
	v = volume_mount(image, image + image_size);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		u8 entry[32];

		CHECK(volume_look_up(&v, rows[i].name, entry));
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
	u64 table = fat_get(h + 72, 4);

	memcpy(header, h, sizeof(header));
	memset(header + 16, 0, 4);
	CHECK_MEM(h, "EFI PART", 8);
	CHECK_EQ(table, entries);
	CHECK_EQ(fat_get(h + 16, 4), crc32(header, sizeof(header)));
	CHECK_EQ(fat_get(h + 24, 4), here);
	CHECK_EQ(fat_get(h + 32, 4), other);
	CHECK_EQ(fat_get(h + 88, 4), crc32(image + table * SECTOR, 128 * 128));
	CHECK_EQ(fat_get(image + table * SECTOR + 32, 4), GPT_HEAD);
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
