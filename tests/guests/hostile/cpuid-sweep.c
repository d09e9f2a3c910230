/*
 * All the leaves near the ranges that exist, with all small subleaves, and
 * noise.
 */
#include "guest.h"

static void sweep(u32 first, u32 count)
{
	for (u32 leaf = first; leaf < first + count; leaf++) {
		cpuid(leaf, 0);
		cpuid(leaf, 0xffffffff);
	}
}

int guest_main(void)
{
	sweep(0, 0x200);
	sweep(0x3fffff00, 0x300);
	sweep(0x7fffff00, 0x400);
	sweep(0xc0000000, 0x20);
	for (u32 leaf = 0; leaf < 0x20; leaf++)
		for (u32 sub = 0; sub < 0x80; sub++)
			cpuid(leaf, sub);
	for (unsigned i = 0; i < 3000; i++)
		cpuid(random_number(), random_number());
	return 0;
}
