/*
 * The page allocator and the heap, over a window of address space that stands
 * for physical memory. Its content is garbage at start, as real memory's is.
 *
 * links: kernel/mm/pages.c kernel/mm/spare.c kernel/mm/heap.c
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/heap.h"
#include "mm/pages.h"
#include "mm/spare.h"
#include "test.h"

#define WINDOW	    GIB(6)
#define INFO_AT	    0x2000 /* below what the allocator may touch */
#define REGIONS_AT  0x3000
#define MAX_REGIONS 16

u64 host_phys_offset;

u64 virt_to_phys(const void *virt)
{
	return (u64)virt - host_phys_offset;
}

static u64 random_u64(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void start(const struct boot_region *regions, unsigned count)
{
	void *window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct boot_info *info;

	CHECK(window != MAP_FAILED);
	host_phys_offset = (u64)window;
	memset(phys_to_virt(0), 0xa5, MIB(32));
	memset(phys_to_virt(GIB(4)), 0xa5, MIB(4));
	info = phys_to_virt(INFO_AT);
	memset(info, 0, sizeof(*info));
	info->regions = REGIONS_AT;
	info->region_count = count;
	memcpy(phys_to_virt(REGIONS_AT), regions, count * sizeof(*regions));
	pages_init(info);
}

static const struct boot_region small[] = {
	{0, 0xa0000, BOOT_MEM_FREE, 0},
	{0x100000, MIB(8), BOOT_MEM_FREE, 0},
};

static const struct boot_region large[] = {
	{0, 0xa0000, BOOT_MEM_FREE, 0},
	{0x100000, MIB(15), BOOT_MEM_FREE, 0},
	{MIB(16), MIB(2), BOOT_MEM_KEEP, 0},
	{MIB(18), GIB(3) - MIB(18) - 0x5000, BOOT_MEM_FREE, 0},
	{GIB(3), MIB(1), BOOT_MEM_RESERVED, 0},
	{GIB(4), GIB(2), BOOT_MEM_FREE, 0},
};

static bool inside(const struct boot_region *regions, unsigned count, u64 base,
		   u64 size)
{
	for (unsigned i = 0; i < count; i++) {
		if (regions[i].kind == BOOT_MEM_FREE &&
		    base >= regions[i].base &&
		    base + size <= regions[i].base + regions[i].size)
			return true;
	}
	return false;
}

/* --- pages ---------------------------------------------------------------- */

TEST(every_page_once_and_none_below_one_mib)
{
	static u8 seen[MIB(9) >> PAGE_SHIFT];
	u64 phys, count = 0;

	start(small, ARRAY_LEN(small));
	while ((phys = page_alloc(0)) != 0) {
		CHECK(phys >= MIB(1) && phys < MIB(9));
		CHECK_EQ(phys & PAGE_MASK, 0);
		CHECK(!seen[phys >> PAGE_SHIFT]++);
		memset(phys_to_virt(phys), 0xff, PAGE_SIZE);
		count++;
	}
	CHECK_EQ(count << PAGE_SHIFT, page_stats().total);
	CHECK_EQ(page_stats().free, 0);
	CHECK_EQ(page_stats().largest, 0);
	CHECK(page_stats().total > MIB(7));
}

TEST(freed_pages_grow_together_again)
{
	struct page_stats before, after;
	static u64 pages[4096];
	unsigned count = 0;

	start(small, ARRAY_LEN(small));
	before = page_stats();
	while ((pages[count] = page_alloc(0)) != 0)
		count++;
	for (unsigned i = 0; i < count; i++) {
		unsigned j = i + (unsigned)(random_u64() % (count - i));
		u64 phys = pages[j];

		pages[j] = pages[i];
		page_free(phys, 0);
	}
	after = page_stats();
	CHECK_EQ(after.free, before.free);
	CHECK_EQ(after.largest, before.largest);
}

TEST(blocks_are_naturally_aligned)
{
	start(large, ARRAY_LEN(large));
	for (unsigned order = 0; order <= ORDER_MAX; order++) {
		u64 size = PAGE_SIZE << order, phys = page_alloc(order);

		CHECK(phys != 0);
		CHECK_EQ(phys & (size - 1), 0);
		CHECK(inside(large, ARRAY_LEN(large), phys, size));
		CHECK_EQ(page_block_order(phys), order);
	}
	CHECK_EQ(page_alloc(ORDER_MAX + 1), 0);
}

TEST(whole_gigabytes_are_there)
{
	u64 count = 0;

	start(large, ARRAY_LEN(large));
	while (page_alloc(ORDER_1G) != 0)
		count++;
	/* 1..2, and 4..6; what is left of 0..1 and 2..3 is no gigabyte. */
	CHECK_EQ(count, 3);
	CHECK(page_alloc(ORDER_2M) != 0);
}

#define HELD 3000

/* Blocks carry their number at both ends: an overlap would destroy one. */
static void mark(u64 phys, unsigned order, u64 value)
{
	*(u64 *)phys_to_virt(phys) = value;
	*(u64 *)phys_to_virt(phys + (PAGE_SIZE << order) - 8) = value;
}

static void check_mark(u64 phys, unsigned order, u64 value)
{
	CHECK_EQ(*(u64 *)phys_to_virt(phys), value);
	CHECK_EQ(*(u64 *)phys_to_virt(phys + (PAGE_SIZE << order) - 8), value);
}

TEST(random_blocks_never_overlap)
{
	static struct {
		u64 phys, value;
		unsigned order;
	} held[HELD];
	struct page_stats before, after;

	start(large, ARRAY_LEN(large));
	before = page_stats();
	for (unsigned i = 0; i < 60000; i++) {
		unsigned n = (unsigned)(random_u64() % HELD);
		u64 random = random_u64() % 1000;

		if (held[n].phys != 0) {
			check_mark(held[n].phys, held[n].order, held[n].value);
			page_free(held[n].phys, held[n].order);
		}
		held[n].order = random < 2 ? (unsigned)(random_u64() % 19)
					   : (unsigned)(random_u64() % 6);
		held[n].value = i;
		held[n].phys = page_alloc(held[n].order);
		if (held[n].phys != 0)
			mark(held[n].phys, held[n].order, i);
	}
	for (unsigned n = 0; n < HELD; n++) {
		if (held[n].phys == 0)
			continue;
		check_mark(held[n].phys, held[n].order, held[n].value);
		page_free(held[n].phys, held[n].order);
	}
	after = page_stats();
	CHECK_EQ(after.free, before.free);
	CHECK_EQ(after.largest, before.largest);
}

TEST(free_memory_is_not_touched)
{
	const u64 *free_block;

	start(large, ARRAY_LEN(large));
	page_free(page_alloc(ORDER_1G), ORDER_1G);
	free_block = phys_to_virt(GIB(1));
	CHECK_EQ(free_block[0], 0); /* fresh from mmap */
	free_block = phys_to_virt(GIB(4) + MIB(2));
	CHECK_EQ(free_block[0], 0xa5a5a5a5a5a5a5a5ULL);
}

TEST(zeroed_pages_are_zero)
{
	start(small, ARRAY_LEN(small));
	for (unsigned i = 0; i < 100; i++) {
		const u64 *words = phys_to_virt(page_alloc_zeroed(1));

		for (unsigned j = 0; j < 1024; j++)
			CHECK_EQ(words[j], 0);
	}
}

TEST(double_free_panics)
{
	u64 phys;

	start(small, ARRAY_LEN(small));
	phys = page_alloc(3);
	page_free(phys, 3);
	CHECK_PANIC(page_free(phys, 3));
}

TEST(free_of_a_merged_block_panics)
{
	u64 phys;

	start(small, ARRAY_LEN(small));
	phys = page_alloc(0);
	page_free(phys, 0);
	phys = page_alloc(4);
	CHECK_PANIC(page_free(phys + PAGE_SIZE, 0));
}

TEST(free_with_another_order_panics)
{
	u64 phys;

	start(small, ARRAY_LEN(small));
	phys = page_alloc(3);
	CHECK_PANIC(page_free(phys, 2));
}

TEST(free_of_page_zero_panics)
{
	start(small, ARRAY_LEN(small));
	CHECK_PANIC(page_free(0, 0));
}

TEST(free_beyond_memory_panics)
{
	start(small, ARRAY_LEN(small));
	CHECK_PANIC(page_free(1ULL << 50, 0));
}

TEST(unaligned_free_panics)
{
	u64 phys;

	start(small, ARRAY_LEN(small));
	phys = page_alloc(0);
	CHECK_PANIC(page_free(phys + 8, 0));
}

TEST(orders_hold_what_is_asked)
{
	CHECK_EQ(order_for(1), 0);
	CHECK_EQ(order_for(4096), 0);
	CHECK_EQ(order_for(4097), 1);
	CHECK_EQ(order_for(MIB(2)), ORDER_2M);
	CHECK_EQ(order_for(GIB(1)), ORDER_1G);
}

/* --- heap ----------------------------------------------------------------- */

TEST(heap_gives_any_size_aligned)
{
	start(large, ARRAY_LEN(large));
	for (size_t size = 0; size < 10000; size += 7) {
		u8 *p = kmalloc(size);

		CHECK(p != NULL);
		CHECK_EQ((u64)p % 16, 0);
		CHECK(size < 64 || (u64)p % 64 == 0);
		CHECK(size <= 1984 || (u64)p % PAGE_SIZE == 0);
		memset(p, 0xee, size);
		kfree(p);
	}
	kfree(NULL);
}

static u64 *words_of(u64 phys)
{
	return phys_to_virt(phys);
}

static bool is_clear(u64 phys)
{
	for (unsigned i = 0; i < MIB(2) / 8; i++)
		if (words_of(phys)[i])
			return false;
	return true;
}

/* As a guest leaves it. */
static u64 worn_block(void)
{
	bool cleared = true;
	u64 phys = spare_alloc(&cleared);

	CHECK(phys && !cleared);
	memset(phys_to_virt(phys), 0x5a, MIB(2));
	return phys;
}

TEST(what_guests_leave_is_cleared_and_taken_first)
{
	u64 phys[3], got, free;
	unsigned pages = 0;
	bool cleared;

	start(large, ARRAY_LEN(large));
	free = page_stats().free;
	for (unsigned i = 0; i < ARRAY_LEN(phys); i++)
		phys[i] = worn_block();
	for (unsigned i = 0; i < ARRAY_LEN(phys); i++)
		spare_free(phys[i]);
	CHECK_EQ(page_stats().free, free);
	while (spare_clear())
		pages++;
	CHECK_EQ(pages + 1, ARRAY_LEN(phys) * (MIB(2) / PAGE_SIZE));
	CHECK(!spare_clear());
	for (unsigned i = 0; i < ARRAY_LEN(phys); i++) {
		got = spare_alloc(&cleared);
		CHECK(got == phys[0] || got == phys[1] || got == phys[2]);
		CHECK(cleared && is_clear(got));
	}
	CHECK_EQ(spare_bytes(), 0);
	CHECK_EQ(page_stats().free, free - ARRAY_LEN(phys) * MIB(2));
}

TEST(what_is_not_cleared_yet_is_nobodys_but_the_page_allocators)
{
	u64 first, second, got;
	bool cleared;

	start(large, ARRAY_LEN(large));
	first = worn_block();
	second = worn_block();
	spare_free(first);
	spare_free(second);
	for (unsigned i = 0; i < 10; i++)
		CHECK(spare_clear());
	got = spare_alloc(&cleared);
	CHECK(!cleared && got != first && got != second);
	page_free(got, ORDER_2M);
	CHECK_EQ(spare_bytes(), MIB(4));
	CHECK(spare_give_back());
	CHECK(!spare_give_back());
	CHECK_EQ(spare_bytes(), 0);
}

/* One is clean, one half so, one worn: all of it is memory. */
TEST(who_needs_memory_gets_what_guests_left)
{
	u64 phys[3], total, count = 0;

	start(large, ARRAY_LEN(large));
	for (unsigned i = 0; i < ARRAY_LEN(phys); i++)
		phys[i] = worn_block();
	for (unsigned i = 0; i < ARRAY_LEN(phys); i++)
		spare_free(phys[i]);
	for (unsigned i = 0; i < MIB(3) / PAGE_SIZE; i++)
		CHECK(spare_clear());
	total = page_stats().total;
	while (page_alloc(0))
		count++;
	CHECK_EQ(count * PAGE_SIZE, total);
	CHECK_EQ(spare_bytes(), 0);
	CHECK_EQ(page_stats().free, 0);
}

TEST(heap_contents_stay)
{
	static struct {
		u8 *p;
		size_t size;
		u8 value;
	} held[HELD];
	u64 before;

	start(large, ARRAY_LEN(large));
	before = page_stats().free;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned n = (unsigned)(random_u64() % HELD);

		for (size_t j = 0; held[n].p != NULL && j < held[n].size; j++)
			CHECK_EQ(held[n].p[j], held[n].value);
		kfree(held[n].p);
		held[n].size = random_u64() % (i % 50 == 0 ? 20000 : 700);
		held[n].value = (u8)i;
		held[n].p = kmalloc(held[n].size);
		memset(held[n].p, held[n].value, held[n].size);
	}
	for (unsigned n = 0; n < HELD; n++)
		kfree(held[n].p);
	/* A slab of each class may be kept. */
	CHECK(before - page_stats().free <= 11 * PAGE_SIZE);
}

