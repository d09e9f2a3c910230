/* Intel SDM volume 3, 4.5 "4-level paging"; AMD APM volume 2, 5.3. */
#include "boot/boot_info.h"
#include "boot/paging.h"

#define PTE_P  BIT(0)
#define PTE_W  BIT(1)
#define PTE_PS BIT(7)

#define TABLE_ENTRIES 512
#define PML4_SHIFT    39
#define PDPT_SHIFT    30
#define PD_SHIFT      21

static unsigned index_at(u64 address, unsigned shift)
{
	return (address >> shift) % TABLE_ENTRIES;
}

/* PML4, the kernel's two, and for all memory: directories and their parents. */
u64 paging_bytes(u64 direct_size)
{
	u64 directories = direct_size >> PDPT_SHIFT;
	u64 parents = (directories + TABLE_ENTRIES - 1) / TABLE_ENTRIES;

	return (1 + 2 + directories + parents) * PAGE_SIZE;
}

/* The table below an entry, taken from *free if there is none yet. */
static u64 *descend(u64 *entry, u8 **free)
{
	if (!*entry) {
		*entry = (u64)*free | PTE_P | PTE_W;
		*free += PAGE_SIZE;
	}
	return (u64 *)(*entry & ~PAGE_MASK);
}

static void map(u64 *pml4, u8 **free, u64 virt, u64 phys, u64 size)
{
	for (u64 at = 0; at < size; at += BIT(PD_SHIFT)) {
		u64 v = virt + at;
		u64 *pdpt = descend(&pml4[index_at(v, PML4_SHIFT)], free);
		u64 *pd = descend(&pdpt[index_at(v, PDPT_SHIFT)], free);

		pd[index_at(v, PD_SHIFT)] =
			(phys + at) | PTE_P | PTE_W | PTE_PS;
	}
}

u64 paging_build(void *tables, u64 direct_size, u64 kernel_phys,
		 u64 kernel_size)
{
	u64 *pml4 = tables;
	u8 *free = (u8 *)tables + PAGE_SIZE;
	unsigned direct = index_at(DIRECT_MAP_BASE, PML4_SHIFT);

	map(pml4, &free, 0, 0, direct_size);
	/* The direct map is the identity map, seen from higher up. */
	for (unsigned i = 0; pml4[i]; i++)
		pml4[direct + i] = pml4[i];
	map(pml4, &free, KERNEL_BASE, kernel_phys, kernel_size);
	return (u64)tables;
}
