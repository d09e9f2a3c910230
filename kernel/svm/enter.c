/* The round trip: into the guest, and what every exit needs on the way back. */
#include "svm/svm.h"

/*
 * TCG has spoiled the save area then, and taken the event out: what was to be
 * entered is made anew from what is known, explained, and loaded whole the next
 * time.
 */
static void failed_entry(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;

	svm_put(vcpu, vcpu->valid & STATE_ALL);
	svm_inject(vcpu);
	svm_explain_entry(vcpu);
	svm->vmcb->event_inj = 0;
	svm->vmcb->clean = 0;
	svm_offer_interrupt(vcpu, -1);
	svm->after &= ~(AFTER_EVENT | AFTER_VIRTUAL);
	vcpu->valid = vcpu->dirty = STATE_ALL;
	vcpu->exit.code = VMEXIT_INVALID;
	vcpu->exit.reason = EXIT_ENTRY_FAILED;
	vcpu->exit.ilen = 0;
}

/*
 * The way in: what has changed into the VMCB, then the switch, which comes back
 * in svm_exited(). Each is the other's last call: nothing is kept on the stack
 * that the switch would not keep anyway.
 */
void svm_enter(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;

	if (likely(vcpu->dirty == STATE_CORE)) {
		svm_put_core(vcpu);
		vcpu->dirty = 0;
	} else if (vcpu->dirty) {
		svm_put(vcpu, vcpu->dirty);
	}
	if (unlikely(vcpu->state.pending.kind != EVENT_NONE))
		svm_inject(vcpu);
	svm->vmcb->rax = vcpu->state.gpr[RAX];
	svm_switch(vcpu, svm->vmcb_phys, svm->host_vmcb);
}

void svm_exited(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vmcb *vmcb = svm->vmcb;
	struct vcpu_state *s = &vcpu->state;

	u32 code = vmcb->exit_code;

	if (unlikely(code == VMEXIT_INVALID)) {
		if (!svm_is_bad_cr3_write(vcpu)) {
			failed_entry(vcpu);
			return;
		}
		code = VMEXIT_EXCEPTION + EXC_GP;
		vmcb->exit_info1 = 0;
	}
	vmcb->clean = CLEAN_ALL;
	s->pending.kind = EVENT_NONE;
	s->gpr[RAX] = vmcb->rax;
	s->gpr[RSP] = vmcb->rsp;
	s->rip = vmcb->rip;
	s->rflags = vmcb->rflags;
	s->shadow = vmcb->int_state & INTERRUPT_SHADOW;
	/*
	 * What fetching an instruction needs. CR0, CR4 and EFER are in the
	 * state already: the guest cannot change them without an exit.
	 */
	s->seg[CS] = vmcb->cs;
	s->cr3 = vmcb->cr3;
	vcpu->valid = STATE_CORE | STATE_FETCH;
	if (unlikely(svm->after | s->shadow))
		svm_after_exit(vcpu);
	if (unlikely(vmcb->exit_int_info & EVENT_VALID))
		svm_interrupted_event(vcpu);
	svm_decode(vcpu, vmcb, code);
}
