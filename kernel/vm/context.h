/*
 * The registers that neither engine's hardware switches and the hypervisor does
 * not use: x87/SSE/AVX with XCR0, DR0-3, TSC_AUX. They stay the guest's over
 * exits and are exchanged only when a CPU turns to another vCPU.
 */
#ifndef VM_CONTEXT_H
#define VM_CONTEXT_H

struct vcpu;

void context_load(struct vcpu *vcpu);
void context_save(struct vcpu *vcpu);

#endif
