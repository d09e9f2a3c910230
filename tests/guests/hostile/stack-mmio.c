/*
 * A stack in the local APIC's registers, for pushes and for an exception.
 */
#include "guest.h"

int guest_main(void)
{
	asm volatile("mov %0, %%rsp\n\tud2" ::"r"(0xfee00800UL));
	return 0;
}
