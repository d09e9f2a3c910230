/*
 * The local APIC, in xAPIC mode (memory at 0xfee00000) or x2APIC mode (MSRs):
 * SDM volume 3, chapter 11. Registers by their memory offset in both.
 */
#ifndef APIC_H
#define APIC_H

#include "guest.h"

#define APIC_BASE    0xfee00000u
#define APIC_ID	     0x020
#define APIC_VERSION 0x030
#define APIC_TPR     0x080
#define APIC_PPR     0x0a0
#define APIC_EOI     0x0b0
#define APIC_LDR     0x0d0
#define APIC_SVR     0x0f0
#define APIC_ISR     0x100
#define APIC_IRR     0x200
#define APIC_ESR     0x280
#define APIC_ICR     0x300
#define APIC_ICR2    0x310
#define APIC_TIMER   0x320
#define APIC_LINT0   0x350
#define APIC_LINT1   0x360
#define APIC_ERROR   0x370
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE  0x3e0
#define APIC_SELF    0x3f0

#define APIC_ENABLE    (1u << 8)
#define APIC_SPURIOUS  0xffu
#define APIC_MASKED    (1u << 16)
#define APIC_PERIODIC  (1u << 17)
#define APIC_DEADLINE  (2u << 17)
#define APIC_DIVIDE_1  0xbu
#define APIC_DIVIDE_16 0x3u

#define ICR_NMI	      (4u << 8)
#define ICR_SMI	      (2u << 8)
#define ICR_INIT      (5u << 8)
#define ICR_STARTUP   (6u << 8)
#define ICR_ASSERT    (1u << 14)
#define ICR_TO_SELF   (1u << 18)
#define ICR_TO_OTHERS (3u << 18)

#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_X2APIC BIT(10)

extern bool apic_x2;

/*
 * On, all local sources masked. x2APIC where CPUID offers it, unless the
 * command line says `apic=x` (x2: fails where there is none).
 */
void apic_start(void);
void apic_start_as(bool x2);

u32 apic_read(unsigned offset);
void apic_write(unsigned offset, u32 value);
void apic_eoi(void);

/* To oneself: `icr` has vector and delivery mode. */
void apic_self(u32 icr);
/* To another: by APIC id. */
void apic_send(u32 id, u32 icr);
u32 apic_id(void);

/* Counts interrupts by vector, with EOI. Vectors are the tests' to choose. */
extern volatile unsigned irq_count[256];
bool irq_counted(struct trap_frame *frame);

/*
 * Waits until the condition holds; false after a long time, which is TSC ticks
 * and looks both: a guest that gets few turns looks seldom.
 */
#define LONG_TIME  1000000000ULL /* TSC ticks: 0.4 to 10 s */
#define LONG_LOOKS 10000000u
#define wait_looking(cond, long_looks)                                        \
	({                                                                    \
		u64 wait_end = rdtsc() + LONG_TIME, looks = 0;                \
		while (!(cond) && (rdtsc() < wait_end || looks < long_looks)) \
			looks++;                                              \
		(cond);                                                       \
	})
#define wait_for(cond) wait_looking(cond, LONG_LOOKS)

/*
 * For what another VM on the same CPU has to do. Each look is an exit, so that
 * its turn comes even where nothing interrupts a guest that runs with IF=0
 * (SVM in Bochs).
 */
#define wait_politely(cond) \
	wait_looking((cpuid(0, 0), (cond)), LONG_LOOKS / 200)

#endif
