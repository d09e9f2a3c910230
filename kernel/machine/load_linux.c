/*
 * Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst): a
 * bzImage is a boot sector, real-mode code that is left out here, and the
 * kernel proper, entered in long mode with RSI at the "zero page", which holds
 * the image's own setup header and what the loader has to say.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "machine/acpi_tables.h"
#include "machine/load.h"
#include "mm/heap.h"
#include "vm/vm.h"

#define SECTOR		512u
#define BOOT_MAGIC	0xaa55
#define HEADER_MAGIC	0x53726448u /* "HdrS" */
#define SETUP_SECTORS	4u	    /* what 0 means */
#define ENTRY_64	0x200	    /* of the kernel proper */
#define UNKNOWN_LOADER	0xff

/* The first with xloadflags, without which there is no 64-bit entry. */
#define PROTOCOL_MIN	   0x20c /* Linux 3.8 */
#define LOADED_HIGH	   BIT(0) /* loadflags */
#define XLF_KERNEL_64	   BIT(0)
#define E820_MAX	   128
#define GDT_CODE	   2 /* __BOOT_CS */
#define GDT_DATA	   3
#define GDT_ENTRIES	   4
#define IDENTITY_GIB	   4u
#define PAGE_PRESENT_WRITE 3u
#define PAGE_LARGE	   BIT(7)

/* In the file and in the zero page. */
#define HEADER_AT 0x1f1
struct setup_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize; /* of the kernel proper, in 16 bytes */
	u16 ram_size, vid_mode, root_dev, boot_flag;
	u8 jump, length; /* a short jump over the header: length tells its end
			  */
	u32 magic;
	u16 version;
	u32 realmode_swtch;
	u16 start_sys_seg, kernel_version;
	u8 type_of_loader, loadflags;
	u16 setup_move_size;
	u32 code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	u16 heap_end_ptr;
	u8 ext_loader_ver, ext_loader_type;
	u32 cmd_line_ptr, initrd_addr_max, kernel_alignment;
	u8 relocatable_kernel, min_alignment;
	u16 xloadflags;
	u32 cmdline_size, hardware_subarch;
	u64 hardware_subarch_data;
	u32 payload_offset, payload_length;
	u64 setup_data, pref_address;
	u32 init_size, handover_offset, kernel_info_offset;
} PACKED;
ASSERT_OFFSET(struct setup_header, magic, 0x202 - HEADER_AT);
ASSERT_OFFSET(struct setup_header, xloadflags, 0x236 - HEADER_AT);
ASSERT_OFFSET(struct setup_header, init_size, 0x260 - HEADER_AT);

struct e820_entry {
	u64 base, size;
	u32 type;
} PACKED;

struct zero_page {
	u8 screen_info[0x70];
	u64 acpi_rsdp_addr; /* from protocol 2.14 on; Linux before that looks
			       for itself */
	u8 reserved1[0x1e8 - 0x78];
	u8 e820_entries;
	u8 reserved2[HEADER_AT - 0x1e9];
	struct setup_header header;
	u8 reserved3[0x2d0 - HEADER_AT - sizeof(struct setup_header)];
	struct e820_entry e820[E820_MAX];
	u8 reserved4[0x1000 - 0x2d0 - E820_MAX * sizeof(struct e820_entry)];
} PACKED;
ASSERT_OFFSET(struct zero_page, header, HEADER_AT);
ASSERT_OFFSET(struct zero_page, e820, 0x2d0);
ASSERT_SIZE(struct zero_page, 0x1000);

/* What the kernel is handed, in one piece of guest memory. */
struct linux_block {
	struct zero_page zero;
	u64 pml4[512], pdpt[512], pd[IDENTITY_GIB][512];
	u64 gdt[GDT_ENTRIES];
	char cmdline[VM_TEXT_MAX];
};

#define AT(base, member) ((base) + offsetof(struct linux_block, member))

/* --- the image */

/* Where the file's part of the kernel proper begins. */
static u64 kernel_offset(const struct setup_header *h)
{
	return SECTOR *
	       (1u + (h->setup_sects ? h->setup_sects : SETUP_SECTORS));
}

