/* UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout". */
#include <string.h>

#include "tools/gpt.h"
#include "tools/image.h"

#define ENTRIES	      128
#define ENTRY_SIZE    128
#define ENTRY_SECTORS (ENTRIES * ENTRY_SIZE / SECTOR)
#define HEADER_SIZE   92
#define FIRST_USABLE  (2 + ENTRY_SECTORS)

typedef u8 guid[16];

/* c12a7328-f81f-11d2-ba4b-00a0c93ec93b, as it lies on the disk. */
static const guid esp_type = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
			      0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
/* Constants, so that an image does not change from build to build. */
static const guid disk_id = {0x47, 0x6f, 0x64, 0x77, 0x69, 0x74, 0x44, 0x4d,
			     0xa9, 0x69, 0x73, 0x6b, 0x00, 0x00, 0x00, 0x01};
static const guid partition_id = {0x47, 0x6f, 0x64, 0x77, 0x69, 0x74,
				  0x44, 0x4d, 0xa9, 0x69, 0x73, 0x6b,
				  0x00, 0x00, 0x00, 0x02};

static u32 crc32(const u8 *data, size_t size)
{
	u32 crc = ~0u;

	for (; size; size--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void write_sector(u64 sector, const void *data, size_t size)
{
	image_write(sector * SECTOR, data, size);
}

/* One partition of type 0xee keeps old tools off. */
static void write_protective_mbr(u64 last)
{
	u8 b[SECTOR] = {0};
	u8 *entry = b + 446;

	put32(entry, 0x00020000);     /* CHS 0/0/2 */
	put32(entry + 4, 0xffffffee); /* type, and CHS "too large" */
	put32(entry + 8, 1);
	put32(entry + 12, (u32)last);
	put16(b + 510, 0xaa55);
	write_sector(0, b, sizeof(b));
}

static void fill_entry(u8 *entry, u64 first, u64 last)
{
	static const char name[] = "EFI System";

	memcpy(entry, esp_type, sizeof(guid));
	memcpy(entry + 16, partition_id, sizeof(guid));
	put64(entry + 32, first);
	put64(entry + 40, last);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		put16(entry + 56 + 2 * i, (u8)name[i]);
}

static void write_header(u64 here, u64 other, u64 table, u64 last_usable,
			 u32 table_crc)
{
	u8 b[SECTOR] = {0};

	memcpy(b, "EFI PART", 8);
	put32(b + 8, 0x00010000);
	put32(b + 12, HEADER_SIZE);
	put64(b + 24, here);
	put64(b + 32, other);
	put64(b + 40, FIRST_USABLE);
	put64(b + 48, last_usable);
	memcpy(b + 56, disk_id, sizeof(guid));
	put64(b + 72, table);
	put32(b + 80, ENTRIES);
	put32(b + 84, ENTRY_SIZE);
	put32(b + 88, table_crc);
	put32(b + 16, crc32(b, HEADER_SIZE));
	write_sector(here, b, sizeof(b));
}

void gpt_write(u32 sectors)
{
	u8 table[ENTRIES * ENTRY_SIZE] = {0};
	u64 end = (u64)GPT_HEAD + sectors; /* behind the partition */
	u64 last = end + GPT_TAIL - 1;
	u64 backup = last - ENTRY_SECTORS;
	u32 crc;

	fill_entry(table, GPT_HEAD, end - 1);
	crc = crc32(table, sizeof(table));
	write_protective_mbr(last);
	write_header(1, last, 2, backup - 1, crc);
	write_sector(2, table, sizeof(table));
	write_sector(backup, table, sizeof(table));
	write_header(last, 1, backup, backup - 1, crc);
}
