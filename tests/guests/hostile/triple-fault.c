/*
 * No interrupt table, and an exception.
 */
#include "guest.h"

int guest_main(void)
{
	struct PACKED {
		u16 limit;
		u64 base;
	} idtr = {0, 0};

	asm volatile("lidt %0\n\tud2" ::"m"(idtr));
	return 0;
}
