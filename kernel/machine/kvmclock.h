/*
 * kvmclock (Documentation/virt/kvm/x86/msr.rst): the guest names a place in its
 * memory by MSR, and finds there how to make nanoseconds from its TSC, without
 * an exit. It is what lets a guest's clock go on when the TSC's rate changes.
 */
#ifndef MACHINE_KVMCLOCK_H
#define MACHINE_KVMCLOCK_H

#include "lib/error.h"
#include "lib/types.h"
#include "machine/fields.h"

struct vcpu;

struct kvmclock {
	u64 system; /* as written: address and bit 0, on */
	u64 wall;
	u32 version; /* of what is in guest memory, even */
};

extern const struct device_description kvmclock_description;

err_t kvmclock_create(struct vcpu *vcpu);
void kvmclock_destroy(struct vcpu *vcpu);

/* E_NOTFOUND: not one of its own. */
err_t kvmclock_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
err_t kvmclock_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

/*
 * Tells the guest anew, if it has asked: its TSC, or the host's rate, is not
 * what it was. On the vCPU's own CPU, or while the VM stands.
 */
void kvmclock_update(struct vcpu *vcpu);

/* ns = (ticks * 2^shift) * multiplier / 2^32, as guests compute it. */
struct kvmclock_rate {
	u32 multiplier;
	i8 shift;
};
struct kvmclock_rate kvmclock_rate(u64 khz);

#endif
