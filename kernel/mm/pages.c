/*
 * One byte per page says what block begins there; pages inside a block have 0.
 * The bytes of a gigabyte are cleared only when it is first broken up. The
 * links of the free lists lie in arrays of their own, one for blocks below 2
 * MiB and a dense one for those above, rather than in the blocks: so free
 * memory is not touched, and a start costs the same on a small machine and on a
 * large one. That matters most with an emulator or another hypervisor below us,
 * whose memory comes into being when it is touched.
 */
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "mm/spare.h"

#define LOW_MEMORY    MIB(1) /* left to smp.c and to the firmware's habits */
#define ORDERS	      (ORDER_MAX + 1)
#define PAGES_PER_GIB ((u64)1 << ORDER_1G)

/* The heads of the lists are the links of pages that are never in one. */
#define LIST_HEAD(order) ((u32)(order))
_Static_assert(ORDERS <= LOW_MEMORY >> PAGE_SHIFT, "list heads");

/* A byte of the map: one of these and the block's order, or 0. */
#define HEAD_FREE 0x40
#define HEAD_USED 0x80

struct link {
	u32 next, prev; /* page numbers: up to 16 TiB */
};

static struct spinlock lock = SPINLOCK_INIT;
static u8 *map;
static struct link *small_links; /* by page, and the list heads */
static struct link *large_links; /* by 2 MiB */
static u64 map_pages;		 /* a multiple of a gigabyte's */
static u64 uncleared; /* while starting: the map from here on is garbage */
static u64 total_pages, free_pages;

static u64 block_pages(unsigned order)
{
	return (u64)1 << order;
}

static struct link *link_of(u64 pfn, unsigned order)
{
	if (order < ORDER_2M || pfn == LIST_HEAD(order))
		return &small_links[pfn];
	return &large_links[pfn >> ORDER_2M];
}

static void list_push(u64 pfn, unsigned order)
{
	struct link *head = link_of(LIST_HEAD(order), order);

	*link_of(pfn, order) = (struct link){head->next, LIST_HEAD(order)};
	link_of(head->next, order)->prev = (u32)pfn;
	head->next = (u32)pfn;
	map[pfn] = (u8)(HEAD_FREE | order);
}

static void list_remove(u64 pfn, unsigned order)
{
	struct link *link = link_of(pfn, order);

	link_of(link->next, order)->prev = link->prev;
	link_of(link->prev, order)->next = link->next;
	map[pfn] = 0;
}

static u64 list_first(unsigned order)
{
	return small_links[LIST_HEAD(order)].next;
}

static bool list_empty(unsigned order)
{
	return list_first(order) == LIST_HEAD(order);
}

static void clear_gigabyte(u64 pfn)
{
	memset(&map[ALIGN_DOWN(pfn, PAGES_PER_GIB)], 0, PAGES_PER_GIB);
}

/* --- start-up */

/* The part of a free region that is ours, in whole pages. */
static void usable(const struct boot_region *r, u64 *start, u64 *end)
{
	*start = *end = 0;
	if (r->kind != BOOT_MEM_FREE)
		return;
	*start = ALIGN_UP(MAX(r->base, LOW_MEMORY), PAGE_SIZE);
	*end = ALIGN_DOWN(r->base + r->size, PAGE_SIZE);
	if (*end < *start)
		*end = *start;
}

/* The largest block that begins at pfn and ends by `end`. */
static unsigned largest_order(u64 pfn, u64 end)
{
	unsigned order = ORDER_MAX;

	while ((pfn & (block_pages(order) - 1)) != 0 ||
	       pfn + block_pages(order) > end)
		order--;
	return order;
}

/* Ranges come in ascending order, so a gigabyte is cleared only once. */
static void add_range(u64 start, u64 end)
{
	u64 pfn = start >> PAGE_SHIFT;

	end >>= PAGE_SHIFT;
	while (pfn < end) {
		unsigned order = largest_order(pfn, end);

		if (order < ORDER_1G && pfn >= uncleared) {
			clear_gigabyte(pfn);
			uncleared =
				ALIGN_DOWN(pfn, PAGES_PER_GIB) + PAGES_PER_GIB;
		}
		list_push(pfn, order);
		total_pages += block_pages(order);
		pfn += block_pages(order);
	}
}

