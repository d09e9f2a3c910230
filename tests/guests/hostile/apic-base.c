/*
 * The local APIC moved about: over RAM, over our own code, to the highest
 * address, in and out of its modes by every path.
 */
#include "apic.h"

int guest_main(void)
{
	static const u64 places[] = {0x0,	 0x100000,    0xfec00000,
				     0xfffff000, 0x100000000, 0xffffffffff000,
				     0xfee00000};

	for (unsigned i = 0; i < 2000; i++) {
		u64 value = places[i % ARRAY_LEN(places)] |
			    (random_number() & 0xd00);

		asm volatile(TRY("wrmsr")::"a"((u32)value), "d"(value >> 32),
			     "c"(MSR_APIC_BASE)
			     : "memory");
		asm volatile(TRY("mov (%0), %%eax")::"r"(0xfee00080UL)
			     : "rax", "memory");
		asm volatile(TRY("movl $0x20, (%0)")::"r"(0xfee00080UL)
			     : "memory");
		asm volatile(TRY("rdmsr")::"c"(0x808) : "rax", "rdx");
	}
	return 0;
}