/* What an older kernel's header does not have yet is zero. */
static bool read_header(const struct file *file, struct setup_header *h)
{
	u64 size;

	memset(h, 0, sizeof(*h));
	if (file->size < HEADER_AT + sizeof(*h))
		return false;
	memcpy(h, file->data + HEADER_AT, sizeof(*h));
	size = offsetof(struct setup_header, magic) + h->length;
	if (size < sizeof(*h))
		memset((u8 *)h + size, 0, sizeof(*h) - size);
	return h->boot_flag == BOOT_MAGIC && h->magic == HEADER_MAGIC;
}

bool load_is_linux(const struct file *file)
{
	struct setup_header h;

	return read_header(file, &h);
}

static err_t check_header(struct load *load, const struct setup_header *h)
{
	u64 offset = kernel_offset(h), size = (u64)h->syssize * 16;

	if (h->version < PROTOCOL_MIN)
		return load_fail(load, E_UNSUPPORTED,
				 "this Linux is too old: boot protocol %u.%02u, "
				 "expected at least 2.12 (Linux 3.8)",
				 h->version >> 8, h->version & 0xff);
	if (!(h->loadflags & LOADED_HIGH))
		return load_fail(load, E_UNSUPPORTED,
				 "a zImage, to be loaded below 1 MiB (expected "
				 "a bzImage)");
	if (!(h->xloadflags & XLF_KERNEL_64))
		return load_fail(load, E_UNSUPPORTED,
				 "a 32-bit Linux: it has no 64-bit entry "
				 "(expected one for x86-64)");
	if (offset >= load->file.size || size > load->file.size - offset ||
	    size <= ENTRY_64)
		return load_fail(load, E_FORMAT,
				 "the kernel has 0x%lx bytes at offset 0x%lx, "
				 "but the file has 0x%lx",
				 size, offset, load->file.size);
	if (h->init_size < size)
		return load_fail(load, E_FORMAT,
				 "the kernel of 0x%lx bytes says that it needs "
				 "0x%x of memory",
				 size, h->init_size);
	if (h->relocatable_kernel &&
	    (h->kernel_alignment < PAGE_SIZE ||
	     (h->kernel_alignment & (h->kernel_alignment - 1))))
		return load_fail(load, E_FORMAT,
				 "kernel_alignment 0x%x is no power of two "
				 "from 0x1000 on",
				 h->kernel_alignment);
	return E_OK;
}

/* Where it prefers to be, else anywhere below 4 GiB. */
static err_t place_kernel(struct load *load, const struct setup_header *h,
			  u64 *address)
{
	*address = h->pref_address;
	if (load_take(load, *address, h->init_size))
		return E_OK;
	if (!h->relocatable_kernel)
		return load_fail(load, E_RANGE,
				 "not relocatable, and its place 0x%lx-0x%lx "
				 "is not within usable memory",
				 h->pref_address,
				 h->pref_address + h->init_size);
	return load_place(load, "the kernel", h->init_size,
			  h->kernel_alignment, true, address);
}

static err_t load_kernel(struct load *load, struct setup_header *h,
			 u64 *address)
{
	err_t err;

	if (!read_header(&load->file, h))
		return load_fail(load, E_FORMAT,
				 "no Linux boot header (expected 0xaa55 at "
				 "0x1fe and \"HdrS\" at 0x202)");
	err = check_header(load, h);
	if (!err)
		err = place_kernel(load, h, address);
	if (err)
		return err;
	return guest_write(&load->vm->memory, *address,
			   load->file.data + kernel_offset(h),
			   (u64)h->syssize * 16);
}

/* --- what it is handed */

static err_t load_initrd(struct load *load, struct setup_header *h)
{
	const struct vm_config *config = &load->vm->config;
	struct load_module initrd;
	err_t err;

	h->ramdisk_image = h->ramdisk_size = 0;
	if (!config->modules)
		return E_OK;
	if (config->modules > 1)
		return load_fail(load, E_UNSUPPORTED,
				 "%u modules, but Linux takes one, its initrd",
				 config->modules);
	err = load_module(load, config->module[0], &initrd);
	if (err)
		return err;
	if (initrd.words[0])
		return load_fail(load, E_UNSUPPORTED,
				 "an initrd takes no words (\"%s\"); the "
				 "kernel's are `cmdline`",
				 initrd.words);
	if (initrd.address + initrd.size - 1 > h->initrd_addr_max)
		return load_fail(load, E_RANGE,
				 "the initrd ends at 0x%lx, the kernel takes "
				 "none above 0x%x",
				 initrd.address + initrd.size,
				 h->initrd_addr_max);
	h->ramdisk_image = initrd.address;
	h->ramdisk_size = initrd.size;
	return E_OK;
}

