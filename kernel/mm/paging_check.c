/*
 * What mm/paging.h promises, checked on the live tables and registers rather
 * than on what the code that made them believes.
 */
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "mm/pages.h"
#include "mm/paging.h"

#define ENTRIES	   512
#define UPPER_HALF 0xffff800000000000ULL

extern u8 text_start[], text_end[], boot_stack_guard[];

struct walk {
	u64 image_phys, image_size;
	u64 executable; /* bytes seen */
	bool guard_mapped;
	err_t err;
};

static void complain(struct walk *w, u64 virt, u64 entry, const char *what)
{
	log_error("paging: 0x%lx -> 0x%lx: %s", virt, entry, what);
	w->err = E_STATE;
}

static void check_leaf(struct walk *w, u64 virt, u64 entry, u64 size)
{
	u64 phys = entry & PTE_ADDRESS & ~(size - 1);
	bool executable = !(entry & PTE_NX);

	if (entry & PTE_USER)
		complain(w, virt, entry, "user page");
	if (executable && (entry & PTE_WRITE))
		complain(w, virt, entry, "writable and executable");
	if (executable && (virt < (u64)text_start || virt >= (u64)text_end))
		complain(w, virt, entry, "executable, but not code");
	if (phys < w->image_phys + w->image_size &&
	    w->image_phys < phys + size &&
	    virt != KERNEL_BASE + (phys - w->image_phys))
		complain(w, virt, entry, "alias of the kernel's image");
	if (executable)
		w->executable += size;
	if (virt <= (u64)boot_stack_guard &&
	    (u64)boot_stack_guard < virt + size)
		w->guard_mapped = true;
}

static void check_table(struct walk *w, u64 table, u64 virt, unsigned shift)
{
	const u64 *entries = phys_to_virt(table & PTE_ADDRESS);

	for (unsigned i = 0; i < ENTRIES; i++) {
		u64 at = virt + ((u64)i << shift);

		if (!(entries[i] & PTE_PRESENT))
			continue;
		if (shift == PAGE_SHIFT || (entries[i] & PTE_LARGE))
			check_leaf(w, at, entries[i], (u64)1 << shift);
		else
			check_table(w, entries[i], at, shift - 9);
	}
}

static void check_registers(struct walk *w)
{
	u64 cr4 = read_cr4();

	if (!(read_cr0() & CR0_WP) || !(rdmsr(MSR_EFER) & EFER_NXE) ||
	    (features.smep && !(cr4 & CR4_SMEP)) ||
	    (features.smap && !(cr4 & CR4_SMAP)))
		complain(w, read_cr0(), cr4, "WP, NXE, SMEP or SMAP is off");
}

err_t paging_selftest(const struct boot_info *info)
{
	const u64 *top = phys_to_virt(read_cr3() & PTE_ADDRESS);
	struct walk w = {.image_phys = info->kernel_phys,
			 .image_size = info->kernel_size};

	for (unsigned i = 0; i < ENTRIES; i++) {
		u64 virt = (u64)i << 39;

		if (!(top[i] & PTE_PRESENT))
			continue;
		if (i < ENTRIES / 2)
			complain(&w, virt, top[i], "in the lower half");
		else
			check_table(&w, top[i], UPPER_HALF | virt, 30);
	}
	if (w.executable != (u64)(text_end - text_start))
		complain(&w, (u64)text_start, w.executable, "code bytes");
	if (w.guard_mapped)
		complain(&w, (u64)boot_stack_guard, 0, "no guard page");
	check_registers(&w);
	return w.err;
}
