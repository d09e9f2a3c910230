/*
 * REP OUTSB that will not end in our lifetime, over memory, devices and
 * nothing. Others must have their turns, and the operator must be able to stop
 * it.
 */
#include "guest.h"

int guest_main(void)
{
	for (;;) {
		u64 rsi = 0x100000, rcx = ~0ULL;

		asm volatile(TRY("rep outsb")
			     : "+S"(rsi), "+c"(rcx)
			     : "d"(PORT_NONE)
			     : "memory");
	}
}
