/*
 * KVM's paravirtual clock (Documentation/virt/kvm/x86/msr.rst of Linux): the
 * time without an exit, right on a host with another TSC too.
 */
#ifndef GUEST_KVMCLOCK_H
#define GUEST_KVMCLOCK_H

#include "guest.h"

void kvmclock_start(void);
/* Nanoseconds since some time before the start. */
u64 kvmclock_now(void);

#endif
