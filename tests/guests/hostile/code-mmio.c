/*
 * A jump into the local APIC's registers.
 */
#include "guest.h"

int guest_main(void)
{
	asm volatile("jmp *%0" ::"r"(0xfee00000UL));
	return 0;
}
