/*
 * A corner of the address space with random entries at all four levels:
 * devices, nowhere, reserved bits, tables that hold themselves. Touched by
 * reads, writes, string I/O and fetches, which may fail but for nobody else.
 */
#include "pages.h"

static u64 tables[3][512] ALIGNED(4096);

static u64 random_entry(void)
{
	static const u64 targets[] = {0xfee00000, 0xfd000000, GIB(4), GIB(512),
				      0x000ffffffffff000};
	u64 r = random_number(), flags = r & 0x1ff;

	if (r & BIT(20))
		flags |= PTE_RWU;
	if (r >> 21 & 1)
		return (u64)tables[(r >> 32) % 3] | flags;
	if (r >> 22 & 1)
		return targets[(r >> 32) % ARRAY_LEN(targets)] | flags;
	return (r & ~0xfffULL) | flags;
}

static u64 place;

static void touch(void)
{
	u64 to = place, n = 3;

	asm volatile(TRY("mov (%0), %%rax")::"r"(place) : "rax", "memory");
	asm volatile(TRY("rep insb")
		     : "+D"(to), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
	n = 3;
	to = place;
	asm volatile(TRY("rep outsb")
		     : "+S"(to), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
}

int guest_main(void)
{
	pml4[400] = (u64)tables[0] | PTE_RWU;
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned t = 0; t < 3; t++)
			for (unsigned i = 0; i < 512; i++)
				tables[t][i] = random_entry();
		write_cr3(read_cr3());
		for (unsigned i = 0; i < 5; i++) {
			place = 0xffff000000000000 | 400UL << 39 |
				(random_number() & (BIT(39) - 1));
			attempt(touch);
		}
	}
	return 0;
}
