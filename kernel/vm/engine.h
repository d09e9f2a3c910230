/*
 * The contract of the two engines. kernel/vm calls these and knows no vendor;
 * an engine knows vCPUs and second-level tables and nothing of devices or
 * policy. Chosen once, at start-up, by the first probe that succeeds.
 */
#ifndef VM_ENGINE_H
#define VM_ENGINE_H

#include "lib/error.h"
#include "lib/types.h"

struct cpu;
struct vcpu;
struct vm_exit;
struct slpt_format;

/* What this processor's engine can do, for `info` and for choices. */
struct engine_caps {
	bool large_2m, large_1g;
	bool accessed_dirty; /* A/D bits in second-level tables */
	bool pml;
	bool next_rip;	    /* tells instruction lengths for intercepts */
	bool decode_assist; /* tells operands too */
	bool flush_by_asid; /* or VPID */
	bool clean_bits;
	bool preemption_timer;
	bool tsc_scaling;
	u32 asids;	    /* VPIDs or ASIDs available */
	char features[160]; /* all of it for people: "EPT 4K 2M 1G A/D PML ..."
			     */
	char missing[160];  /* what a better CPU would have */
};

struct engine {
	const char *name; /* "VMX", "SVM" */

	/*
	 * Is it here, and complete enough to run guests? E_NOTFOUND: another
	 * vendor's CPU. E_UNSUPPORTED: `missing` names what guests need and
	 * this CPU lacks (also said in the log).
	 */
	err_t (*probe)(struct engine_caps *caps);

	/* On the CPU itself; the log says why it failed. */
	err_t (*cpu_on)(struct cpu *cpu);
	void (*cpu_off)(struct cpu *cpu);

	/* How this CPU's second-level tables are written (after probe). */
	const struct slpt_format *(*format)(void);

	/* vcpu->vm's tables exist. create leaves every group dirty. */
	err_t (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);

	/* This CPU will run the vCPU; or no longer (it may move then). */
	void (*attach)(struct vcpu *vcpu);
	void (*detach)(struct vcpu *vcpu);

	/* Hardware to state and back, by STATE_* groups; attached only. */
	void (*get)(struct vcpu *vcpu, u32 groups);
	void (*put)(struct vcpu *vcpu, u32 groups);

	/*
	 * One round trip: loads dirty groups, delivers state.pending, runs the
	 * guest until it exits, fills state (GPRs and CORE; an event whose
	 * delivery was interrupted is state.pending again) and vcpu->exit.
	 * A failed entry is EXIT_ENTRY_FAILED, explained in the log.
	 */
	void (*enter)(struct vcpu *vcpu);

	/*
	 * The interrupt that the guest should take as soon as it can, -1: none
	 * (withdraws an earlier offer). SVM hands it to V_IRQ; VMX injects it,
	 * or opens the interrupt window and waits for another offer. When the
	 * guest has taken it vcpu->taken is its vector; that may be during this
	 * call (VMX) or after a later exit (SVM). Only one offer stands at a
	 * time.
	 */
	void (*offer_interrupt)(struct vcpu *vcpu, int vector);

	/*
	 * Injects an NMI: true. Or false: wait for EXIT_NMI_WINDOW, or the next
	 * turn, and offer it again.
	 */
	bool (*offer_nmi)(struct vcpu *vcpu);

	/* Forgets all translations of the guest on this CPU, in hardware. */
	void (*flush)(struct vcpu *vcpu);

	/*
	 * Page-modification logging, on or off; marks the pages that are in the
	 * log and empties it. Attached only. NULL: there is none.
	 */
	void (*log)(struct vcpu *vcpu, bool on);

	/* Guest time left before EXIT_TIMER (TSC ticks); ~0: no limit. */
	void (*set_timer)(struct vcpu *vcpu, u64 ticks);

	/* vcpu->tsc_offset has changed. */
	void (*tsc_changed)(struct vcpu *vcpu);

	/* All of the hardware's own state, for a report (VMCS or VMCB). */
	void (*dump)(struct vcpu *vcpu);
};

extern const struct engine vmx_engine;
extern const struct engine svm_engine;

/* The one that was chosen; NULL when no guest can run here. */
extern const struct engine *engine;
extern struct engine_caps engine_caps;

#endif
