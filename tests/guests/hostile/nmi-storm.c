/*
 * An NMI handler that sends the next NMI, thousands of times.
 */
#include "apic.h"

static volatile unsigned taken;

static bool again(struct trap_frame *frame)
{
	if (++taken < 5000)
		apic_self(ICR_NMI);
	return true;
}

int guest_main(void)
{
	apic_start();
	trap_hooks[EXC_NMI] = again;
	apic_self(ICR_NMI);
	(void)wait_for(taken == 5000);
	print("%u NMIs\n", taken);
	return 0;
}
