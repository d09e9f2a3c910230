/*
 * The time that a VM's chips share: nanoseconds since its start, from the host's
 * TSC, never backwards. Nothing ticks: a chip computes what it would be, and
 * tells when it wants to be looked at. Guarded by vm->lock.
 */
#ifndef MACHINE_CLOCK_H
#define MACHINE_CLOCK_H

#include "lib/types.h"
#include "vm/vm.h"

#define CLOCK_NEVER (~(u64)0)

/*
 * A chip that interrupts more often would leave the guest no time between two
 * interrupts, and the host none between two exits.
 */
#define CLOCK_PERIOD_MIN_NS ((u64)50000)

/* What a vCPU sees now; at a host TSC. */
u64 clock_now(struct vcpu *vcpu);
u64 clock_at(struct vm *vm, u64 tsc);
u64 clock_to_tsc(const struct vm *vm, u64 ns);

/* A chip's deadline has changed: the first vCPU, who polls, looks again. */
void clock_changed(struct vm *vm);

/*
 * A PC's crystal has 315/22 MHz, its PIT a twelfth and its ACPI timer a quarter
 * of that: ns * RATE / 88000 ticks, without overflow. Back: the first
 * nanosecond at which the tick has happened.
 */
#define CLOCK_PIT_RATE 105u
#define CLOCK_PM_RATE  315u

static inline u64 clock_ticks(u64 ns, unsigned rate)
{
	return ns / 88000 * rate + ns % 88000 * rate / 88000;
}

static inline u64 clock_tick_ns(u64 tick, unsigned rate)
{
	return tick / rate * 88000 + (tick % rate * 88000 + rate - 1) / rate;
}

#endif
