/*
 * The APIC's timer with a count of 1, periodic, and with deadlines in the past.
 */
#include "apic.h"

#define VEC 0x52

static volatile unsigned taken;

static bool tick(struct trap_frame *frame)
{
	taken++;
	apic_eoi();
	return true;
}

static void wait_ticks(unsigned n)
{
	u64 end = rdtsc() + LONG_TIME;

	for (taken = 0; taken < n && rdtsc() < end;)
		sti_hlt();
	cli();
}

int guest_main(void)
{
	apic_start();
	trap_hooks[VEC] = tick;
	apic_write(APIC_TIMER, VEC | APIC_PERIODIC);
	apic_write(APIC_INITIAL, 1);
	wait_ticks(1000);
	apic_write(APIC_INITIAL, 0);
	if (cpuid(1, 0).ecx & BIT(24)) {
		apic_write(APIC_TIMER, VEC | APIC_DEADLINE);
		for (unsigned i = 0; i < 1000; i++)
			wrmsr(MSR_TSC_DEADLINE, i + 1);
	}
	return 0;
}