TEST(kzalloc_is_zero)
{
	start(small, ARRAY_LEN(small));
	for (size_t size = 1; size < 9000; size += 61) {
		u8 *dirty = kmalloc(size), *p;

		memset(dirty, 0xff, size);
		kfree(dirty);
		p = kzalloc(size);
		for (size_t j = 0; j < size; j++)
			CHECK_EQ(p[j], 0);
	}
}

TEST(heap_runs_out_gracefully)
{
	unsigned count = 0;

	start(small, ARRAY_LEN(small));
	CHECK(kmalloc(GIB(1)) == NULL);
	CHECK(kmalloc(SIZE_MAX) == NULL);
	while (kmalloc(100) != NULL)
		count++;
	CHECK(count > 7 * 256 * 21);
	CHECK(kmalloc(100) == NULL && kmalloc(5000) == NULL);
}

TEST(heap_double_free_panics)
{
	void *p, *other;

	start(small, ARRAY_LEN(small));
	p = kmalloc(50);
	other = kmalloc(50);
	CHECK(other != p);
	kfree(p);
	CHECK_PANIC(kfree(p));
}

TEST(heap_large_double_free_panics)
{
	void *p;

	start(small, ARRAY_LEN(small));
	p = kmalloc(5000);
	kfree(p);
	CHECK_PANIC(kfree(p));
}

TEST(heap_free_inside_an_object_panics)
{
	u8 *p;

	start(small, ARRAY_LEN(small));
	p = kmalloc(100);
	CHECK_PANIC(kfree(p + 16));
}

TEST(heap_write_after_free_panics)
{
	u8 *p, *other;

	start(small, ARRAY_LEN(small));
	p = kmalloc(128);
	other = kmalloc(128);
	CHECK(other != NULL);
	kfree(p);
	p[100] = 1;
	CHECK_PANIC(p = kmalloc(128));
}

/* An object may hold anything, the mark of free ones too. */
TEST(heap_object_may_look_free)
{
	u64 *p;

	start(small, ARRAY_LEN(small));
	p = kmalloc(64);
	p[0] = p[1] = 0xfeeefeeefeeefeeeULL;
	kfree(p);
	CHECK(kmalloc(64) == p);
}
