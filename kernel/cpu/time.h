/*
 * Time is the time-stamp counter, calibrated at start against a clock whose
 * rate is known by specification (HPET, ACPI PM timer, PIT), never by what
 * CPUID claims. Time zero is the jump into the kernel. All CPUs' counters are
 * taken to run together; smp.c warns when they do not.
 */
#ifndef CPU_TIME_H
#define CPU_TIME_H

#include "boot/boot_info.h"
#include "cpu/regs.h"
#include "lib/ratio.h"
#include "lib/types.h"

#define NS_PER_US ((u64)1000)
#define NS_PER_MS ((u64)1000000)
#define NS_PER_S  ((u64)1000000000)

extern u64 tsc_khz; /* 0 until time_init() */

/* Takes 10 ms; the local APIC's timer is calibrated on the way. */
void time_init(const struct boot_info *info);

/* Before time_init() it stands at 0. */
u64 now_ns(void);

/* Exact to one unit, saturating, good for spans of centuries. */
u64 tsc_to_ns(u64 ticks);
u64 ns_to_tsc(u64 ns);

/* Busy waiting, for hardware that needs a moment. */
void delay_ns(u64 ns);

/* "HPET", with the clock it was checked against: for the banner. */
const char *time_source_text(void);

#endif
