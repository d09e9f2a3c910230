/*
 * Page tables in the middle of whatever lies in RAM, at the highest address,
 * and everywhere in between; the first that does not hold this code ends it.
 */
#include "guest.h"

int guest_main(void)
{
	for (;;)
		asm volatile(TRY("mov %0, %%cr3")::"r"(random_number() &
						       0x000000fffffff000)
			     : "memory");
}
