/*
 * Four-level tables, built once from the boot program's memory map and shared
 * by all CPUs. After start entries are only ever added, so that no CPU needs to
 * be told: not-present entries are not cached (SDM vol. 3A 4.10.2.3).
 */
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "mm/paging.h"

#define ENTRIES 512

/* A level's number is that of its tables: 1 maps 4K pages, 2 2M, 3 1G. */
#define LEVEL_4K  1u
#define LEVEL_2M  2u
#define LEVEL_1G  3u
#define LEVEL_TOP 4u

#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level)-1))
#define LEVEL_SIZE(level)  ((u64)1 << LEVEL_SHIFT(level))

#define LEAF	  (PTE_PRESENT | PTE_GLOBAL | PTE_ACCESSED)
#define DATA	  (LEAF | PTE_WRITE | PTE_DIRTY | PTE_NX)
#define CONSTANTS (LEAF | PTE_NX)
#define CODE	  (LEAF)
/* PAT entry 3 of the power-on layout: uncached whatever the MTRRs say. */
#define DEVICE (DATA | PTE_PCD | PTE_PWT)

/* From linker.ld and entry.S. */
extern u8 text_start[], text_end[], rodata_start[], rodata_end[];
extern u8 data_start[], data_end[], boot_stack_guard[];

static const struct boot_info *boot;
static struct spinlock lock = SPINLOCK_INIT;
static u64 root;
static u64 mmio_next = MMIO_BASE;
static u64 stack_next = STACK_BASE;

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & PTE_ADDRESS);
}

static u64 *entry_in(u64 table, u64 virt, unsigned level)
{
	return &table_of(table)[virt >> LEVEL_SHIFT(level) & (ENTRIES - 1)];
}

/* The entry for virt at `level`, making tables on the way; NULL: no memory. */
static u64 *make_entry(u64 virt, unsigned level)
{
	u64 table = root;

	for (unsigned at = LEVEL_TOP; at > level; at--) {
		u64 *entry = entry_in(table, virt, at);

		if (*entry == 0) {
			u64 phys = page_alloc_zeroed(ORDER_4K);

			if (phys == 0)
				return NULL;
			*entry = phys | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
		}
		table = *entry;
	}
	return entry_in(table, virt, level);
}

static unsigned best_level(u64 virt, u64 phys, u64 size, unsigned max)
{
	unsigned level = max;

	while (level > LEVEL_4K && (((virt | phys) & (LEVEL_SIZE(level) - 1)) ||
				    size < LEVEL_SIZE(level)))
		level--;
	return level;
}

static err_t map(u64 virt, u64 phys, u64 size, u64 flags, unsigned max)
{
	while (size > 0) {
		unsigned level = best_level(virt, phys, size, max);
		u64 *entry = make_entry(virt, level);

		if (entry == NULL)
			return E_NOMEM;
		ASSERT(*entry == 0);
		*entry = phys | flags | (level > LEVEL_4K ? PTE_LARGE : 0);
		virt += LEVEL_SIZE(level);
		phys += LEVEL_SIZE(level);
		size -= LEVEL_SIZE(level);
	}
	return E_OK;
}

/* The leaf entry for virt, 0 if there is none. */
static u64 lookup(u64 virt)
{
	u64 entry = root;

	for (unsigned level = LEVEL_TOP; level >= LEVEL_4K; level--) {
		entry = *entry_in(entry, virt, level);
		if (!(entry & PTE_PRESENT))
			return 0;
		if (level == LEVEL_4K || (entry & PTE_LARGE))
			break;
	}
	return entry;
}

/* --- start-up */

static void must_map(u64 virt, u64 phys, u64 size, u64 flags, unsigned max)
{
	err_t err = map(virt, phys, size, flags, max);

	if (err != E_OK)
		panic("page tables: %s", err_text(err));
}

static void map_direct(u64 start, u64 end, u64 flags)
{
	unsigned max = features.gbpages ? LEVEL_1G : LEVEL_2M;

	if (start < end)
		must_map(DIRECT_MAP_BASE + start, start, end - start, flags,
			 max);
}

/* RAM with the kernel's own image left out: code has no writable alias. */
static void map_ram(u64 start, u64 end)
{
	u64 image_end = boot->kernel_phys + boot->kernel_size;

	if (boot->kernel_phys >= end || image_end <= start) {
		map_direct(start, end, DATA);
		return;
	}
	map_direct(start, boot->kernel_phys, DATA);
	map_direct(image_end, end, DATA);
}

static bool is_ram(const struct boot_region *r)
{
	return r->kind == BOOT_MEM_FREE || r->kind == BOOT_MEM_KEEP;
}

/* Neighbouring regions are mapped as one, with pages as large as can be. */
static void map_all_ram(void)
{
	const struct boot_region *r = phys_to_virt(boot->regions);
	unsigned i = 0;

	while (i < boot->region_count) {
		u64 start = r[i].base, end = start + r[i].size;

		if (r[i].kind == BOOT_MEM_ACPI)
			map_direct(start, end, CONSTANTS);
		if (!is_ram(&r[i++]))
			continue;
		while (i < boot->region_count && is_ram(&r[i]) &&
		       r[i].base == end)
			end += r[i++].size;
		map_ram(start, end);
	}
}

