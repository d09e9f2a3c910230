/*
 * Linux, as a bzImage (Documentation/arch/x86/boot.rst of its source; sections
 * and fields by that): entered in 64-bit mode, so from protocol 2.12 on.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "machine/load.h"
#include "mm/heap.h"
#include "vm/vm.h"

/* The setup header, in the file and in the zero page alike. */
#define HEADER 0x1f1
#define HEADER_END                                                \
	0x202 /* its jump's offset, which is its length past here \
	       */
#define HEADER_MAX   0x290
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define VERSION_MIN  0x20c

struct PACKED setup_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize;
	u16 ram_size, vid_mode, root_dev, boot_flag;
	u16 jump; /* its second byte is the header's length past 0x202 */
	u32 magic;
	u16 version;
	u32 realmode_switch;
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
	u32 init_size, handover_offset;
};
ASSERT_OFFSET(struct setup_header, magic, 0x202 - HEADER);
ASSERT_OFFSET(struct setup_header, ramdisk_image, 0x218 - HEADER);
ASSERT_OFFSET(struct setup_header, xloadflags, 0x236 - HEADER);
ASSERT_OFFSET(struct setup_header, pref_address, 0x258 - HEADER);
ASSERT_SIZE(struct setup_header, 0x268 - HEADER);

#define LOADED_HIGH	 BIT(0) /* loadflags */
#define XLF_KERNEL_64	 BIT(0) /* xloadflags: entered at 0x200 in 64-bit mode */
#define LOADER_UNDEFINED 0xff

/* The zero page (zero-page.rst). */
#define ZERO_RSDP	  0x070
#define ZERO_E820_ENTRIES 0x1e8
#define ZERO_E820	  0x2d0
struct PACKED e820_entry {
	u64 start, size;
	u32 type;
};
#define E820_RAM      1
#define E820_RESERVED 2

#define ENTRY_64 0x200 /* from the start of the protected-mode part */

/* The selectors that the protocol asks for, and tables for the first 4 GiB. */
#define BOOT_CS	   0x10
#define BOOT_DS	   0x18
#define MAPPED_GIB 4

struct linux_block {
	u8 zero_page[PAGE_SIZE];
	u64 pml4[512], pdpt[512], pd[MAPPED_GIB][512];
	u64 gdt[4];
	char cmdline[VM_TEXT_MAX];
};
#define AT(base, member) ((base) + offsetof(struct linux_block, member))

bool load_is_linux(const struct file *file)
{
	u32 magic;

	if (file->size < HEADER + sizeof(struct setup_header))
		return false;
	memcpy(&magic, file->data + 0x202, sizeof(magic));
	return magic == HEADER_MAGIC;
}

/* --- the header */

