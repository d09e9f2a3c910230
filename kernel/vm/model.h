/*
 * The CPU a guest sees, as data: which CPUID leaves with which bits, which MSRs
 * with which behaviour. Fixed when the VM is created.
 */
#ifndef VM_MODEL_H
#define VM_MODEL_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/state.h"

struct model_rules;
struct vcpu;
struct vm;

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

/*
 * A model is one of these tables; `host` shows what this host has, `baseline`
 * the same on every host that has enough for it, and can move between vendors.
 */
enum cpu_model { MODEL_HOST, MODEL_BASELINE, MODELS };

#define MODEL_FIXED 16 /* leaves from 0, and from 0x80000000 */
#define MODEL_ROWS  24

struct model {
	const struct model_rules *rules;
	struct cpuid_result table[MODEL_ROWS];
	/* Rows whose answer depends on nothing but the leaf. */
	const struct cpuid_result *fixed[2][MODEL_FIXED];
	/* For state_check() and for writes to CR3, CR4, EFER, XCR0. */
	struct state_limits limits;
	u8 vendor; /* enum cpu_vendor; VENDOR_OTHER: neither's own MSRs */
	char missing[64]; /* what the host lacks for it; "": nothing */
};

/* Reads the host once and builds the tables. */
void model_init(void);

/* What this host's processor says of a leaf; zeroes for one beyond its last. */
struct cpuid_result model_host_leaf(u32 leaf, u32 subleaf);

/* As this host would show it. */
const struct model *model_of(enum cpu_model which);

/* Rows of the model's table, and which leaf one is. */
unsigned model_rows(const struct model *model);
u32 model_leaf(const struct model *model, unsigned row);

/* vm->model by its configuration, or an error that says what is missing. */
err_t model_choose(struct vm *vm);

/* The guest's CPUID, as it is for this vCPU now (OSXSAVE, APIC id, ...). */
void model_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf,
		 struct cpuid_result *result);

/* The quick way for what is asked for most; NULL: take the other. */
static inline const struct cpuid_result *
model_cpuid_fixed(const struct model *model, u32 leaf)
{
	if (leaf & 0x7ffffff0)
		return NULL;
	return model->fixed[leaf >> 31][leaf & (MODEL_FIXED - 1)];
}

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
