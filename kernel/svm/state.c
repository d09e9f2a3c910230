/*
 * The canonical state in and out of the VMCB, by groups: mostly words that both
 * have, listed in tables.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "svm/svm.h"

/* --- the words, 64 bits each, by their places in both */

struct word {
	u16 in_state, in_vmcb;
};

#define WORD(state_member, vmcb_member)                        \
	{                                                      \
		offsetof(struct vcpu_state, state_member) / 8, \
			offsetof(struct vmcb, vmcb_member) / 8 \
	}
/* Selector, attributes and limit are one word, the base is another. */
#define SEGMENT(name, vmcb_member)                      \
	WORD(seg[name].selector, vmcb_member.selector), \
		WORD(seg[name].base, vmcb_member.base)

_Static_assert(sizeof(struct segment) == 16, "two words");

static const struct word segment_words[] = {
	SEGMENT(ES, es),
	SEGMENT(CS, cs),
	SEGMENT(SS, ss),
	SEGMENT(DS, ds),
	SEGMENT(FS, fs),
	SEGMENT(GS, gs),
	SEGMENT(LDTR, ldtr),
	SEGMENT(TR, tr),
	WORD(gdtr.base, gdtr.base),
	WORD(idtr.base, idtr.base),
};

static const struct word control_words[] = {
	WORD(cr0, cr0), WORD(cr2, cr2),	  WORD(cr3, cr3),
	WORD(cr4, cr4), WORD(efer, efer), WORD(pat, g_pat),
};

static const struct word debug_words[] = {
	WORD(dr6, dr6),
	WORD(dr7, dr7),
	WORD(debugctl, debugctl),
};

static const struct word msr_words[] = {
	WORD(star, star),
	WORD(lstar, lstar),
	WORD(cstar, cstar),
	WORD(sfmask, sfmask),
	WORD(kernel_gs_base, kernel_gs_base),
	WORD(sysenter_cs, sysenter_cs),
	WORD(sysenter_esp, sysenter_esp),
	WORD(sysenter_eip, sysenter_eip),
};

static void get_words(struct vcpu *vcpu, const struct vmcb *vmcb,
		      const struct word *words, size_t n)
{
	for (; n-- > 0; words++)
		((u64 *)&vcpu->state)[words->in_state] =
			((const u64 *)vmcb)[words->in_vmcb];
}

static void put_words(const struct vcpu *vcpu, struct vmcb *vmcb,
		      const struct word *words, size_t n)
{
	for (; n-- > 0; words++)
		((u64 *)vmcb)[words->in_vmcb] =
			((const u64 *)&vcpu->state)[words->in_state];
}

#define GET_WORDS(words) get_words(vcpu, vmcb, words, ARRAY_LEN(words))
#define PUT_WORDS(words) put_words(vcpu, vmcb, words, ARRAY_LEN(words))

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

static void get_segments(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	GET_WORDS(segment_words);
	/* The privilege level has a field of its own here (15.5.1). */
	s->seg[SS].attr =
		(s->seg[SS].attr & ~SEG_DPL) | vmcb->cpl << SEG_DPL_SHIFT;
	/* A loaded TSS is a busy one, whatever the processor noted. */
	s->seg[TR].attr |= 2;
	s->gdtr.limit = vmcb->gdtr.limit;
	s->idtr.limit = vmcb->idtr.limit;
	state_normalise(s);
}

static void put_segments(struct vcpu *vcpu, struct vmcb *vmcb)
{
	const struct vcpu_state *s = &vcpu->state;

	PUT_WORDS(segment_words);
	vmcb->cpl = state_cpl(s);
	vmcb->gdtr.limit = s->gdtr.limit;
	vmcb->idtr.limit = s->idtr.limit;
}

/* --- control registers: EFER.SVME is ours */

static void get_control(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vcpu_state *s = &vcpu->state;

	GET_WORDS(control_words);
	s->efer &= ~EFER_SVME;
	/* With nested paging PDPTEs are read at each walk (15.25.10). */
	s->pdpte_valid = false;
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = 0;
}

static void put_control(struct vcpu *vcpu, struct vmcb *vmcb)
{
	PUT_WORDS(control_words);
	vmcb->efer |= EFER_SVME;
	/* Bochs 2.7 reads CR2 from the VMCB and then forgets to load it. */
	write_cr2(vmcb->cr2);
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
		GET_WORDS(debug_words);
	if (groups & STATE_MSRS)
		GET_WORDS(msr_words);
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
		PUT_WORDS(debug_words);
	if (groups & STATE_MSRS)
		PUT_WORDS(msr_words);
	/* MSRs are loaded by VMLOAD, which knows no clean bits. */
	svm_dirty(svm, CLEAN_CR | CLEAN_DR | CLEAN_DT | CLEAN_SEG | CLEAN_CR2 |
			       CLEAN_NP);
	vcpu->dirty &= ~groups;
}