static err_t check_header(struct load *load, const struct setup_header *h)
{
	if (h->version < VERSION_MIN)
		return load_fail(load, E_UNSUPPORTED,
				 "a Linux kernel of boot protocol %u.%02u "
				 "(expected 2.%02u at least)",
				 h->version >> 8, h->version & 0xff,
				 VERSION_MIN & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return load_fail(load, E_UNSUPPORTED,
				 "a Linux kernel without a 64-bit entry "
				 "(xloadflags 0x%x)",
				 h->xloadflags);
	if (!(h->loadflags & LOADED_HIGH))
		return load_fail(load, E_UNSUPPORTED,
				 "a zImage: it wants to be below 1 MiB");
	if (!h->relocatable_kernel && h->pref_address < HIGH_RAM_START)
		return load_fail(load, E_FORMAT,
				 "its address 0x%lx is below 1 MiB",
				 h->pref_address);
	if (strlen(load->vm->config.cmdline) > h->cmdline_size)
		return load_fail(load, E_RANGE,
				 "the command line is too long for it (at most "
				 "%u characters)",
				 h->cmdline_size);
	return E_OK;
}

static err_t read_header(struct load *load, struct setup_header *h)
{
	if (!load_is_linux(&load->file))
		return load_fail(load, E_FORMAT,
				 "no Linux kernel: no \"HdrS\" at 0x202");
	memcpy(h, load->file.data + HEADER, sizeof(*h));
	return check_header(load, h);
}

/* --- the kernel: where it wants to be, else wherever its alignment allows */

static err_t place_kernel(struct load *load, const struct setup_header *h,
			  u64 *address)
{
	u64 size = h->init_size, align = h->kernel_alignment;

	*address = h->pref_address;
	if (!h->relocatable_kernel || load_is_free(load, h->pref_address, size))
		return load_reserve(load, "the kernel", h->pref_address, size);
	if (!align || (align & (align - 1)))
		return load_fail(load, E_FORMAT,
				 "its alignment 0x%lx is no power of two",
				 align);
	return load_place(load, "the kernel", size, MAX(align, PAGE_SIZE), true,
			  address);
}

static err_t load_kernel(struct load *load, const struct setup_header *h,
			 u64 *address)
{
	/* No number of sectors means four, for old reasons. */
	u64 offset = ((h->setup_sects ? h->setup_sects : 4) + 1) * 512;
	u64 size = load->file.size - offset;
	err_t err;

	if (offset >= load->file.size)
		return load_fail(
			load, E_FORMAT,
			"cut off: its 64-bit part begins at 0x%lx, but "
			"the file has 0x%lx bytes",
			offset, load->file.size);
	if (size > h->init_size)
		return load_fail(load, E_FORMAT,
				 "0x%lx bytes, but it asks for 0x%x of memory "
				 "only",
				 size, h->init_size);
	err = place_kernel(load, h, address);
	return err ? err
		   : guest_write(&load->vm->memory, *address,
				 load->file.data + offset, size);
}

static err_t load_initrd(struct load *load, struct setup_header *h)
{
	const struct vm_config *config = &load->vm->config;
	struct load_module module;
	err_t err;

	if (!config->modules)
		return E_OK;
	if (config->modules > 1)
		return load_fail(load, E_UNSUPPORTED,
				 "%u modules: Linux takes one, its initrd",
				 config->modules);
	err = load_module(load, config->module[0], &module);
	if (err)
		return err;
	if (module.address + module.size - 1 > h->initrd_addr_max)
		return load_fail(load, E_RANGE,
				 "the initrd ends at 0x%lx; this kernel finds "
				 "it up to 0x%x",
				 module.address + module.size,
				 h->initrd_addr_max);
	h->ramdisk_image = module.address;
	h->ramdisk_size = module.size;
	return E_OK;
}

/* --- what it is told */

static void fill_zero_page(u8 *page, const struct load *load,
			   const struct setup_header *h)
{
	struct load_region region[LOAD_REGIONS];
	unsigned count = load_memory_map(&load->vm->memory, region);
	/* What is beyond the fields named here is the kernel's own. */
	u64 end = MIN((u64)HEADER_END + (h->jump >> 8), (u64)HEADER_MAX);

	memcpy(page + HEADER, load->file.data + HEADER, end - HEADER);
	memcpy(page + HEADER, h, sizeof(*h));
	memcpy(page + ZERO_RSDP, &load->rsdp, sizeof(load->rsdp));
	page[ZERO_E820_ENTRIES] = count;
	for (unsigned i = 0; i < count; i++) {
		const struct e820_entry entry = {
			.start = region[i].start,
			.size = region[i].size,
			.type = region[i].usable ? E820_RAM : E820_RESERVED,
		};

		memcpy(page + ZERO_E820 + i * sizeof(entry), &entry,
		       sizeof(entry));
	}
}

/* The first 4 GiB as they are, in pages of 2 MiB. */
static void fill_tables(struct linux_block *b, u64 base)
{
	const u64 table = BIT(0) | BIT(1),
		  large = BIT(7); /* present, writable */

	b->pml4[0] = AT(base, pdpt) | table;
	for (u64 i = 0; i < MAPPED_GIB; i++) {
		b->pdpt[i] = AT(base, pd[i]) | table;
		for (u64 n = 0; n < 512; n++)
			b->pd[i][n] = GIB(i) + MIB(2) * n + (table | large);
	}
}

static err_t place_block(struct load *load, struct setup_header *h, u64 *base)
{
	struct linux_block *b = kzalloc(sizeof(*b));
	err_t err = b ? load_place(load, "what Linux is told", sizeof(*b),
				   PAGE_SIZE, false, base)
		      : E_NOMEM;

	if (!err) {
		h->type_of_loader = LOADER_UNDEFINED;
		h->cmd_line_ptr = AT(*base, cmdline);
		fill_zero_page(b->zero_page, load, h);
		fill_tables(b, *base);
		b->gdt[BOOT_CS / 8] = 0x00af9b000000ffff; /* 64 bits */
		b->gdt[BOOT_DS / 8] = 0x00cf93000000ffff;
		copy_string(b->cmdline, sizeof(b->cmdline),
			    load->vm->config.cmdline);
		err = guest_write(&load->vm->memory, *base, b, sizeof(*b));
	}
	kfree(b);
	return err;
}

/* --- the machine at its first instruction */

static void enter_long_mode(struct vcpu_state *s, u64 entry, u64 base)
{
	load_enter_protected(s, 0, BOOT_CS, BOOT_DS);
	s->seg[CS].attr = (s->seg[CS].attr & ~SEG_DB) | SEG_L;
	s->cr0 |= CR0_PG | CR0_NE;
	s->cr3 = AT(base, pml4);
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
	s->gdtr.base = AT(base, gdt);
	s->gdtr.limit = sizeof(((struct linux_block *)0)->gdt) - 1;
	s->gpr[RSI] = AT(base, zero_page);
	s->rip = entry;
}

err_t load_linux(struct load *load)
{
	struct setup_header header = {0};
	u64 kernel = 0, base = 0;
	err_t err = read_header(load, &header);

	if (!err)
		err = load_kernel(load, &header, &kernel);
	if (!err)
		err = load_initrd(load, &header);
	if (!err)
		err = place_block(load, &header, &base);
	if (err)
		return err;
	enter_long_mode(&load->vm->vcpu[0]->state, kernel + ENTRY_64, base);
	log_info("%s: %s: Linux, boot protocol %u.%02u, at 0x%lx",
		 load->vm->config.name, load->file.name, header.version >> 8,
		 header.version & 0xff, kernel);
	return E_OK;
}
