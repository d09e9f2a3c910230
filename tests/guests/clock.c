/*
 * A clock for demonstrations: `clock ticks=5 ms=200 name=Anna` prints a line
 * every so often, woken from HLT by the APIC's timer. It knows its time from
 * the TSC, whose rate it is told (`mhz=`) or takes as 1000 MHz.
 */
#include "apic.h"

#define VEC_TIMER 0x40

static void tick_after(u64 ticks)
{
	u64 end = rdtsc() + ticks;

	while (rdtsc() < end) {
		apic_write(APIC_INITIAL, 1000000);
		sti_hlt();
		cli();
	}
}

int guest_main(void)
{
	u64 ticks = option_number("ticks", 5);
	u64 period =
		option_number("ms", 200) * option_number("mhz", 1000) * 1000;
	char name[24] = "the clock";

	option_text("name", name, sizeof(name));
	apic_start();
	trap_hooks[VEC_TIMER] = irq_counted;
	apic_write(APIC_TIMER, VEC_TIMER);
	for (u64 i = 1; i <= ticks; i++) {
		tick_after(period);
		print("%s: tick %llu of %llu, %u interrupts\n", name,
		      (unsigned long long)i, (unsigned long long)ticks,
		      irq_count[VEC_TIMER]);
	}
	return 0;
}
