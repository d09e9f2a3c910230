/*
 * An interrupt handler that sends its own interrupt again before EOI, for ever.
 */
#include "apic.h"

static bool again(struct trap_frame *frame)
{
	apic_self(0x51);
	apic_eoi();
	return true;
}

int guest_main(void)
{
	apic_start();
	trap_hooks[0x51] = again;
	apic_self(0x51);
	sti();
	for (;;)
		;
}
