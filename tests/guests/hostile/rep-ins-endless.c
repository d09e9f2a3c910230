/*
 * REP INSB with RCX = -1, from below our own code upwards: it overwrites itself.
 */
#include "guest.h"

int guest_main(void)
{
	u64 rdi = 0x180000, rcx = ~0ULL;

	asm volatile("rep insb" : "+D"(rdi), "+c"(rcx) : "d"(PORT_NONE));
	return 0;
}
