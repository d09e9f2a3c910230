/*
 * The local APIC's timer (11.5.4). Nothing counts: the timer is the host TSC at
 * which its next interrupt is due, and the current count is computed from
 * that. Counting modes go by the host's TSC, which a guest cannot write;
 * TSC-deadline goes by the guest's own.
 */
#include "cpu/time.h"
#include "machine/lapic_regs.h"
#include "vm/vm.h"

#define NEVER (~(u64)0)

/*
 * A shorter period would leave the guest no time between two interrupts, and
 * the host none between two exits.
 */
#define PERIOD_MIN_NS ((u64)50000)

_Static_assert(LAPIC_TIMER_HZ == NS_PER_S, "ticks are taken for nanoseconds");

static u32 mode(const struct lapic *lapic)
{
	return lapic->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* The divide configuration as a shift: 2, 4, ... 128, 1 (figure 11-10). */
static unsigned divide_shift(const struct lapic *lapic)
{
	u32 value = (lapic->divide & 3) | (lapic->divide >> 1 & 4);

	return (value + 1) & 7;
}

/* Time as this APIC sees it: it stands rather than run backwards. */
static u64 advance(struct lapic *lapic, u64 tsc)
{
	lapic->clock = MAX(lapic->clock, tsc);
	return lapic->clock;
}

static u64 now(struct lapic *lapic)
{
	return advance(lapic, vcpu_tsc(lapic->vcpu) - lapic->vcpu->tsc_offset);
}

static void set_expires(struct lapic *lapic, u64 tsc)
{
	lapic->expires = tsc;
	lapic->vcpu->timer_deadline = tsc;
}

static u64 add_ticks(u64 tsc, u64 ticks)
{
	return ticks < NEVER - tsc ? tsc + ticks : NEVER - 1;
}

static u64 period(const struct lapic *lapic)
{
	u64 ns = (u64)lapic->initial << divide_shift(lapic);

	return ns_to_tsc(MAX(ns, PERIOD_MIN_NS));
}

/* Set by the guest: the run loop is to set its own timer anew. */
static void rearm(struct lapic *lapic, u64 tsc)
{
	set_expires(lapic, tsc);
	vcpu_request(lapic->vcpu, REQUEST_INTERRUPT);
}

static void stop(struct lapic *lapic)
{
	lapic->tsc_deadline = 0;
	set_expires(lapic, NEVER);
}

/* The guest may have written its TSC since the deadline was set. */
static void place_deadline(struct lapic *lapic, u64 tsc)
{
	u64 guest = tsc + lapic->vcpu->tsc_offset;
	u64 ticks = MAX(lapic->tsc_deadline, guest) - guest;

	if (lapic->tsc_deadline)
		set_expires(lapic, add_ticks(tsc, ticks));
}

static void expire(struct lapic *lapic, u64 tsc)
{
	u64 late = tsc - lapic->expires, whole = period(lapic);

	/* Periods that nobody was there for are one interrupt. */
	if (mode(lapic) == LVT_TIMER_PERIODIC)
		set_expires(lapic, add_ticks(tsc, whole - late % whole));
	else
		stop(lapic);
	vlapic_local(lapic, LVT_TIMER);
}

u64 vlapic_poll(struct vcpu *vcpu, u64 tsc)
{
	struct lapic *lapic = vcpu->lapic;

	tsc = advance(lapic, tsc);
	if (mode(lapic) == LVT_TIMER_DEADLINE)
		place_deadline(lapic, tsc);
	if (lapic->expires <= tsc)
		expire(lapic, tsc);
	return lapic->expires;
}

void vlapic_timer_reset(struct lapic *lapic)
{
	lapic->initial = lapic->divide = 0;
	stop(lapic);
}

/* What is due already is due at once. */
void vlapic_timer_freeze(struct lapic *lapic)
{
	const struct vm *vm = lapic->vcpu->vm;
	u64 left;

	lapic->expires_ns = NEVER;
	if (lapic->expires == NEVER)
		return;
	left = MAX(lapic->expires, vm->frozen_tsc) - vm->frozen_tsc;
	lapic->expires_ns = add_ticks(vm->frozen_ns, tsc_to_ns(left));
}

void vlapic_timer_go_on(struct lapic *lapic)
{
	const struct vm *vm = lapic->vcpu->vm;
	u64 left = MAX(lapic->expires_ns, vm->ns_base) - vm->ns_base;

	lapic->clock = vm->tsc_base;
	set_expires(lapic, lapic->expires_ns == NEVER
				   ? NEVER
				   : add_ticks(vm->tsc_base, ns_to_tsc(left)));
}

/* To and from TSC-deadline mode the timer is disarmed (11.5.4.1). */
void vlapic_timer_mode(struct lapic *lapic, u32 old_lvt)
{
	bool was_deadline = (old_lvt & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE;

	if (was_deadline == (mode(lapic) == LVT_TIMER_DEADLINE))
		return;
	lapic->initial = 0;
	stop(lapic);
}

static void count_down(struct lapic *lapic, u64 count)
{
	u64 ticks = ns_to_tsc(count << divide_shift(lapic));

	if (count)
		rearm(lapic, add_ticks(now(lapic), ticks));
	else
		stop(lapic);
}

void vlapic_timer_start(struct lapic *lapic, u32 count)
{
	if (mode(lapic) == LVT_TIMER_DEADLINE)
		return;
	lapic->initial = count;
	count_down(lapic, count);
}

/* What is left of the count goes on at the new rate. */
void vlapic_timer_divide(struct lapic *lapic, u32 value)
{
	u32 left = vlapic_timer_current(lapic);

	lapic->divide = value;
	if (left)
		count_down(lapic, left);
}

/* Rounded up, so that 0 is read only when the interrupt has been raised. */
u32 vlapic_timer_current(struct lapic *lapic)
{
	u64 tsc = now(lapic), count;

	if (mode(lapic) == LVT_TIMER_DEADLINE)
		return 0;
	vlapic_poll(lapic->vcpu, tsc);
	if (lapic->expires == NEVER)
		return 0;
	count = (tsc_to_ns(lapic->expires - tsc) >> divide_shift(lapic)) + 1;
	return MIN(count, lapic->initial);
}

u64 vlapic_deadline_read(const struct lapic *lapic)
{
	return lapic->tsc_deadline;
}

/* Ignored in the counting modes; 0 disarms. A past one is due at once. */
void vlapic_deadline_write(struct lapic *lapic, u64 value)
{
	if (mode(lapic) != LVT_TIMER_DEADLINE)
		return;
	stop(lapic);
	lapic->tsc_deadline = value;
	rearm(lapic, vlapic_poll(lapic->vcpu, now(lapic)));
}
