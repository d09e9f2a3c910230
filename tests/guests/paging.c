/*
 * The guest's own paging: page sizes, accessed and dirty bits, permissions that
 * change, aliases, tables anywhere, and code that changes itself. Exits lie in
 * between, so that what the hypervisor walks is what the processor walks.
 */
#include "apic.h"
#include "pages.h"

#define HUGE_BASE  (TEST_BASE + BIT(30))
#define LARGE_BASE (TEST_BASE + BIT(31))

static u8 pages[4][4096] ALIGNED(4096);

/* Not to be reasoned about by the compiler: it may be any of the pages. */
static volatile u64 *at(u64 linear)
{
	asm volatile("" : "+r"(linear)::"memory");
	return (volatile u64 *)linear;
}

static void test_sizes(void)
{
	u64 *cell = (u64 *)pages[0], value = 0x1122334455667788;
	u64 where = (u64)cell;

	*cell = value;
	page_map(TEST_BASE, where, PTE_RWU);
	expect(*at(TEST_BASE) == value, "4K: %lx", *at(TEST_BASE));
	*page_entry(LARGE_BASE, 1) =
		(where & ~(BIT(21) - 1)) | PTE_RWU | PTE_PS;
	invlpg(at(LARGE_BASE));
	expect(*at(LARGE_BASE + (where & (BIT(21) - 1))) == value, "2M: %lx",
	       *at(LARGE_BASE + (where & (BIT(21) - 1))));
	if (!(cpuid(0x80000001, 0).edx & BIT(26)))
		return;
	*page_entry(HUGE_BASE, 2) = 0 | PTE_RWU | PTE_PS;
	invlpg(at(HUGE_BASE));
	expect(*at(HUGE_BASE + where) == value, "1G: %lx",
	       *at(HUGE_BASE + where));
}

static void test_accessed_dirty(void)
{
	volatile u64 *entry = page_entry(TEST_BASE, 0);
	volatile u64 *above = page_entry(TEST_BASE, 1);

	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	*above &= ~PTE_A;
	write_cr3(read_cr3());
	expect(!(*entry & (PTE_A | PTE_D)), "set before any access");
	(void)*at(TEST_BASE);
	expect((*entry & (PTE_A | PTE_D)) == PTE_A, "after a read: %lx",
	       *entry & 0xfff);
	expect(*above & PTE_A, "A is clear above");
	cpuid(0, 0);
	*at(TEST_BASE) = 1;
	expect(*entry & PTE_D, "D is clear after a write");
}