/* Map and links lie at the start of the first region that has room. */
static u64 place_map(const struct boot_region *regions, unsigned count,
		     u64 *size)
{
	u64 top = 0, links, start, end;

	for (unsigned i = 0; i < count; i++) {
		if (regions[i].kind == BOOT_MEM_FREE)
			top = (regions[i].base + regions[i].size) >> PAGE_SHIFT;
	}
	if (top > UINT32_MAX)
		panic("more than 16 TiB of memory");
	map_pages = ALIGN_UP(top, PAGES_PER_GIB);
	links = (map_pages >> ORDER_2M) + top;
	*size = ALIGN_UP(map_pages + links * sizeof(struct link), PAGE_SIZE);
	for (unsigned i = 0; i < count; i++) {
		usable(&regions[i], &start, &end);
		if (end - start >= *size)
			return start;
	}
	panic("no room for the page map of %lu KiB", *size >> 10);
}

void pages_init(const struct boot_info *info)
{
	const struct boot_region *regions = phys_to_virt(info->regions);
	u64 size, start, end;
	u64 map_phys = place_map(regions, info->region_count, &size);

	map = phys_to_virt(map_phys);
	large_links = (struct link *)(map + map_pages);
	small_links = large_links + (map_pages >> ORDER_2M);
	uncleared = total_pages = free_pages = 0;
	for (u32 order = 0; order < ORDERS; order++)
		small_links[LIST_HEAD(order)] = (struct link){order, order};
	for (u64 pfn = 0; pfn < map_pages; pfn += PAGES_PER_GIB)
		map[pfn] = 0;
	for (unsigned i = 0; i < info->region_count; i++) {
		usable(&regions[i], &start, &end);
		if (start == map_phys)
			start += size;
		add_range(start, end);
	}
	free_pages = total_pages;
}

/* --- blocks */

/* Halves a free block until it has the order asked for; the lower half stays.
 */
static void split(u64 pfn, unsigned from, unsigned order)
{
	if (from == ORDER_1G && order < ORDER_1G)
		clear_gigabyte(pfn);
	while (from > order) {
		from--;
		list_push(pfn + block_pages(from), from);
	}
}

static u64 take(unsigned order)
{
	unsigned from = order;
	u64 pfn = 0;

	spin_lock(&lock);
	while (from <= ORDER_MAX && list_empty(from))
		from++;
	if (from <= ORDER_MAX) {
		pfn = list_first(from);
		list_remove(pfn, from);
		split(pfn, from, order);
		map[pfn] = (u8)(HEAD_USED | order);
		free_pages -= block_pages(order);
	}
	spin_unlock(&lock);
	return pfn << PAGE_SHIFT;
}

u64 page_alloc(unsigned order)
{
	u64 phys = take(order);

	if (!phys && spare_give_back())
		phys = take(order);
	return phys;
}

u64 page_alloc_zeroed(unsigned order)
{
	u64 phys = page_alloc(order);

	if (phys != 0)
		memset(phys_to_virt(phys), 0, PAGE_SIZE << order);
	return phys;
}

static void check_free(u64 phys, unsigned order)
{
	u64 pfn = phys >> PAGE_SHIFT;
	u8 head = pfn < map_pages ? map[pfn] : 0;

	if (order <= ORDER_MAX && (phys & ((PAGE_SIZE << order) - 1)) == 0 &&
	    head == (HEAD_USED | order))
		return;
	panic("page_free(0x%lx, %u): the block there is %s, order %u", phys,
	      order,
	      head & HEAD_USED	 ? "allocated"
	      : head & HEAD_FREE ? "free"
				 : "none",
	      head & 0x1f);
}

void page_free(u64 phys, unsigned order)
{
	u64 pfn = phys >> PAGE_SHIFT;

	spin_lock(&lock);
	check_free(phys, order);
	free_pages += block_pages(order);
	map[pfn] = 0;
	for (; order < ORDER_MAX; order++) {
		u64 buddy = pfn ^ block_pages(order);

		if (map[buddy] != (HEAD_FREE | order))
			break;
		list_remove(buddy, order);
		pfn &= ~block_pages(order);
	}
	list_push(pfn, order);
	spin_unlock(&lock);
}

unsigned page_block_order(u64 phys)
{
	u64 pfn = phys >> PAGE_SHIFT;
	u8 head = pfn < map_pages ? map[pfn] : 0;

	if (!(head & HEAD_USED))
		panic("no allocated block at 0x%lx", phys);
	return head & 0x1f;
}

struct page_stats page_stats(void)
{
	struct page_stats stats = {0};

	spin_lock(&lock);
	stats.total = total_pages << PAGE_SHIFT;
	stats.free = free_pages << PAGE_SHIFT;
	for (unsigned order = 0; order < ORDERS; order++) {
		if (!list_empty(order))
			stats.largest = PAGE_SIZE << order;
	}
	spin_unlock(&lock);
	stats.free += spare_bytes();
	return stats;
}
