/*
 * A stack at an address that cannot be, and an exception.
 */
#include "guest.h"

int guest_main(void)
{
	asm volatile("mov %0, %%rsp\n\tud2" ::"r"(BIT(63)));
	return 0;
}
