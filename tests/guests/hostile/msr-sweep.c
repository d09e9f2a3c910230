/*
 * Reads every MSR there could be, and writes zeroes, ones and noise to it. Each
 * must exist or give #GP; none may be the host's.
 */
#include "guest.h"

static u64 absent, there;

static void touch(u32 msr)
{
	u32 low = 0, high = 0;

	asm volatile(TRY("rdmsr")
		     : "+a"(low), "+d"(high)
		     : "c"(msr)
		     : "memory");
	if (caught.vector < 0)
		there++;
	else
		absent++;
	asm volatile(TRY("wrmsr")::"a"(0), "d"(0), "c"(msr) : "memory");
	asm volatile(TRY("wrmsr")::"a"(~0u), "d"(~0u), "c"(msr) : "memory");
	asm volatile(TRY("wrmsr")::"a"((u32)random_number()),
		     "d"((u32)random_number()), "c"(msr)
		     : "memory");
	/* Put back what was there, where that is allowed. */
	asm volatile(TRY("wrmsr")::"a"(low), "d"(high), "c"(msr) : "memory");
}

static void sweep(u32 first, u32 count)
{
	for (u32 i = 0; i < count; i++)
		touch(first + i);
}

int guest_main(void)
{
	sweep(0, 0x2000);
	sweep(0xc0000000, 0x400);
	sweep(0xc0001f00, 0x200);
	sweep(0xc0010000, 0x400);
	sweep(0xc0011f00, 0x200);
	sweep(0x40000000, 0x200);
	sweep(0xfffffff0, 16);
	for (unsigned i = 0; i < 1000; i++)
		touch(random_number());
	print("%lu MSRs there, %lu not\n", there, absent);
	return 0;
}