static void map_image(const u8 *start, const u8 *end, u64 flags)
{
	must_map((u64)start, virt_to_phys(start), (u64)(end - start), flags,
		 LEVEL_4K);
}

void paging_init(const struct boot_info *info)
{
	boot = info;
	root = page_alloc_zeroed(ORDER_4K);
	if (root == 0)
		panic("no memory for page tables");
	map_all_ram();
	map_image(text_start, text_end, CODE);
	map_image(rodata_start, rodata_end, CONSTANTS);
	map_image(data_start, boot_stack_guard, DATA);
	map_image(boot_stack_guard + PAGE_SIZE, data_end, DATA);
	/* Made now, so that every copy of the root shares what comes later. */
	if (make_entry(MMIO_BASE, LEVEL_1G) == NULL ||
	    make_entry(STACK_BASE, LEVEL_1G) == NULL)
		panic("no memory for page tables");
	paging_load();
}

void paging_load(void)
{
	u64 cr4 = read_cr4();

	/* Global entries of the boot tables go only when PGE does. */
	write_cr4(cr4 & ~CR4_PGE);
	write_cr3(root);
	write_cr4(cr4);
}

u64 paging_root(void)
{
	return root;
}

void paging_make_trampoline(u64 tables, u64 page)
{
	u64 *top = phys_to_virt(tables);
	u64 link = PTE_PRESENT | PTE_WRITE;

	memcpy(top, table_of(root), PAGE_SIZE);
	memset(top + ENTRIES, 0, 3 * PAGE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		top[i * ENTRIES] = (tables + (i + 1) * PAGE_SIZE) | link;
	top[3 * ENTRIES + (page >> PAGE_SHIFT)] = page | PTE_PRESENT;
}

/* --- addresses */

u64 virt_to_phys(const void *ptr)
{
	u64 virt = (u64)ptr;

	if (virt >= KERNEL_BASE && virt < (u64)data_end)
		return virt - KERNEL_BASE + boot->kernel_phys;
	if (virt >= DIRECT_MAP_BASE && virt < MMIO_BASE)
		return virt - DIRECT_MAP_BASE;
	panic("no physical address for %p", ptr);
}

bool phys_is_mapped(u64 phys, u64 size)
{
	u64 at = ALIGN_DOWN(phys, PAGE_SIZE);

	for (; at < phys + size; at += PAGE_SIZE) {
		if (lookup(DIRECT_MAP_BASE + at) == 0)
			return false;
	}
	return true;
}

static bool overlaps_ram(u64 phys, u64 size)
{
	const struct boot_region *r = phys_to_virt(boot->regions);

	for (unsigned i = 0; i < boot->region_count; i++) {
		if (is_ram(&r[i]) && phys < r[i].base + r[i].size &&
		    r[i].base < phys + size)
			return true;
	}
	return false;
}

void *mmio_map(u64 phys, u64 size)
{
	u64 start = ALIGN_DOWN(phys, PAGE_SIZE);
	u64 length = ALIGN_UP(phys + size, PAGE_SIZE) - start;
	u64 virt;
	err_t err;

	if (size == 0 || phys + size < phys ||
	    (phys + size - 1) >> features.phys_bits != 0 ||
	    overlaps_ram(start, length)) {
		log_error("mmio: 0x%lx, %lu bytes, is no device memory", phys,
			  size);
		return NULL;
	}
	spin_lock(&lock);
	/* The same offset in a large page as the device's, so as to use them.
	 */
	virt = ALIGN_UP(mmio_next, LEVEL_SIZE(LEVEL_2M)) +
	       (start & (LEVEL_SIZE(LEVEL_2M) - 1));
	mmio_next = virt + length;
	err = map(virt, start, length, DEVICE, LEVEL_2M);
	spin_unlock(&lock);
	return err == E_OK ? (void *)(virt + (phys - start)) : NULL;
}

u64 stack_alloc(u64 size)
{
	err_t err = E_OK;
	u64 bottom, top;

	spin_lock(&lock);
	bottom = stack_next + PAGE_SIZE; /* the page between is the guard */
	top = stack_next = bottom + ALIGN_UP(size, PAGE_SIZE);
	for (u64 at = bottom; at < top && err == E_OK; at += PAGE_SIZE) {
		u64 phys = page_alloc_zeroed(ORDER_4K);

		err = phys == 0 ? E_NOMEM
				: map(at, phys, PAGE_SIZE, DATA, LEVEL_4K);
	}
	spin_unlock(&lock);
	return err == E_OK ? top : 0;
}

bool is_stack_guard(u64 virt)
{
	u64 page = ALIGN_DOWN(virt, PAGE_SIZE);

	if (page == (u64)boot_stack_guard)
		return true;
	return page >= STACK_BASE && page < stack_next && lookup(page) == 0;
}
