/*
 * Multiboot 1 (specification 0.6.96; sections by that): a header within the
 * first 8 KiB of the image says what the kernel wants; it is entered in 32-bit
 * protected mode with an information structure in EBX.
 */
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "machine/load.h"
#include "vm/vm.h"

#define HEADER_MAGIC 0x1badb002u
#define ENTRY_MAGIC  0x2badb002u

/* Flags 0-15 must be understood, the others may be ignored (3.1.2). */
#define WANT_ALIGN     BIT(0)
#define WANT_MEMORY    BIT(1)
#define WANT_VIDEO     BIT(2)
#define WANT_MANDATORY 0xffffu
#define HAS_ADDRESSES  BIT(16)

/* 3.1.1, without the graphics fields. */
struct multiboot_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};
#define HEADER_MIN 12u
ASSERT_SIZE(struct multiboot_header, 32);

/* 3.3 */
#define INFO_MEMORY  BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODULES BIT(3)
#define INFO_MAP     BIT(6)
#define INFO_LOADER  BIT(9)

struct multiboot_info {
	u32 flags;
	u32 mem_lower, mem_upper; /* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 symbols[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 boot_loader_name;
	u32 apm_table;
	u32 vbe[4];
};
ASSERT_SIZE(struct multiboot_info, 88);
ASSERT_OFFSET(struct multiboot_info, mmap_length, 44);
ASSERT_OFFSET(struct multiboot_info, boot_loader_name, 64);

struct PACKED multiboot_map {
	u32 size; /* of what follows */
	u64 base, length;
	u32 type;
};
ASSERT_SIZE(struct multiboot_map, 24);
#define MAP_AVAILABLE 1
#define MAP_RESERVED  2

struct multiboot_module {
	u32 start, end, string, reserved;
};
ASSERT_SIZE(struct multiboot_module, 16);

#define LOADER_NAME "Godwit"

enum { GDT_NULL, GDT_CODE, GDT_DATA, GDT_ENTRIES };

/* All that the kernel is given, as one block of its memory. */
struct multiboot_block {
	u64 gdt[GDT_ENTRIES];
	struct multiboot_info info;
	struct multiboot_map map[LOAD_REGIONS];
	struct multiboot_module module[VM_MODULES];
	char loader_name[sizeof(LOADER_NAME)];
	char cmdline[VM_TEXT_MAX];
	char string[VM_MODULES][VM_TEXT_MAX];
};

/* Where a member of the block at `base` will be. */
#define AT(base, member) ((base) + offsetof(struct multiboot_block, member))

/* --- the header */

err_t load_find_multiboot(const struct file *file, u64 *offset, u64 *suspect)
{
	u64 end = MIN(file->size, MULTIBOOT_SEARCH);
	u32 word[3];

	*suspect = ~0ULL;
	for (u64 at = 0; at + HEADER_MIN <= end; at += 4) {
		memcpy(word, file->data + at, sizeof(word));
		if (word[0] != HEADER_MAGIC)
			continue;
		if (word[0] + word[1] + word[2] == 0) {
			*offset = at;
			return E_OK;
		}
		*suspect = MIN(*suspect, at);
	}
	return E_NOTFOUND;
}

static err_t read_header(struct load *load, struct multiboot_header *header,
			 u64 *offset)
{
	u64 suspect, size = HEADER_MIN;

	if (load_find_multiboot(&load->file, offset, &suspect)) {
		if (suspect != ~0ULL)
			return load_fail(load, E_FORMAT,
					 "the Multiboot header at offset 0x%lx "
					 "has a wrong checksum",
					 suspect);
		return load_fail(load, E_FORMAT,
				 "no Multiboot header in its first %u bytes",
				 MULTIBOOT_SEARCH);
	}
	memset(header, 0, sizeof(*header));
	memcpy(header, load->file.data + *offset, size);
	if (!(header->flags & HAS_ADDRESSES))
		return E_OK;
	size = sizeof(*header);
	if (size > MIN(load->file.size, MULTIBOOT_SEARCH) - *offset)
		return load_fail(load, E_FORMAT,
				 "the Multiboot header at offset 0x%lx has "
				 "addresses (flag 16), but they are cut off",
				 *offset);
	memcpy(header, load->file.data + *offset, size);
	return E_OK;
}

static err_t check_flags(struct load *load, u32 flags)
{
	u32 unknown = flags & WANT_MANDATORY &
		      ~(u32)(WANT_ALIGN | WANT_MEMORY | WANT_VIDEO);

	if (flags & WANT_VIDEO)
		return load_fail(load, E_UNSUPPORTED,
				 "the Multiboot header wants a video mode "
				 "(flag 2); this machine has no display");
	if (unknown)
		return load_fail(load, E_UNSUPPORTED,
				 "the Multiboot header has unknown flags 0x%x",
				 unknown);
	return E_OK;
}

/* --- the image by the header's own addresses (3.1.3) */

static err_t bad_address(struct load *load, const char *what, u32 value,
			 const char *rule, u32 bound)
{
	return load_fail(load, E_FORMAT,
			 "the Multiboot header's %s 0x%x is %s 0x%x", what,
			 value, rule, bound);
}

