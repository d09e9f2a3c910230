/*
 * Inside the VMX engine: what it keeps of a processor and of a vCPU, and which
 * file does what.
 *
 *	caps.c    which controls this processor offers and guests need
 *	start.c   whether there is VMX, and processors on and off
 *	vmx.c     the engine's table: vCPUs on and off
 *	enter.c   the round trip into the guest and back
 *	entry.S   the world switch, in the middle of it
 *	state.c   canonical state to VMCS and back
 *	exit.c    the hardware's exits in neutral words
 *	events.c  interrupts, exceptions and NMIs into the guest
 *	ept.c     second-level tables, their caches and the log of written pages
 *	rules.c   what the manual asks of a VMCS
 *	explain.c why an entry failed
 *
 * Section numbers are those of Intel SDM volume 3C.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/vcpu.h"
#include "vmx/arch.h"

struct cpu;

/* --- what the processor offers (caps.c) */

/* The capability MSRs as read; zero where the processor has none. */
struct vmx_msrs {
	u64 feature_control;
	u64 basic, misc, ept_vpid;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 pin, proc, proc2, exit, entry; /* the true ones if there are */
};

struct vmx_caps {
	struct vmx_msrs msrs;
	u32 revision;
	/* The controls of a new VMCS: what must be and what we want. */
	u32 pin, proc, proc2, exit, entry;
	u64 ept;
	bool accessed_dirty;
	bool pml;
	unsigned timer_shift; /* the preemption timer counts TSC >> shift */
	u64 invept;	      /* type to use: INVEPT_* */
};

extern struct vmx_caps vmx_caps;

void vmx_read_msrs(struct vmx_msrs *msrs);

/* Pure. E_UNSUPPORTED: out->missing says what guests would need. */
err_t vmx_choose(const struct vmx_msrs *msrs, struct vmx_caps *caps,
		 struct engine_caps *out);

/* --- start.c: struct engine's functions of these names, and */

err_t vmx_probe(struct engine_caps *caps);
err_t vmx_cpu_on(struct cpu *cpu);
void vmx_cpu_off(struct cpu *cpu);

/* a region for VMXON or a VMCS: the revision, else zeroes (25.2); or 0. */
u64 vmx_region(void);

/* --- a processor and a vCPU (vmx.c) */

struct vmx_cpu {
	u64 region;	   /* of VMXON, physical */
	struct vcpu *vcpu; /* whose VMCS is current */
};

struct vmx_vcpu {
	u64 host_rsp; /* first: the world switch writes it */
	u64 vmcs;     /* physical */
	bool filled;  /* has its controls */
	bool launched;
	int last_cpu; /* where translations of it may be cached, -1: nowhere */

	/* What the VMCS holds: only changes are written. */
	u64 rip, rsp, rflags;
	u32 interruptibility, activity;
	u32 proc;

	/* The page-modification log (29.3.6). */
	bool pml;     /* on */
	u64 pml_page; /* where the processor has it */
};

/* --- enter.c, entry.S */

void vmx_enter(struct vcpu *vcpu);

/*
 * Loads the guest's registers and enters. 0: it ran and exited. Else the flags
 * that VMLAUNCH or VMRESUME left: VMfail.
 */
u64 vmx_switch(u64 *gpr, u64 *host_rsp, bool launched);
#define VMFAIL_INVALID BIT(0) /* CF: no VMCS to hold an error number */

void vmx_switch_return(void); /* where exits arrive */

/* --- VMCS access */

/* A field that is not there or cannot be written: a bug of ours. */
void vmx_field_failed(const char *what, u32 field, u64 value) NORETURN;

static inline u64 vmread(u32 field)
{
	u64 value;

	asm goto("vmread %1, %0\n\t"
		 "jbe %l[failed]"
		 : "=r"(value)
		 : "r"((u64)field)
		 : "cc"
		 : failed);
	return value;
failed:
	vmx_field_failed("VMREAD", field, 0);
}

static inline void vmwrite(u32 field, u64 value)
{
	asm goto("vmwrite %1, %0\n\t"
		 "jbe %l[failed]" ::"r"((u64)field),
		 "r"(value)
		 : "cc", "memory"
		 : failed);
	return;
failed:
	vmx_field_failed("VMWRITE", field, value);
}

/* For dumps: false where this processor has no such field. */
static inline bool vmread_try(u32 field, u64 *value)
{
	bool ok;

	asm volatile("vmread %2, %1"
		     : "=@cca"(ok), "=r"(*value)
		     : "r"((u64)field));
	return ok;
}

/* Sets or clears bits of the processor-based controls, if they change. */
void vmx_set_proc(struct vmx_vcpu *vmx, u32 bits, bool on);

/* --- state.c */

void vmx_get(struct vcpu *vcpu, u32 groups);
void vmx_put(struct vcpu *vcpu, u32 groups);

/* On the way of every exit. */
static inline void vmx_get_core(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	struct vcpu_state *s = &vcpu->state;
	u32 interruptibility = vmread(GUEST_INTERRUPTIBILITY);

	s->rip = vmx->rip = vmread(GUEST_RIP);
	s->gpr[RSP] = vmx->rsp = vmread(GUEST_RSP);
	s->rflags = vmx->rflags = vmread(GUEST_RFLAGS);
	if (unlikely(interruptibility != vmx->interruptibility)) {
		vmx->interruptibility = interruptibility;
		s->shadow = interruptibility & (SHADOW_STI | SHADOW_MOV_SS);
		s->nmi_blocked = !!(interruptibility & INTERRUPTIBILITY_NMI);
	}
	/* Only an entry into another activity can come back with one. */
	if (unlikely(vmx->activity != ACTIVITY_RUN))
		s->activity = vmx->activity = vmread(GUEST_ACTIVITY);
}

/* --- exit.c */

void vmx_decode(struct vcpu *vcpu, u32 reason);

/* --- events.c */

void vmx_inject(struct vcpu *vcpu);
void vmx_interrupted_event(struct vcpu *vcpu, u64 qualification);
void vmx_pending_debug(struct vcpu *vcpu);
void vmx_offer_interrupt(struct vcpu *vcpu, int vector);
bool vmx_offer_nmi(struct vcpu *vcpu);

/* --- ept.c */

const struct slpt_format *vmx_format(void);
u64 vmx_eptp(const struct vcpu *vcpu);
void vmx_flush(struct vcpu *vcpu);
void vmx_flush_all(void);
void vmx_log(struct vcpu *vcpu, bool on);

/* --- rules.c */

/* All fields of a VMCS. */
struct vmcs_image {
	u64 value[VMCS_FIELD_COUNT];
};

/* Pure. E_INVALID: why says which rule of the manual the VMCS breaks. */
err_t vmx_check_controls(const struct vmcs_image *image,
			 const struct vmx_caps *caps, char *why, size_t size);
err_t vmx_check_guest(const struct vmcs_image *image,
		      const struct vmx_caps *caps, char *why, size_t size);

/* --- explain.c */

const char *vmx_error_text(u32 number);

/* To the log: why VMLAUNCH/VMRESUME failed (flags) or exited at once. */
void vmx_explain_vmfail(struct vcpu *vcpu, u64 flags);
void vmx_explain_entry(struct vcpu *vcpu, u32 reason);
void vmx_dump(struct vcpu *vcpu);

#endif
