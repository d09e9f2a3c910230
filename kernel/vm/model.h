/*
 * The CPU a guest sees, as data: which CPUID leaves with which bits, which MSRs
 * with which behaviour. Fixed when the VM is created.
 */
#ifndef VM_MODEL_H
#define VM_MODEL_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/state.h"

struct vcpu;

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

/* Reads the host once and builds the guest's table. */
void model_init(void);

/* The guest's CPUID, as it is for this vCPU now (OSXSAVE, APIC id, ...). */
void model_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf,
		 struct cpuid_result *result);

/*
 * The row of a leaf whose answer depends on nothing but the leaf, or NULL: the
 * quick way for what is asked for most.
 */
#define MODEL_FIXED 16
extern const struct cpuid_result *model_fixed[2][MODEL_FIXED];

static inline const struct cpuid_result *model_cpuid_fixed(u32 leaf)
{
	if (leaf & 0x7ffffff0)
		return NULL;
	return model_fixed[leaf >> 31][leaf & (MODEL_FIXED - 1)];
}

/* What the model allows, for state_check() and for CR/EFER/XCR0 writes. */
extern struct state_limits model_limits;

/* E_INVALID: the guest gets #GP. */
err_t model_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
err_t model_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

/*
 * MSRs that guests reach without an exit, because the engines switch them.
 * Everything else exits. Ended by 0.
 */
extern const u32 model_open_msrs[];

/* Ports that guests reach without an exit: 0x80, the delay port. Ended by 0. */
extern const u16 model_open_ports[];

#endif
