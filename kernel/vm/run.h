/*
 * Running one vCPU on the CPU we are on, until something outside the guest
 * wants attention.
 */
#ifndef VM_RUN_H
#define VM_RUN_H

#include "vm/vcpu.h"

/*
 * Enters the guest again and again. Returns when the guest halts, the VM ends
 * or is stopped, a host interrupt came, or the TSC passes `until`.
 */
void vcpu_run(struct vcpu *vcpu, u64 until);

/* Halted: is there something that wakes it? Takes it out of HLT then. */
bool vcpu_wake(struct vcpu *vcpu);

#endif
