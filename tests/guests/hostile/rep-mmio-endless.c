/*
 * REP MOVSB with RCX = -1 from one device to another.
 */
#include "guest.h"

int guest_main(void)
{
	for (;;) {
		u64 rsi = 0xfd000000, rdi = 0xfd800000, rcx = ~0ULL;

		asm volatile(TRY("rep movsb")
			     : "+S"(rsi), "+D"(rdi), "+c"(rcx)::"memory");
	}
}
