/*
 * HLT with interrupts off: nothing can wake it, which is an end and no hang.
 */
#include "guest.h"

int guest_main(void)
{
	asm volatile("cli\n\thlt");
	return 1;
}
