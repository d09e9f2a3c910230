/*
 * Files from QEMU's fw_cfg device, by DMA: QEMU, docs/specs/fw_cfg. All its
 * numbers are big-endian.
 */
#include "boot/files.h"
#include "boot/memory.h"
#include "boot/port.h"
#include "boot/say.h"
#include "lib/string.h"

#define PORT_SELECTOR 0x510
#define PORT_DATA     0x511
#define PORT_DMA_HIGH 0x514
#define PORT_DMA_LOW  0x518 /* writing it starts the transfer */

#define KEY_SIGNATURE 0x0000
#define KEY_ID	      0x0001
#define KEY_FILES     0x0019
#define ITEMS_MAX     0x4000 /* there are no more keys */

#define ID_DMA BIT(1)

#define DMA_ERROR  BIT(0)
#define DMA_READ   BIT(1)
#define DMA_SELECT BIT(3)

#define PREFIX	      "opt/godwit/"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

struct fw_cfg_dma {
	u32 control; /* the key in its upper half */
	u32 length;
	u64 address;
};

struct fw_cfg_file {
	u32 size;
	u16 key;
	u16 reserved;
	char name[56];
};
ASSERT_SIZE(struct fw_cfg_file, 64);

static bool transfer(u32 command, void *data, u32 length)
{
	volatile struct fw_cfg_dma dma = {
		.control = __builtin_bswap32(command),
		.length = __builtin_bswap32(length),
		.address = __builtin_bswap64((u64)data),
	};
	u32 left;

	out32(PORT_DMA_HIGH, __builtin_bswap32((u32)((u64)&dma >> 32)));
	out32(PORT_DMA_LOW, __builtin_bswap32((u32)(u64)&dma));
	do
		left = __builtin_bswap32(dma.control);
	while (left & ~DMA_ERROR);
	return !left;
}

/* From the start of item key. */
static bool read_item(u16 key, void *data, u32 length)
{
	u32 select = (u32)key << 16 | DMA_SELECT;

	return transfer(select | DMA_READ, data, length);
}

/* What follows what was read last. */
static bool read_more(void *data, u32 length)
{
	return transfer(DMA_READ, data, length);
}

static bool present(void)
{
	static const char signature[] = {'Q', 'E', 'M', 'U'};

	out16(PORT_SELECTOR, KEY_SIGNATURE);
	for (size_t i = 0; i < sizeof(signature); i++) {
		if (in8(PORT_DATA) != (u8)signature[i])
			return false;
	}
	return true;
}

static bool has_dma(void)
{
	out16(PORT_SELECTOR, KEY_ID);
	return in8(PORT_DATA) & ID_DMA;
}

static EFI_STATUS load_item(struct boot_info *info, struct fw_cfg_file *item)
{
	u32 size = __builtin_bswap32(item->size);
	void *data;
	EFI_STATUS status;

	if (!info->file_count)
		say("files from QEMU's fw_cfg, items " PREFIX "*:\n");
	status = files_add(info, item->name + PREFIX_LENGTH, size, &data);
	if (EFI_ERROR(status))
		return status;
	if (!read_item(__builtin_bswap16(item->key), data, size))
		return fail(EFI_DEVICE_ERROR, "%s: fw_cfg read error",
			    item->name);
	info->source = BOOT_FROM_FW_CFG;
	return EFI_SUCCESS;
}

static EFI_STATUS read_directory(struct fw_cfg_file **directory, u32 *count)
{
	if (!read_item(KEY_FILES, count, sizeof(*count)))
		return fail(EFI_DEVICE_ERROR, "fw_cfg: directory unreadable");
	*count = __builtin_bswap32(*count);
	if (!*count)
		return EFI_NOT_FOUND;
	if (*count > ITEMS_MAX)
		return fail(EFI_DEVICE_ERROR, "fw_cfg: %u items", *count);
	*directory =
		memory_alloc(*count * sizeof(**directory), MEMORY_SCRATCH, 0);
	if (!*directory)
		return fail(EFI_OUT_OF_RESOURCES,
			    "out of memory for fw_cfg's directory");
	if (!read_more(*directory, *count * (u32)sizeof(**directory)))
		return fail(EFI_DEVICE_ERROR, "fw_cfg: directory unreadable");
	return EFI_SUCCESS;
}

static EFI_STATUS load_items(struct boot_info *info)
{
	struct fw_cfg_file *directory = NULL;
	u32 count;
	EFI_STATUS status = read_directory(&directory, &count);

	for (u32 i = 0; !EFI_ERROR(status) && i < count; i++) {
		struct fw_cfg_file *item = &directory[i];

		item->name[sizeof(item->name) - 1] = '\0';
		if (!strncmp(item->name, PREFIX, PREFIX_LENGTH))
			status = load_item(info, item);
	}
	if (!EFI_ERROR(status) && !info->file_count)
		status = EFI_NOT_FOUND;
	return status;
}

EFI_STATUS fw_cfg_load(struct boot_info *info)
{
	if (!present())
		return EFI_NOT_FOUND;
	if (!has_dma())
		return fail(EFI_UNSUPPORTED, "this QEMU's fw_cfg has no DMA");
	return load_items(info);
}
