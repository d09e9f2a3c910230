/*
 * A descriptor table where there is no memory; then an exception, whose code
 * segment must be looked up in it.
 */
#include "guest.h"

int guest_main(void)
{
	struct PACKED {
		u16 limit;
		u64 base;
	} gdtr = {0xffff, 0xfd000000};

	asm volatile("lgdt %0" ::"m"(gdtr));
	asm volatile("ud2");
	return 0;
}
