/*
 * A system-management interrupt to itself, and all reserved delivery modes.
 */
#include "apic.h"

int guest_main(void)
{
	apic_start_as(false);
	for (unsigned i = 0; i < 100; i++) {
		apic_self(ICR_SMI);
		apic_self(3u << 8);
		apic_self(7u << 8 | 0x55);
		cpuid(0, 0);
	}
	return 0;
}