/* String I/O to a page by the hypervisor is an access like any other. */
static void test_accessed_io(void)
{
	volatile u64 *entry = page_entry(TEST_BASE, 0);
	void *to = (void *)TEST_BASE;
	u64 n = 4;

	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	asm volatile("rep insb"
		     : "+D"(to), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(pages[0][3] == 0xff, "nothing arrived");
	expect(*entry & PTE_A, "A is clear");
	expect(*entry & PTE_D, "D is clear");
}

static void test_remap(void)
{
	for (unsigned i = 0; i < 200 && !test_failed(); i++) {
		*(u64 *)pages[i % 4] = i;
		page_map(TEST_BASE, (u64)pages[i % 4], PTE_RWU);
		if (i % 3 == 0)
			cpuid(0, 0);
		expect(*at(TEST_BASE) == i, "round %u: %lu", i, *at(TEST_BASE));
	}
}

static void test_permissions(void)
{
	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	for (unsigned i = 0; i < 50 && !test_failed(); i++) {
		*at(TEST_BASE) = i;
		page_map(TEST_BASE, (u64)pages[0], PTE_P);
		asm volatile(TRY("movq $0, (%0)")::"r"(TEST_BASE) : "memory");
		expect_trap(EXC_PF, "write to read-only");
		page_unmap(TEST_BASE);
		asm volatile(TRY("mov (%0), %%rax")::"r"(TEST_BASE)
			     : "rax", "memory");
		expect_trap(EXC_PF, "read of nothing");
		page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
		expect(*at(TEST_BASE) == i, "content %lu", *at(TEST_BASE));
	}
}

/* Global pages outlive a write to CR3, and end with CR4.PGE. */
static void test_global(void)
{
	write_cr4(read_cr4() | CR4_PGE);
	page_map(TEST_BASE, (u64)pages[0], PTE_RWU | PTE_G);
	*at(TEST_BASE) = 0x11;
	*(u64 *)pages[1] = 0x22;
	*page_entry(TEST_BASE, 0) = (u64)pages[1] | PTE_RWU;
	write_cr4(read_cr4() & ~CR4_PGE);
	expect(*at(TEST_BASE) == 0x22, "stale after CR4.PGE: %lx",
	       *at(TEST_BASE));
}

static void test_alias(void)
{
	for (unsigned i = 0; i < 4; i++)
		page_map(TEST_BASE + i * 4096, (u64)pages[0], PTE_RWU);
	for (unsigned i = 0; i < 64; i++) {
		*at(TEST_BASE + i % 4 * 4096 + i * 8) = i;
		expect(*at(TEST_BASE + (i + 1) % 4 * 4096 + i * 8) == i,
		       "written by alias %u, read by the next: %lx", i % 4,
		       *at(TEST_BASE + (i + 1) % 4 * 4096 + i * 8));
	}
}

/* A store over a page's end, to pages that are not neighbours. */
static void test_crossing(void)
{
	page_map(TEST_BASE, (u64)pages[2], PTE_RWU);
	page_map(TEST_BASE + 4096, (u64)pages[0], PTE_RWU);
	*at(TEST_BASE + 4096 - 3) = 0x8877665544332211;
	expect(pages[2][4095] == 0x33 && pages[0][0] == 0x44 &&
		       pages[0][4] == 0x88,
	       "bytes %x %x %x", pages[2][4095], pages[0][0], pages[0][4]);
	page_unmap(TEST_BASE + 4096);
	pages[2][4095] = 0;
	asm volatile(TRY("mov %1, (%0)")::"r"(TEST_BASE + 4096 - 3), "r"(~0ULL)
		     : "memory");
	expect(caught.vector == EXC_PF && caught.cr2 == TEST_BASE + 4096,
	       "%s, CR2 %lx", caught_text(), caught.cr2);
	expect(!pages[2][4095], "half of it was written");
}

/* --- code that changes --- */

typedef u64 (*function)(void);

/* mov $value, %eax; cpuid-free; ret */
static void write_function(u8 *to, u32 value)
{
	to[0] = 0xb8;
	memcpy(to + 1, &value, 4);
	to[5] = 0xc3;
}

static void test_self_modifying(void)
{
	function f = (function)(u64)pages[0];

	for (u32 i = 0; i < 200 && !test_failed(); i++) {
		write_function(pages[0], i * 3);
		if (i % 5 == 0)
			cpuid(0, 0);
		expect(f() == i * 3, "round %u", i);
	}
}

/* By another linear address, the instruction over a page's end. */
static void test_self_modifying_alias(void)
{
	function f = (function)(TEST_BASE + 4096 - 3);

	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	page_map(TEST_BASE + 4096, (u64)pages[1], PTE_RWU);
	for (u32 i = 0; i < 200 && !test_failed(); i++) {
		write_function(&pages[0][4096 - 3], i << 16 | i);
		expect(f() == (i << 16 | i), "round %u: %lx", i, f());
	}
}

/* Instructions that exit, over a page's end whose halves lie apart. */
static void test_exit_over_pages(void)
{
	static const u8 insn[] = {0x0f, 0xa2, 0xc3}; /* CPUID; RET */
	struct regs regs;

	page_map(TEST_BASE, (u64)pages[3], PTE_RWU);
	page_map(TEST_BASE + 4096, (u64)pages[1], PTE_RWU);
	pages[3][4095] = insn[0];
	memcpy(pages[1], insn + 1, 2);
	regs_pattern(&regs);
	regs.gpr[RAX] = regs.gpr[RCX] = 0;
	run_regs(&regs, (const void *)(TEST_BASE + 4095));
	expect(regs.gpr[RBX] == cpuid(0, 0).ebx, "CPUID: %lx", regs.gpr[RBX]);
	/* OUT after prefixes, the opcode alone on the second page. */
	pages[3][4094] = 0x66;
	pages[3][4095] = 0x2e;
	pages[1][0] = 0xef;
	pages[1][1] = 0xc3;
	regs_pattern(&regs);
	regs.gpr[RDX] = PORT_NONE;
	run_regs(&regs, (const void *)(TEST_BASE + 4094));
	expect(regs.gpr[RDX] == PORT_NONE, "OUT: %lx", regs.gpr[RDX]);
}

/* --- tables --- */

/* A second address space, its tables at other places. */
static void test_spaces(void)
{
	u64 *other = page_alloc(), old = read_cr3();

	memcpy(other, pml4, 4096);
	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	other[TEST_BASE >> 39 & 511] = 0;
	for (unsigned i = 0; i < 100 && !test_failed(); i++) {
		*at(TEST_BASE) = i;
		write_cr3((u64)other);
		asm volatile(TRY("mov (%0), %%rax")::"r"(TEST_BASE)
			     : "rax", "memory");
		write_cr3(old);
		expect_trap(EXC_PF, "in the other space");
		expect(*at(TEST_BASE) == i, "back: %lu", *at(TEST_BASE));
	}
}

/* PCIDs keep translations apart and, by bit 63, alive. */
static void test_pcid(void)
{
	u64 old = read_cr3();

	if (!(cpuid(1, 0).ecx & BIT(17)))
		skip("no PCID is offered");
	write_cr4(read_cr4() | CR4_PCIDE);
	page_map(TEST_BASE, (u64)pages[0], PTE_RWU);
	*at(TEST_BASE) = 1;
	write_cr3(old | 5);
	expect(*at(TEST_BASE) == 1, "PCID 5: %lx", *at(TEST_BASE));
	write_cr3(old | BIT(63));
	expect(*at(TEST_BASE) == 1 && read_cr3() == old, "CR3 %lx", read_cr3());
	write_cr4(read_cr4() & ~CR4_PCIDE);
}

/* A table that is one of its own pages. */
static void test_recursive(void)
{
	pml4[300] = (u64)pml4 | PTE_RWU;
	write_cr3(read_cr3());
	expect(*at(0xffff000000000000 | 300UL << 39 | 300UL << 30 |
		   300UL << 21 | 300UL << 12) == pml4[0],
	       "the PML4 by itself reads %lx",
	       *at(0xffff000000000000 | 300UL << 39 | 300UL << 30 |
		   300UL << 21 | 300UL << 12));
	pml4[300] = 0;
	write_cr3(read_cr3());
}

/* Every page of a large area once, forward and in strides. */
static void test_many(void)
{
	u64 base = 0x400000, pages_there = 2048; /* 8 MiB from 4 MiB */

	for (u64 i = 0; i < pages_there; i++)
		*at(base + i * 4096 + i % 500 * 8) = i * 7;
	for (u64 i = 0; i < pages_there && !test_failed(); i++) {
		u64 j = i * 2731 % pages_there;

		if (i % 64 == 0)
			cpuid(0, 0);
		expect(*at(base + j * 4096 + j % 500 * 8) == j * 7,
		       "page %lu: %lx", j, *at(base + j * 4096 + j % 500 * 8));
	}
}

static const struct test tests[] = {
	TEST("paging.sizes", test_sizes),
	TEST("paging.accessed-dirty", test_accessed_dirty),
	TEST("paging.accessed-io", test_accessed_io),
	TEST("paging.remap", test_remap),
	TEST("paging.permissions", test_permissions),
	TEST("paging.global", test_global),
	TEST("paging.alias", test_alias),
	TEST("paging.crossing", test_crossing),
	TEST("paging.self-modifying", test_self_modifying),
	TEST("paging.self-modifying-alias", test_self_modifying_alias),
	TEST("paging.exit-over-pages", test_exit_over_pages),
	TEST("paging.spaces", test_spaces),
	TEST("paging.pcid", test_pcid),
	TEST("paging.recursive", test_recursive),
	TEST("paging.many", test_many),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
