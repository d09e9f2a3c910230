#include "cpu/regs.h"
#include "lib/string.h"
#include "machine/layout.h"
#include "machine/load.h"
#include "vm/vm.h"

/* --- memory */

static unsigned add(struct load_region *region, unsigned count, u64 start,
		    u64 end, bool usable)
{
	if (start >= end)
		return count;
	region[count] = (struct load_region){start, end - start, usable};
	return count + 1;
}

unsigned load_memory_map(const struct guest_memory *memory,
			 struct load_region region[LOAD_REGIONS])
{
	u64 low = memory->low_size, high = memory->size - low;
	unsigned n = add(region, 0, 0, MIN(low, LOW_RAM_END), true);

	n = add(region, n, LOW_RAM_END, HIGH_RAM_START, false);
	n = add(region, n, HIGH_RAM_START, low, true);
	/* The hole below is PCI's, and for the guest to use. */
	n = add(region, n, IOAPIC_ADDRESS, RAM_HOLE_END, false);
	return add(region, n, RAM_HOLE_END, RAM_HOLE_END + high, true);
}

/* --- modules */

/* The file's name is cut off, the words remain. */
static const char *split(const char *text, char name[VM_TEXT_MAX])
{
	size_t n = 0;

	while (text[n] && text[n] != ' ' && text[n] != '\t') {
		name[n] = text[n];
		n++;
	}
	name[n] = '\0';
	while (text[n] == ' ' || text[n] == '\t')
		n++;
	return text + n;
}

err_t load_module(struct load *load, const char *text,
		  struct load_module *module)
{
	char name[VM_TEXT_MAX];
	struct file file;
	err_t err;

	module->words = split(text, name);
	if (!file_find(name, &file))
		return load_fail(load, E_NOTFOUND, "module %s: no such file",
				 name);
	/* High: they may be large. */
	err = load_place(load, name, file.size, PAGE_SIZE, true,
			 &module->address);
	if (err)
		return err;
	module->size = file.size;
	return guest_write(&load->vm->memory, module->address, file.data,
			   file.size);
}

err_t load_modules(struct load *load, struct load_module module[VM_MODULES],
		   char words[VM_MODULES][VM_TEXT_MAX])
{
	const struct vm_config *config = &load->vm->config;
	err_t err = E_OK;

	for (unsigned i = 0; i < config->modules && !err; i++) {
		err = load_module(load, config->module[i], &module[i]);
		if (!err)
			copy_string(words[i], VM_TEXT_MAX, module[i].words);
	}
	return err;
}

/* --- the machine at the kernel's first instruction */

void load_enter_protected(struct vcpu_state *state, u32 entry, u16 code,
			  u16 data)
{
	const struct segment flat = {data, SEG_G | SEG_DB | SEG_P | SEG_S | 3,
				     0xffffffff, 0};

	state->cr0 = CR0_PE | CR0_ET;
	for (unsigned i = ES; i <= GS; i++)
		state->seg[i] = flat;
	state->seg[CS].selector = code;
	state->seg[CS].attr |= 8; /* code */
	state->idtr.limit = 0;	  /* an early exception ends the VM at once */
	state->rip = entry;
}
