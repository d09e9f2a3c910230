/*
 * All of the RAM that the memory map promises is there, each page is itself
 * and no other; beyond it nothing answers, and nothing breaks.
 */
#include "multiboot.h"
#include "pages.h"

extern u8 image_end[];

#define WORDS (4096 / sizeof(u64))

/* Calls visit for each page of RAM that is not ours or the loader's. */
static void each_page(void (*visit)(volatile u64 *page, u64 physical))
{
	const char *at = (const char *)(word)boot_info->mmap_addr;
	const char *end = at + boot_info->mmap_length;

	for (; at < end; at += *(const u32 *)at + 4) {
		const struct multiboot_map *map = (const void *)at;
		u64 p = MAX(map->base, (u64)image_end + 0x10000);

		if (map->type != 1)
			continue;
		for (p = ALIGN_UP(p, 4096); p + 4096 <= map->base + map->length;
		     p += 4096) {
			if (p < GIB(4)) {
				visit((volatile u64 *)p, p);
				continue;
			}
			page_map(TEST_BASE, p, PTE_RWU);
			visit((volatile u64 *)TEST_BASE, p);
		}
	}
}

static u64 bytes, sum;

static void fill(volatile u64 *page, u64 physical)
{
	for (unsigned i = 0; i < WORDS; i += 8)
		page[i] = physical ^ (u64)i << 48 ^ 0x5a5a;
	bytes += 4096;
}

static void verify(volatile u64 *page, u64 physical)
{
	for (unsigned i = 0; i < WORDS; i += 8) {
		u64 want = physical ^ (u64)i << 48 ^ 0x5a5a;

		expect(page[i] == want, "at %lx: %lx, not %lx",
		       physical + i * 8, page[i], want);
		sum = sum * 31 + page[i];
	}
}

static void test_ram(void)
{
	bytes = sum = 0;
	each_page(fill);
	expect(bytes > MIB(1) / 2, "only %lu bytes of RAM", bytes);
	each_page(verify);
	print("memory: %lu KiB, sum %016lx\n", bytes >> 10, sum);
}

/* RAM starts as zeroes: no other guest's data. */
static void zero(volatile u64 *page, u64 physical)
{
	for (unsigned i = 0; i < WORDS; i++)
		expect(!page[i], "at %lx: %lx", physical + i * 8, page[i]);
}

static void test_zero(void)
{
	if (boot_info->mods_count)
		skip("modules lie in RAM");
	each_page(zero);
}

static u64 end_of_ram(void)
{
	return MIB(1) + ((u64)boot_info->mem_upper << 10);
}

static void probe(u64 physical)
{
	volatile u64 *at = (volatile u64 *)(TEST_BASE + (physical & 0xfff));

	page_map(TEST_BASE, physical & ~0xfffULL, PTE_RWU);
	expect(*at == ~0ULL, "%lx reads %lx", physical, *at);
	*at = 0x1234;
	expect(*at == ~0ULL, "%lx remembers: %lx", physical, *at);
}

static void test_outside(void)
{
	u64 bits = cpuid(0x80000008, 0).eax & 0xff;
	u64 end = ALIGN_UP(end_of_ram(), 4096);

	probe(end);
	probe(end + 4096 - 8);
	probe(ALIGN_UP(end, MIB(2)));
	probe(0xfd001000); /* in the hole, where no device is */
	probe(0xfec01000);
	probe(0xffffff00);
	probe(GIB(4));
	probe(GIB(64));
	probe(BIT(bits) - 4096);
	page_unmap(TEST_BASE);
}

/* An access over the end of RAM: half here, half nowhere. */
static void test_over_the_end(void)
{
	u64 end = ALIGN_DOWN(end_of_ram(), 4096);
	volatile u64 *at = (volatile u64 *)(TEST_BASE + 4096 - 4);

	page_map(TEST_BASE, end - 4096, PTE_RWU);
	page_map(TEST_BASE + 4096, end, PTE_RWU);
	*(volatile u32 *)at = 0x11223344;
	expect(*at == 0xffffffff11223344, "%lx", *at);
	page_unmap(TEST_BASE);
	page_unmap(TEST_BASE + 4096);
}

static const struct test tests[] = {
	GODWIT_TEST("memory.zero", test_zero),
	TEST("memory.ram", test_ram),
	GODWIT_TEST("memory.outside", test_outside),
	GODWIT_TEST("memory.over-the-end", test_over_the_end),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
