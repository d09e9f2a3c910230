/*
 * INIT to itself: the processor starts anew, where there is no firmware.
 */
#include "apic.h"

int guest_main(void)
{
	apic_start();
	apic_send(apic_id(), ICR_INIT | ICR_ASSERT);
	for (;;)
		cpuid(0, 0);
}
