/*
 * PVH: an ELF kernel that names, in a note of Xen's (XEN_ELFNOTE_PHYS32_ENTRY),
 * where it is entered in 32-bit protected mode, with EBX at a description of
 * the machine (xen/include/public/arch-x86/hvm/start_info.h).
 */
#include "lib/log.h"
#include "lib/string.h"
#include "machine/load.h"
#include "vm/vm.h"

struct start_info {
	u32 magic, version, flags, modules;
	u64 module_list, cmdline, rsdp, memory_map;
	u32 regions, reserved;
};
ASSERT_SIZE(struct start_info, 56);
#define START_MAGIC 0x336ec578

struct start_module {
	u64 address, size, cmdline, reserved;
};

struct start_region {
	u64 start, size;
	u32 type, reserved;
};
#define REGION_RAM	1 /* as in an E820 map */
#define REGION_RESERVED 2

/* Flat segments by any selectors: a kernel loads its own table first. */
#define CODE 0x08
#define DATA 0x10

struct pvh_block {
	struct start_info info;
	struct start_module module[VM_MODULES];
	struct start_region region[LOAD_REGIONS];
	char cmdline[VM_TEXT_MAX];
	char words[VM_MODULES][VM_TEXT_MAX];
};
#define AT(base, member) ((base) + offsetof(struct pvh_block, member))

static err_t place_modules(struct load *load, struct pvh_block *b)
{
	struct load_module module[VM_MODULES];
	err_t err = load_modules(load, module, b->words);

	if (err)
		return err;
	b->info.modules = load->vm->config.modules;
	for (unsigned i = 0; i < b->info.modules; i++) {
		b->module[i].address = module[i].address;
		b->module[i].size = module[i].size;
	}
	return E_OK;
}

static void describe_memory(struct pvh_block *b,
			    const struct guest_memory *memory)
{
	struct load_region region[LOAD_REGIONS];

	b->info.regions = load_memory_map(memory, region);
	for (unsigned i = 0; i < b->info.regions; i++)
		b->region[i] = (struct start_region){
			.start = region[i].start,
			.size = region[i].size,
			.type = region[i].usable ? REGION_RAM : REGION_RESERVED,
		};
}

static void link_block(struct pvh_block *b, u64 base)
{
	b->info.module_list = AT(base, module);
	b->info.cmdline = AT(base, cmdline);
	b->info.memory_map = AT(base, region);
	for (unsigned i = 0; i < b->info.modules; i++)
		b->module[i].cmdline = AT(base, words[i]);
}

static err_t place_block(struct load *load, u64 *base)
{
	struct pvh_block b = {
		.info = {.magic = START_MAGIC,
			 .version = 1,
			 .rsdp = load->rsdp},
	};
	err_t err = place_modules(load, &b);

	if (!err)
		err = load_place(load, "PVH's start information", sizeof(b), 16,
				 false, base);
	if (err)
		return err;
	copy_string(b.cmdline, sizeof(b.cmdline), load->vm->config.cmdline);
	describe_memory(&b, &load->vm->memory);
	link_block(&b, *base);
	return guest_write(&load->vm->memory, *base, &b, sizeof(b));
}

err_t load_pvh(struct load *load)
{
	struct vcpu_state *state = &load->vm->vcpu[0]->state;
	u32 entry, unused = 0;
	u64 base;
	err_t err;

	if (!load_find_pvh(&load->file, &entry))
		return load_fail(load, E_FORMAT,
				 "no ELF file with a note of PVH's entry");
	err = load_elf(load, &unused);
	if (!err)
		err = place_block(load, &base);
	if (err)
		return err;
	if (!load_is_used(load, entry))
		return load_fail(load, E_FORMAT,
				 "PVH's entry 0x%x is in no segment", entry);
	load_enter_protected(state, entry, CODE, DATA);
	state->gpr[RBX] = AT(base, info);
	log_info("%s: %s: PVH, entry 0x%x", load->vm->config.name,
		 load->file.name, entry);
	return E_OK;
}
