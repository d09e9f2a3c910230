/*
 * The local APIC of the CPU we run on (SDM vol. 3A chapter 11), as xAPIC or
 * x2APIC, whichever the machine has: interrupts between CPUs and one timer.
 */
#ifndef CPU_LAPIC_H
#define CPU_LAPIC_H

#include "lib/types.h"

/*
 * The host's interrupt vectors. Handlers only count and acknowledge: an
 * interrupt's whole purpose is to end a HLT or a guest's run.
 */
#define VECTOR_PIC	0x20 /* 16 legacy lines */
#define VECTOR_TIMER	0x30
#define VECTOR_KICK	0x31
#define VECTOR_DEVICE	0x32 /* messages of devices: device_irq.h */
#define VECTOR_SPURIOUS 0xff

/* On every CPU; the bootstrap CPU first. */
void lapic_init(void);

u32 lapic_id(void);
bool lapic_is_x2apic(void);
void lapic_eoi(void);

/* The vector whose handling lapic_eoi() would end, -1: none. */
int lapic_in_service(void);

void lapic_send_nmi(u32 apic_id);
void lapic_send_self(u8 vector);

/* For smp.c. Never INIT a CPU that may be in VMX operation. */
void lapic_send_init(u32 apic_id);
void lapic_send_startup(u32 apic_id, u8 page);

/*
 * One VECTOR_TIMER interrupt on this CPU when the TSC reaches the deadline, at
 * once if it has. It may come early, when the deadline is far away (the counter
 * has 32 bits) or an earlier one was armed before: look at the clock, arm
 * again.
 */
void timer_arm(u64 tsc_deadline);
void timer_cancel(void);

/* For time.c: a free-running down counter, and its rate once known. */
void lapic_timer_start(void);
u32 lapic_timer_count(void);
void lapic_timer_calibrated(u64 ticks, u64 tsc_ticks);
const char *lapic_timer_text(void);

#endif
