/*
 * An interrupt table where there is no memory, then where no address can be.
 */
#include "guest.h"

int guest_main(void)
{
	struct PACKED {
		u16 limit;
		u64 base;
	} idtr = {0xfff, 0xfd000000};

	asm volatile("lidt %0\n\tint $0x30" ::"m"(idtr));
	return 0;
}