static void describe_memory(struct zero_page *zero,
			    const struct guest_memory *memory)
{
	struct load_map map[LOAD_MAP_MAX];

	zero->e820_entries = load_memory_map(memory, map);
	for (unsigned i = 0; i < zero->e820_entries; i++)
		zero->e820[i] = (struct e820_entry){map[i].base, map[i].size,
						    map[i].type};
}

static void map_identity(struct linux_block *b, u64 base)
{
	b->pml4[0] = AT(base, pdpt) | PAGE_PRESENT_WRITE;
	for (u64 i = 0; i < IDENTITY_GIB; i++)
		b->pdpt[i] = AT(base, pd[i]) | PAGE_PRESENT_WRITE;
	for (u64 i = 0; i < IDENTITY_GIB * 512; i++)
		b->pd[i / 512][i % 512] =
			i * MIB(2) | PAGE_LARGE | PAGE_PRESENT_WRITE;
}

static void fill_header(struct setup_header *h, u64 base)
{
	h->type_of_loader = UNKNOWN_LOADER;
	h->loadflags &= LOADED_HIGH; /* the heap flag is the real-mode code's */
	h->cmd_line_ptr = AT(base, cmdline);
	h->setup_data = 0;
}

static err_t fill_block(struct load *load, struct linux_block *b, u64 base)
{
	const char *cmdline = load->vm->config.cmdline;
	u32 longest = b->zero.header.cmdline_size;
	u64 rsdp;
	err_t err;

	if (strlen(cmdline) > longest)
		return load_fail(load, E_RANGE,
				 "cmdline has %lu characters, the kernel takes "
				 "%u",
				 strlen(cmdline), longest);
	copy_string(b->cmdline, sizeof(b->cmdline), cmdline);
	b->gdt[GDT_CODE] = 0x00af9b000000ffff; /* 64 bits */
	b->gdt[GDT_DATA] = 0x00cf93000000ffff;
	err = acpi_tables(load->vm, &rsdp);
	if (err)
		return load_fail(load, err, "no room for the ACPI tables");
	b->zero.acpi_rsdp_addr = rsdp;
	describe_memory(&b->zero, &load->vm->memory);
	fill_header(&b->zero.header, base);
	map_identity(b, base);
	return guest_write(&load->vm->memory, base, b, sizeof(*b));
}

/* --- the machine at the kernel's first instruction */

static void enter_long_mode(struct vcpu_state *state, u64 entry, u64 base)
{
	const struct segment data = {GDT_DATA << 3,
				     SEG_G | SEG_DB | SEG_P | SEG_S | 3,
				     0xffffffff, 0};

	state->cr0 = CR0_PE | CR0_ET | CR0_PG;
	state->cr3 = AT(base, pml4);
	state->cr4 = CR4_PAE;
	state->efer = EFER_LME | EFER_LMA;
	for (unsigned i = ES; i <= GS; i++)
		state->seg[i] = data;
	state->seg[CS].selector = GDT_CODE << 3;
	state->seg[CS].attr = SEG_G | SEG_L | SEG_P | SEG_S | 11;
	state->gdtr.base = AT(base, gdt);
	state->gdtr.limit = GDT_ENTRIES * 8 - 1;
	state->idtr.limit = 0; /* an early exception ends the VM at once */
	state->rip = entry;
	state->gpr[RSI] = AT(base, zero);
}

err_t load_linux(struct load *load)
{
	struct linux_block *b = kzalloc(sizeof(*b));
	u64 address, base;
	err_t err;

	if (!b)
		return load_fail(load, E_NOMEM, "no memory for the zero page");
	err = load_kernel(load, &b->zero.header, &address);
	if (!err)
		err = load_initrd(load, &b->zero.header);
	if (!err)
		err = load_place(load, "the zero page", sizeof(*b), PAGE_SIZE,
				 false, &base);
	if (!err)
		err = fill_block(load, b, base);
	if (!err) {
		enter_long_mode(&load->vm->vcpu[0]->state, address + ENTRY_64,
				base);
		log_info("%s: %s: Linux, boot protocol %u.%02u, at 0x%lx",
			 load->vm->config.name, load->file.name,
			 b->zero.header.version >> 8,
			 b->zero.header.version & 0xff, address);
	}
	kfree(b);
	return err;
}
