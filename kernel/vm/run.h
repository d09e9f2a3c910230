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

/*
 * The flush ledger's check: has this vCPU's CPU flushed since the last
 * narrowing of the VM's second-level tables? NULL when it has, else what was
 * narrowed.
 */
const char *ledger_check(const struct vcpu *vcpu);

#endif
