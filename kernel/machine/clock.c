#include "machine/clock.h"

#include "cpu/time.h"

u64 clock_at(struct vm *vm, u64 tsc)
{
	u64 ns = tsc > vm->tsc_base ? tsc_to_ns(tsc - vm->tsc_base) : 0;

	vm->clock = MAX(vm->clock, ns);
	return vm->clock;
}

u64 clock_now(struct vcpu *vcpu)
{
	return clock_at(vcpu->vm, vcpu_tsc(vcpu) - vcpu->tsc_offset);
}

/* Not a tick early. */
u64 clock_to_tsc(const struct vm *vm, u64 ns)
{
	u64 ticks = ns_to_tsc(ns);

	if (ticks >= CLOCK_NEVER - 1 - vm->tsc_base)
		return CLOCK_NEVER;
	return vm->tsc_base + ticks + 1;
}

void clock_changed(struct vm *vm)
{
	__atomic_store_n(&vm->clock_due, 0, __ATOMIC_SEQ_CST);
	vcpu_kick(vm->vcpu[0], REQUEST_INTERRUPT);
}
