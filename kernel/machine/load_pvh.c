/*
 * PVH: an ELF kernel whose note names a 32-bit entry, where it gets a start
 * information structure in EBX (Xen's docs/misc/pvh.pandoc and
 * public/arch-x86/hvm/start_info.h). Linux, the BSDs and unikernels have it.
 */
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "machine/acpi_tables.h"
#include "machine/load.h"
#include "vm/vm.h"

#define NOTE_OWNER	  "Xen"
#define NOTE_PHYS32_ENTRY 18
#define START_MAGIC	  0x336ec578
#define START_VERSION	  1 /* the first with a memory map */

#define GDT_CODE    1
#define GDT_DATA    2
#define GDT_ENTRIES 3

struct start_info {
	u32 magic, version, flags, modules;
	u64 module_list, cmdline, rsdp, map;
	u32 map_entries, reserved;
};
ASSERT_SIZE(struct start_info, 56);

struct start_module {
	u64 address, size, cmdline, reserved;
};

struct start_map {
	u64 base, size;
	u32 type, reserved;
};

/* All that the kernel is told, in one piece of guest memory. */
struct pvh_block {
	struct start_info info;
	struct start_module module[VM_MODULES];
	struct start_map map[LOAD_MAP_MAX];
	u64 gdt[GDT_ENTRIES];
	char cmdline[VM_TEXT_MAX];
	char words[VM_MODULES][VM_TEXT_MAX];
};

#define AT(base, member) ((base) + offsetof(struct pvh_block, member))

bool load_is_pvh(const struct file *file)
{
	u64 entry;

	return !load_elf_note(file, NOTE_OWNER, NOTE_PHYS32_ENTRY, &entry);
}

static err_t load_kernel(struct load *load, u64 *entry)
{
	u32 elf_entry;
	err_t err = load_elf(load, &elf_entry);

	if (err)
		return err;
	if (load_elf_note(&load->file, NOTE_OWNER, NOTE_PHYS32_ENTRY, entry))
		return load_fail(load, E_FORMAT,
				 "no PVH entry: no note 18 of Xen's");
	if (!load_is_taken(load, *entry))
		return load_fail(load, E_FORMAT,
				 "the PVH entry 0x%lx is in no segment",
				 *entry);
	return E_OK;
}

static err_t load_modules(struct load *load, struct pvh_block *b)
{
	const struct vm_config *config = &load->vm->config;

	for (unsigned i = 0; i < config->modules; i++) {
		struct load_module module;
		err_t err = load_module(load, config->module[i], &module);

		if (err)
			return err;
		b->module[i].address = module.address;
		b->module[i].size = module.size;
		copy_string(b->words[i], VM_TEXT_MAX, module.words);
	}
	return E_OK;
}

static void describe_memory(struct pvh_block *b,
			    const struct guest_memory *memory)
{
	struct load_map map[LOAD_MAP_MAX];

	b->info.map_entries = load_memory_map(memory, map);
	for (unsigned i = 0; i < b->info.map_entries; i++)
		b->map[i] = (struct start_map){map[i].base, map[i].size,
					       map[i].type, 0};
}

static void link_block(struct pvh_block *b, u64 base, unsigned modules)
{
	b->info.magic = START_MAGIC;
	b->info.version = START_VERSION;
	b->info.modules = modules;
	b->info.module_list = modules ? AT(base, module) : 0;
	b->info.cmdline = AT(base, cmdline);
	b->info.map = AT(base, map);
	for (unsigned i = 0; i < modules; i++)
		b->module[i].cmdline = AT(base, words[i]);
}

static err_t load_block(struct load *load, u64 *base)
{
	struct pvh_block b = {
		.gdt[GDT_CODE] = 0x00cf9b000000ffff, /* flat, 32 bits */
		.gdt[GDT_DATA] = 0x00cf93000000ffff,
	};
	err_t err = load_modules(load, &b);

	if (!err)
		err = load_place(load, "the start information", sizeof(b), 16,
				 false, base);
	if (err)
		return err;
	err = acpi_tables(load->vm, &b.info.rsdp);
	if (err)
		return load_fail(load, err, "no room for the ACPI tables");
	copy_string(b.cmdline, sizeof(b.cmdline), load->vm->config.cmdline);
	describe_memory(&b, &load->vm->memory);
	link_block(&b, *base, load->vm->config.modules);
	return guest_write(&load->vm->memory, *base, &b, sizeof(b));
}

/* CR0, CR4, segments and TR as pvh.pandoc has them; TR is so from reset. */
static void enter_protected_mode(struct vcpu_state *state, u64 entry, u64 base)
{
	const struct segment data = {GDT_DATA << 3,
				     SEG_G | SEG_DB | SEG_P | SEG_S | 3,
				     0xffffffff, 0};

	state->cr0 = CR0_PE | CR0_ET;
	for (unsigned i = ES; i <= GS; i++)
		state->seg[i] = data;
	state->seg[CS].selector = GDT_CODE << 3;
	state->seg[CS].attr |= 8; /* code */
	state->seg[TR].limit = 0x67;
	state->gdtr.base = AT(base, gdt);
	state->gdtr.limit = GDT_ENTRIES * 8 - 1;
	state->idtr.limit = 0; /* an early exception ends the VM at once */
	state->rip = entry;
	state->gpr[RBX] = AT(base, info);
}

err_t load_pvh(struct load *load)
{
	u64 entry, base;
	err_t err = load_kernel(load, &entry);

	if (!err)
		err = load_block(load, &base);
	if (err)
		return err;
	enter_protected_mode(&load->vm->vcpu[0]->state, entry, base);
	log_info("%s: %s: PVH, entry 0x%lx, %u modules", load->vm->config.name,
		 load->file.name, entry, load->vm->config.modules);
	return E_OK;
}
