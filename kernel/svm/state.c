/* The canonical state in and out of the VMCB, by groups. */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "svm/svm.h"

#define SEG_ACCESSED BIT(0) /* of code and data */
#define SEG_BUSY     BIT(1) /* of a TSS */

/* --- core: as svm_exited() does it for every exit */

static void get_core(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	s->gpr[RSP] = vmcb->rsp;
	s->rip = vmcb->rip;
	s->rflags = vmcb->rflags;
	s->shadow = vmcb->int_state & INTERRUPT_SHADOW;
}

/* --- segments: the VMCB's format is the canonical one */

/*
 * Processors differ in what they keep of a loaded descriptor's attributes: some
 * drop G, or A. The limit, in bytes, says what G must be, and what is loaded
 * has been accessed.
 */
static void complete(struct segment *seg)
{
	if (seg->limit >> 20)
		seg->attr |= SEG_G;
	else if ((seg->limit & PAGE_MASK) != PAGE_MASK)
		seg->attr &= ~SEG_G;
	if (seg->attr & SEG_S)
		seg->attr |= SEG_ACCESSED;
}

static void get_segments(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	s->seg[ES] = vmcb->es;
	s->seg[CS] = vmcb->cs;
	s->seg[SS] = vmcb->ss;
	s->seg[DS] = vmcb->ds;
	s->seg[FS] = vmcb->fs;
	s->seg[GS] = vmcb->gs;
	s->seg[LDTR] = vmcb->ldtr;
	s->seg[TR] = vmcb->tr;
	for (unsigned i = 0; i < SEGMENTS; i++)
		complete(&s->seg[i]);
	/* The privilege level has a field of its own here (15.5.1). */
	s->seg[SS].attr =
		(s->seg[SS].attr & ~SEG_DPL) | vmcb->cpl << SEG_DPL_SHIFT;
	/* A loaded TSS is a busy one, whatever the processor noted. */
	s->seg[TR].attr |= SEG_BUSY;
	s->gdtr.base = vmcb->gdtr.base;
	s->gdtr.limit = vmcb->gdtr.limit;
	s->idtr.base = vmcb->idtr.base;
	s->idtr.limit = vmcb->idtr.limit;
	state_normalise(s);
}

static void put_segments(struct vcpu *vcpu, struct vmcb *vmcb)
{
	const struct vcpu_state *s = &vcpu->state;

	vmcb->es = s->seg[ES];
	vmcb->cs = s->seg[CS];
	vmcb->ss = s->seg[SS];
	vmcb->ds = s->seg[DS];
	vmcb->fs = s->seg[FS];
	vmcb->gs = s->seg[GS];
	vmcb->ldtr = s->seg[LDTR];
	vmcb->tr = s->seg[TR];
	vmcb->cpl = state_cpl(s);
	vmcb->gdtr.base = s->gdtr.base;
	vmcb->gdtr.limit = s->gdtr.limit;
	vmcb->idtr.base = s->idtr.base;
	vmcb->idtr.limit = s->idtr.limit;
	vmcb->clean &= ~(CLEAN_SEG | CLEAN_DT);
}

/* --- control registers: EFER.SVME is ours */

static void get_control(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	s->cr0 = vmcb->cr0;
	s->cr2 = vmcb->cr2;
	s->cr3 = vmcb->cr3;
	s->cr4 = vmcb->cr4;
	s->efer = vmcb->efer & ~EFER_SVME;
	s->pat = vmcb->g_pat;
	/* With nested paging PDPTEs are read at each walk (15.25.10). */
	s->pdpte_valid = false;
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = 0;
}

static void put_control(struct vcpu *vcpu, struct vmcb *vmcb)
{
	const struct vcpu_state *s = &vcpu->state;

	vmcb->cr0 = s->cr0;
	/* Bochs 2.7 reads CR2 from the VMCB and then forgets to load it. */
	write_cr2(vmcb->cr2 = s->cr2);
	vmcb->cr3 = s->cr3;
	vmcb->cr4 = s->cr4;
	vmcb->efer = s->efer | EFER_SVME;
	vmcb->g_pat = s->pat;
	vmcb->clean &= ~(CLEAN_CR | CLEAN_CR2 | CLEAN_NP);
}

/* --- debug registers and MSRs */

static void get_debug(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	vcpu->state.dr6 = vmcb->dr6;
	vcpu->state.dr7 = vmcb->dr7;
	vcpu->state.debugctl = vmcb->debugctl;
}

static void put_debug(struct vcpu *vcpu, struct vmcb *vmcb)
{
	vmcb->dr6 = vcpu->state.dr6;
	vmcb->dr7 = vcpu->state.dr7;
	vmcb->debugctl = vcpu->state.debugctl;
	vmcb->clean &= ~(CLEAN_DR | CLEAN_LBR);
}

/* VMLOAD loads these: it knows no clean bits. */
static void get_msrs(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	s->star = vmcb->star;
	s->lstar = vmcb->lstar;
	s->cstar = vmcb->cstar;
	s->sfmask = vmcb->sfmask;
	s->kernel_gs_base = vmcb->kernel_gs_base;
	s->sysenter_cs = vmcb->sysenter_cs;
	s->sysenter_esp = vmcb->sysenter_esp;
	s->sysenter_eip = vmcb->sysenter_eip;
}

static void put_msrs(struct vcpu *vcpu, struct vmcb *vmcb)
{
	const struct vcpu_state *s = &vcpu->state;

	vmcb->star = s->star;
	vmcb->lstar = s->lstar;
	vmcb->cstar = s->cstar;
	vmcb->sfmask = s->sfmask;
	vmcb->kernel_gs_base = s->kernel_gs_base;
	vmcb->sysenter_cs = s->sysenter_cs;
	vmcb->sysenter_esp = s->sysenter_esp;
	vmcb->sysenter_eip = s->sysenter_eip;
}

/* --- by groups */

void svm_get(struct vcpu *vcpu, u32 groups)
{
	const struct svm_vcpu *svm = vcpu->hw;
	const struct vmcb *vmcb = svm->vmcb;

	if (groups & STATE_CORE)
		get_core(vcpu, vmcb);
	if (groups & STATE_SEGMENTS)
		get_segments(vcpu, vmcb);
	if (groups & STATE_CONTROL)
		get_control(vcpu, vmcb);
	if (groups & STATE_DEBUG)
		get_debug(vcpu, vmcb);
	if (groups & STATE_MSRS)
		get_msrs(vcpu, vmcb);
}

void svm_put(struct vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vmcb *vmcb = svm->vmcb;

	if (groups & STATE_CORE)
		svm_put_core(vcpu);
	if (groups & STATE_SEGMENTS)
		put_segments(vcpu, vmcb);
	if (groups & STATE_CONTROL)
		put_control(vcpu, vmcb);
	if (groups & STATE_DEBUG)
		put_debug(vcpu, vmcb);
	if (groups & STATE_MSRS)
		put_msrs(vcpu, vmcb);
	/* Of a state that was loaded, this is in no register. */
	svm_watch_iret(svm,
		       vcpu->state.nmi_blocked && !(svm->after & AFTER_IRET));
	vcpu->dirty &= ~groups;
}
