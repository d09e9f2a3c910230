/*
 * KVM's paravirtual clock (Documentation/virt/kvm/x86/msr.rst of Linux's
 * source): a page in the guest's memory says how to make nanoseconds of its
 * TSC, so that it reads the time without an exit; another place says what the
 * time of day was when those began.
 */
#ifndef MACHINE_KVMCLOCK_H
#define MACHINE_KVMCLOCK_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

#define KVM_WALL_CLOCK	    0x11 /* the same two by their first numbers */
#define KVM_SYSTEM_TIME	    0x12
#define KVM_WALL_CLOCK_NEW  0x4b564d00
#define KVM_SYSTEM_TIME_NEW 0x4b564d01

/* A vCPU's; what the guest has written. */
struct kvmclock {
	u64 system_time; /* address, and bit 0: on */
	u64 wall_clock;	 /* address */
};

extern const struct device_description kvmclock_description;

struct vcpu;
struct vm;

/* E_NOTFOUND: none of these MSRs. E_INVALID: #GP. */
err_t kvmclock_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
err_t kvmclock_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

/* The guest's TSC has been moved: what the page says is wrong. */
void kvmclock_update(struct vcpu *vcpu);

/* What the guest makes of its page at this host TSC, not before tsc_base. */
u64 kvmclock_at(const struct vm *vm, u64 tsc);

/*
 * nanoseconds = (ticks << shift) * multiplier >> 32; a negative shift is one to
 * the right. As exact as 32 bits are.
 */
struct kvmclock_scale {
	u32 multiplier;
	int8_t shift;
};
struct kvmclock_scale kvmclock_scale(u64 hz);

#endif
