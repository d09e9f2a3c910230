/*
 * Inside the SVM engine: what it keeps of a processor and of a vCPU, and which
 * file does what.
 *
 *	start.c   whether there is SVM, and processors on and off
 *	svm.c     the engine's table: vCPUs on, off and entered
 *	enter.c   the round trip through it
 *	entry.S   the world switch
 *	quick.c   the few exits that are answered without it
 *	state.c   canonical state to VMCB and back
 *	exit.c    the hardware's exits in neutral words
 *	events.c  interrupts, exceptions and NMIs into the guest
 *	npt.c     second-level tables and their caches
 *	rules.c   what the manual asks of a VMCB
 *	explain.c why an entry failed
 *
 * Section numbers are those of AMD APM volume 2.
 */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "lib/error.h"
#include "lib/types.h"
#include "svm/arch.h"
#include "vm/vcpu.h"

struct cpu;

struct svm_caps {
	u32 features; /* CPUID 0x8000000A EDX */
	u32 asids;    /* 0 to asids - 1; 0 is the host's */
	bool large_1g;
	unsigned phys_bits;
	u8 tells;     /* SVM_LENGTH where there is next-RIP save */
	bool repeats; /* an interrupt from EVENTINJ may come twice: TCG */
};

extern struct svm_caps svm_caps;

/* --- start.c: struct engine's functions of these names */

err_t svm_probe(struct engine_caps *caps);
err_t svm_cpu_on(struct cpu *cpu);
void svm_cpu_off(struct cpu *cpu);

/* --- a processor and a vCPU (svm.c, entry.S) */

struct svm_cpu {
	unsigned id;
	u64 hsave;     /* the processor's own save area, physical */
	u64 host_vmcb; /* our FS, GS, TR, ... for VMLOAD, physical */
	u32 next_asid;
	u64 generation; /* of ASIDs: raised when they have run out */
	bool flush_all; /* before any ASID of this generation is used */
	struct vcpu *vcpu;
};

/* What the next exit must look after. */
#define AFTER_FLUSH   1u  /* TLB_CONTROL back to nothing */
#define AFTER_IRQ     2u  /* V_IRQ is set: has the guest taken it? */
#define AFTER_EVENT   4u  /* EVENTINJ was used */
#define AFTER_SHADOW  16u /* the last exit was in an interrupt shadow */
#define AFTER_IRET    8u  /* the guest has now left its NMI handler */
#define AFTER_VIRTUAL 32u /* V_IRQ holds what was pending, not an offer */

struct svm_vcpu {
	struct vmcb *vmcb;
	u64 vmcb_phys;
	u64 host_vmcb;	     /* of the CPU it is attached to */
	u32 after;	     /* AFTER_* */
	struct svm_cpu *cpu; /* it is attached to */
	int last_cpu;	     /* where its ASID is one, -1: nowhere */
	u64 generation;	     /* ... and of which generation */
	int offered;	     /* vector in V_IRQ, -1: none */
	u64 shadow_rip;	     /* of the instruction in the shadow */
	u64 iret_rip;	     /* of the IRET that ends the NMI handler */
	u64 timer_at;	     /* TSC: what set_timer() wants, ~0: nothing */
	u64 retry_at;	     /* TSC: an offer waits for an exit, ~0: none */
};

/* Exits soon, to look at an offer again that had to wait. */
void svm_come_back(struct svm_vcpu *svm);

/*
 * Loads the guest's registers, enters, stores them, and goes on in svm_exited()
 * as its last call.
 */
void svm_switch(struct vcpu *vcpu, u64 vmcb_phys, u64 host_vmcb_phys);
void svm_exited(struct vcpu *vcpu);

/*
 * Asked by svm_switch() at each exit. True: answered, back into the guest.
 */
bool svm_quick(struct vcpu *vcpu);

/* --- enter.c */

void svm_enter(struct vcpu *vcpu);

/* The processor must read these parts of the VMCB again. */
static inline void svm_dirty(struct svm_vcpu *svm, u32 clean_bits)
{
	svm->vmcb->clean &= ~clean_bits;
}

/* --- state.c; what every exit needs is inline */

void svm_get(struct vcpu *vcpu, u32 groups);
void svm_put(struct vcpu *vcpu, u32 groups);

static inline void svm_put_core(struct vcpu *vcpu)
{
	struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;
	const struct vcpu_state *s = &vcpu->state;

	_Static_assert(INTERRUPT_SHADOW == 1, "what a comparison yields");
	vmcb->rsp = s->gpr[RSP];
	vmcb->rip = s->rip;
	vmcb->rflags = s->rflags;
	vmcb->int_state = s->shadow != 0;
}

/* --- exit.c */

/* Next-RIP save tells where this intercepted instruction ends (15.7.1). */
#define SVM_LENGTH 1u

struct svm_exit_kind {
	u8 reason; /* enum exit_reason */
	u8 flags;
	void (*decode)(struct vcpu *vcpu, struct vm_exit *exit);
};

extern const struct svm_exit_kind svm_exit_kinds[VMEXIT_CODES];

void svm_decode_rare(struct vcpu *vcpu);
bool svm_is_bad_cr3_write(struct vcpu *vcpu);

static inline void svm_decode(struct vcpu *vcpu, const struct vmcb *vmcb,
			      u32 code)
{
	struct vm_exit *exit = &vcpu->exit;
	const struct svm_exit_kind *kind = &svm_exit_kinds[code];

	exit->code = code;
	exit->ilen = 0;
	if (unlikely(code >= VMEXIT_CODES)) {
		svm_decode_rare(vcpu);
		return;
	}
	exit->reason = kind->reason;
	if (kind->flags & svm_caps.tells)
		exit->ilen = vmcb->nrip - vmcb->rip;
	if (kind->decode)
		kind->decode(vcpu, exit);
}

/* --- events.c */

void svm_inject(struct vcpu *vcpu);
void svm_interrupted_event(struct vcpu *vcpu);
void svm_after_exit(struct vcpu *vcpu);
void svm_offer_interrupt(struct vcpu *vcpu, int vector);
bool svm_offer_nmi(struct vcpu *vcpu);
void svm_watch_iret(struct svm_vcpu *svm, bool on);

/* --- npt.c */

const struct slpt_format *svm_format(void);
void svm_flush(struct vcpu *vcpu);
void svm_flush_attach(struct vcpu *vcpu);
void svm_flush_detach(struct vcpu *vcpu);

/* --- rules.c */

/* Pure. E_INVALID: why says which rule of the manual the VMCB breaks. */
err_t svm_check(const struct vmcb *vmcb, const struct svm_caps *caps, char *why,
		size_t size);

/* --- explain.c */

void svm_explain_entry(struct vcpu *vcpu);
void svm_dump(struct vcpu *vcpu);

#endif