static err_t load_addresses(struct load *load, const struct multiboot_header *h,
			    u64 offset, u32 *entry)
{
	struct load_piece piece = {.name = "image", .address = h->load_addr};
	u64 before = (u64)h->header_addr - h->load_addr;

	if (h->load_addr > h->header_addr)
		return bad_address(load, "load_addr", h->load_addr,
				   "above header_addr", h->header_addr);
	if (before > offset)
		return bad_address(load, "load_addr", h->load_addr,
				   "further below header_addr than the header "
				   "is into the file:",
				   offset);
	piece.offset = offset - before;
	piece.file_size = load->file.size - piece.offset;
	if (h->load_end_addr) {
		if (h->load_end_addr < h->load_addr)
			return bad_address(load, "load_end_addr",
					   h->load_end_addr, "below load_addr",
					   h->load_addr);
		piece.file_size = h->load_end_addr - h->load_addr;
	}
	piece.memory_size = piece.file_size;
	if (h->bss_end_addr) {
		piece.memory_size = (u64)h->bss_end_addr - h->load_addr;
		if (h->bss_end_addr < h->load_addr + piece.file_size)
			return bad_address(load, "bss_end_addr",
					   h->bss_end_addr,
					   "below the image's end",
					   h->load_addr + piece.file_size);
	}
	if (h->entry_addr < h->load_addr ||
	    h->entry_addr - h->load_addr >= piece.memory_size)
		return bad_address(load, "entry_addr", h->entry_addr,
				   "not within the image, loaded at",
				   h->load_addr);
	*entry = h->entry_addr;
	return load_piece(load, &piece);
}

/* --- what the kernel is told (3.3) */

static void describe_memory(struct multiboot_block *b,
			    const struct guest_memory *memory)
{
	struct load_region region[LOAD_REGIONS];
	unsigned count = load_memory_map(memory, region);

	b->info.mem_lower = MIN(memory->low_size, LOW_RAM_END) >> 10;
	b->info.mem_upper =
		(MAX(memory->low_size, HIGH_RAM_START) - HIGH_RAM_START) >> 10;
	for (unsigned i = 0; i < count; i++)
		b->map[i] = (struct multiboot_map){
			.size = sizeof(*b->map) - sizeof(b->map->size),
			.base = region[i].start,
			.length = region[i].size,
			.type = region[i].usable ? MAP_AVAILABLE : MAP_RESERVED,
		};
	b->info.mmap_length = count * sizeof(*b->map);
}

static err_t place_modules(struct load *load, struct multiboot_block *b)
{
	struct load_module module[VM_MODULES];
	err_t err = load_modules(load, module, b->string);

	if (err)
		return err;
	b->info.mods_count = load->vm->config.modules;
	for (unsigned i = 0; i < b->info.mods_count; i++) {
		b->module[i].start = module[i].address;
		b->module[i].end = module[i].address + module[i].size;
	}
	return E_OK;
}

static void link_block(struct multiboot_block *b, u32 base)
{
	b->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP |
			INFO_LOADER;
	b->info.cmdline = AT(base, cmdline);
	b->info.mods_addr = AT(base, module);
	b->info.mmap_addr = AT(base, map);
	b->info.boot_loader_name = AT(base, loader_name);
	for (unsigned i = 0; i < b->info.mods_count; i++)
		b->module[i].string = AT(base, string[i]);
}

static err_t load_block(struct load *load, u64 *base)
{
	struct multiboot_block b = {
		.gdt[GDT_CODE] = 0x00cf9b000000ffff, /* flat, 32 bits */
		.gdt[GDT_DATA] = 0x00cf93000000ffff,
		.loader_name = LOADER_NAME,
	};
	err_t err = place_modules(load, &b);

	if (!err)
		err = load_place(load, "the Multiboot information", sizeof(b),
				 16, false, base);
	if (err)
		return err;
	copy_string(b.cmdline, sizeof(b.cmdline), load->vm->config.cmdline);
	describe_memory(&b, &load->vm->memory);
	link_block(&b, *base);
	return guest_write(&load->vm->memory, *base, &b, sizeof(b));
}

/* --- the machine at the kernel's first instruction (3.2) */

static void enter(struct vcpu_state *state, u32 entry, u32 base)
{
	load_enter_protected(state, entry, GDT_CODE << 3, GDT_DATA << 3);
	state->gdtr.base = AT(base, gdt);
	state->gdtr.limit = GDT_ENTRIES * 8 - 1;
	state->gpr[RAX] = ENTRY_MAGIC;
	state->gpr[RBX] = AT(base, info);
}

err_t load_multiboot(struct load *load)
{
	struct multiboot_header header = {0};
	u64 offset, base;
	u32 entry = 0;
	err_t err = read_header(load, &header, &offset);

	if (!err)
		err = check_flags(load, header.flags);
	if (err)
		return err;
	if (header.flags & HAS_ADDRESSES)
		err = load_addresses(load, &header, offset, &entry);
	else
		err = load_elf(load, &entry);
	if (!err)
		err = load_block(load, &base);
	if (err)
		return err;
	enter(&load->vm->vcpu[0]->state, entry, base);
	log_info("%s: %s: Multiboot, entry 0x%x, %u modules",
		 load->vm->config.name, load->file.name, entry,
		 load->vm->config.modules);
	return E_OK;
}
