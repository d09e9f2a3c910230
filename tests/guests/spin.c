/*
 * Never ends: counts in memory, at a place that it prints, with interrupts on
 * (`spin if=1`) or off. For tests of preemption, fairness and `vm stop`.
 */
#include "guest.h"

static volatile u64 counter;

int guest_main(void)
{
	print("spin: counting at %p with IF=%u\n", (void *)&counter,
	      (unsigned)option_number("if", 0));
	if (option_number("if", 0))
		sti();
	for (;;)
		counter++;
}
