/*
 * mkimage: writes a bootable image from files, without any tool but this. The
 * image is a plain FAT file system, which firmware and emulators start from as
 * it is, or with --gpt a partitioned disk, for a USB stick.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/fat.h"
#include "tools/gpt.h"
#include "tools/image.h"

static const char usage[] =
	"usage: mkimage OUT [--size N[K|M|G]] [--gpt] NAME=FILE...\n"
	"  NAME    where FILE goes: EFI/BOOT/BOOTX64.EFI\n"
	"  --size  at least so large (default: as large as the files need)\n"
	"  --gpt   a partitioned disk rather than a bare file system\n";

/* In sectors. A larger FAT16 has clusters beyond what is sensible. */
#define FAT16_MAX (MIB(512) / SECTOR)
#define FAT32_MAX (UINT32_MAX - GPT_HEAD - GPT_TAIL)

static char *image_path; /* not NULL: it is to be removed on failure */
static int image;

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("mkimage: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	if (image_path)
		unlink(image_path);
	exit(1);
}

void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		die("out of memory");
	return memory;
}

void image_write(u64 offset, const void *data, size_t size)
{
	const u8 *from = data;

	while (size) {
		ssize_t n = pwrite(image, from, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("%s: %s", image_path, strerror(n ? errno : ENOSPC));
		from += n;
		offset += (u64)n;
		size -= (size_t)n;
	}
}

static u64 parse_size(const char *text)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long value;
	const char *unit;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		die("--size %s: not a number", text);
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		die("--size %s: the unit is K, M or G", text);
	for (int i = unit ? (int)(unit - units) + 1 : 0; i; i--)
		value = value > UINT64_MAX >> 10 ? UINT64_MAX : value << 10;
	if (value / SECTOR >= UINT32_MAX)
		die("--size %s: less than 2048G is possible", text);
	return value;
}

static void add_file(struct fat_node *root, const char *argument)
{
	const char *equals = strchr(argument, '=');
	char *name;

	if (!equals)
		die("%s: neither an option nor NAME=FILE", argument);
	name = strndup(argument, (size_t)(equals - argument));
	if (!name)
		die("out of memory");
	fat_add(root, name, equals + 1);
	free(name);
}

/* Under another name until it is whole: it may replace one of its sources. */
static void create_image(const char *path, u64 size)
{
	struct stat info;
	size_t length = strlen(path) + sizeof(".part");
	char *part = must_alloc(length);

	if (!stat(path, &info) && !S_ISREG(info.st_mode))
		die("%s: exists and is not a file", path);
	snprintf(part, length, "%s.part", path);
	image = open(part, O_RDWR | O_CREAT | O_TRUNC, 0666);
	if (image < 0)
		die("%s: %s", part, strerror(errno));
	image_path = part;
	if (ftruncate(image, (off_t)size))
		die("%s: %s", part, strerror(errno));
}

static void finish_image(const char *path)
{
	if (close(image) || rename(image_path, path))
		die("%s: %s", path, strerror(errno));
	free(image_path);
	image_path = NULL;
}

/* UEFI 2.10, 13.3: a system partition is FAT32, a removable medium any FAT. */
static void write_image(const char *path, struct fat_node *root, u64 size,
			bool gpt)
{
	u32 around = gpt ? GPT_HEAD + GPT_TAIL : 0;
	u64 least = (size + SECTOR - 1) / SECTOR;
	u32 sectors = 0;
	bool fat32;

	least = least > around ? least - around : 0;
	if (!gpt)
		sectors = fat_sectors(root, least, FAT16_MAX, false);
	fat32 = !sectors;
	if (fat32)
		sectors = fat_sectors(root, least, FAT32_MAX, true);
	if (!sectors)
		die("%s: the files are too much for one image", path);
	create_image(path, ((u64)sectors + around) * SECTOR);
	if (gpt)
		gpt_write(sectors);
	fat_write(root, gpt ? GPT_HEAD : 0, sectors, fat32);
	finish_image(path);
}

int main(int argc, char **argv)
{
	struct fat_node *root = fat_new();
	const char *path = NULL;
	bool gpt = false;
	u64 size = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--gpt"))
			gpt = true;
		else if (!strcmp(argv[i], "--size") && i + 1 < argc)
			size = parse_size(argv[++i]);
		else if (argv[i][0] == '-')
			die("%s: unknown option\n%s", argv[i], usage);
		else if (!path)
			path = argv[i];
		else
			add_file(root, argv[i]);
	}
	if (!path) {
		fputs(usage, stderr);
		return 1;
	}
	write_image(path, root, size, gpt);
	fat_free(root);
	return 0;
}
