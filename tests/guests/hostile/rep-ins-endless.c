/*
 * REP INSB with RCX = -1, from the page tables that it is running on upwards.
 */
#include "pages.h"

int guest_main(void)
{
	u64 rdi = (u64)pml4, rcx = ~0ULL;

	asm volatile("rep insb" : "+D"(rdi), "+c"(rcx) : "d"(PORT_NONE));
	return 0;
}
