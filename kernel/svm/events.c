/*
 * Events into the guest: exceptions and NMIs by EVENTINJ at the next entry,
 * interrupts by V_IRQ, which the processor delivers as soon as the guest can
 * take one, without another exit.
 */
#include "cpu/regs.h"
#include "svm/svm.h"

/* V_IRQ with this vector; -1: without. */
static void set_v_irq(struct svm_vcpu *svm, int vector)
{
	u64 ctl = V_INTR_MASKING;

	if (vector >= 0)
		ctl |= V_IRQ | V_IGN_TPR | V_INTR_PRIO(0xf) |
		       (u64)vector << V_INTR_VECTOR_SHIFT;
	if (svm->vmcb->int_ctl != ctl) {
		svm->vmcb->int_ctl = ctl;
		svm_dirty(svm, CLEAN_TPR);
	}
}

/* --- in: what state.pending says */

/*
 * QEMU's TCG delivers an interrupt from EVENTINJ and keeps it as the exception
 * to raise next. Should the processor look up for anything but an interrupt (a
 * timer with -icount, the end of an RCU period) before the guest's next exit or
 * exception, it comes a second time, and IF is not asked. From V_IRQ it comes
 * once. So there only what another host's exit interrupted is pending; an offer
 * makes way for it until the next exit.
 */
static void inject_by_v_irq(struct svm_vcpu *svm, u8 vector)
{
	if (svm->after & AFTER_IRQ) {
		svm->after &= ~AFTER_IRQ;
		svm->offered = -1;
		svm_come_back(svm);
	}
	set_v_irq(svm, vector);
	svm->after |= AFTER_VIRTUAL;
}

/*
 * INT n, INT3, INTO and INT1 are not injected: RIP is still at the instruction,
 * and executing it again is the same event, on processors with and without
 * next-RIP save alike.
 */
void svm_inject(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	const struct event *event = &vcpu->state.pending;
	u64 info = EVENT_VALID | event->vector;

	switch (event->kind) {
	case EVENT_INTERRUPT:
		if (svm_caps.repeats) {
			inject_by_v_irq(svm, event->vector);
			return;
		}
		info |= TYPE_INTERRUPT << EVENT_TYPE_SHIFT;
		break;
	case EVENT_NMI:
		info |= TYPE_NMI << EVENT_TYPE_SHIFT;
		vcpu->state.nmi_blocked = true;
		svm_watch_iret(svm, true);
		break;
	case EVENT_EXCEPTION:
		info |= TYPE_EXCEPTION << EVENT_TYPE_SHIFT;
		if (event->has_error)
			info |= EVENT_HAS_ERROR | (u64)event->error
							  << EVENT_ERROR_SHIFT;
		break;
	default:
		return;
	}
	svm->vmcb->event_inj = info;
	svm->after |= AFTER_EVENT;
}

/* --- out: an event whose delivery the exit has interrupted (15.7.2) */

void svm_interrupted_event(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	u64 info = svm->vmcb->exit_int_info;
	unsigned type = info >> EVENT_TYPE_SHIFT & EVENT_TYPE;
	u8 vector = info & EVENT_VECTOR;
	struct event *event = &vcpu->state.pending;

	/*
	 * QEMU's TCG says of an interrupt from V_IRQ that it is an exception.
	 * It is pending again already, or still offered and comes by itself.
	 */
	if (type == TYPE_EXCEPTION &&
	    ((event->kind == EVENT_INTERRUPT && vector == event->vector) ||
	     ((svm->after & AFTER_IRQ) && vector == svm->offered)))
		return;
	*event = (struct event){.kind = EVENT_NONE};
	switch (type) {
	case TYPE_INTERRUPT:
		event->kind = EVENT_INTERRUPT;
		break;
	case TYPE_NMI:
		/* As if its delivery had not begun. */
		event->kind = EVENT_NMI;
		vcpu->state.nmi_blocked = false;
		break;
	case TYPE_EXCEPTION:
		/* INT3 and INTO: executed again, see svm_inject(). */
		if (vector == EXC_BP || vector == EXC_OF)
			return;
		event->kind = EVENT_EXCEPTION;
		event->has_error = !!(info & EVENT_HAS_ERROR);
		event->error = info >> EVENT_ERROR_SHIFT;
		break;
	default:
		return;
	}
	event->vector = vector;
}

/*
 * QEMU's TCG forgets the interrupt shadow at entry. Where the host's own
 * business ended the run before the guest has executed anything, it still
 * holds: else an interrupt would come between STI and HLT, and nothing after
 * it.
 */
static void keep_shadow(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vcpu_state *s = &vcpu->state;
	u32 code = svm->vmcb->exit_code;

	if ((svm->after & AFTER_SHADOW) && s->rip == svm->shadow_rip &&
	    (code == VMEXIT_INTR || code == VMEXIT_NMI) && !s->shadow) {
		s->shadow = SHADOW_STI;
		vcpu_changed(vcpu, STATE_CORE);
	}
	svm->shadow_rip = s->rip;
	svm->after &= ~AFTER_SHADOW;
	if (s->shadow)
		svm->after |= AFTER_SHADOW;
}

/* What was injected by V_IRQ has been delivered, or is pending as before. */
static void take_back(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	u64 ctl = svm->vmcb->int_ctl;

	if (ctl & V_IRQ)
		vcpu->state.pending = (struct event){
			.kind = EVENT_INTERRUPT,
			.vector = ctl >> V_INTR_VECTOR_SHIFT,
		};
	set_v_irq(svm, -1);
}

/* What was armed for this entry only. */
void svm_after_exit(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vmcb *vmcb = svm->vmcb;

	if (svm->after & AFTER_FLUSH)
		vmcb->tlb_control = TLB_NOTHING;
	if (svm->after & AFTER_EVENT)
		vmcb->event_inj = 0;
	if (svm->after & AFTER_VIRTUAL)
		take_back(vcpu);
	keep_shadow(vcpu);
	svm->after &= AFTER_IRQ | AFTER_IRET | AFTER_SHADOW;
	if ((svm->after & AFTER_IRET) && vmcb->rip != svm->iret_rip) {
		vcpu->state.nmi_blocked = false;
		svm->after &= ~AFTER_IRET;
	}
	/* An offer that a shadow or an event was in the way of: both are over.
	 */
	if (svm->retry_at != ~0ULL && !vcpu->state.shadow)
		vcpu_request(vcpu, REQUEST_INTERRUPT);
	if (!(svm->after & AFTER_IRQ))
		return;
	if (!(vmcb->int_ctl & V_IRQ)) {
		vcpu->taken = svm->offered;
		svm->offered = -1;
		svm->after &= ~AFTER_IRQ;
	} else if (vmcb->rflags & RFLAGS_IF) {
		/* It may be possible to inject now: see the offer. */
		vcpu_request(vcpu, REQUEST_INTERRUPT);
	}
}

/* --- NMIs are blocked from their delivery to the next IRET, and no bit says so
 * here (15.20): that IRET is intercepted. */

void svm_watch_iret(struct svm_vcpu *svm, bool on)
{
	u32 misc1 = svm->vmcb->intercept_misc1 & ~INTERCEPT_IRET;

	if (on)
		misc1 |= INTERCEPT_IRET;
	if (misc1 == svm->vmcb->intercept_misc1)
		return;
	svm->vmcb->intercept_misc1 = misc1;
	svm_dirty(svm, CLEAN_INTERCEPTS);
}

/* --- offers */

/*
 * What the guest can take at once is injected. What it cannot goes to V_IRQ and
 * comes by itself as soon as it can; the priority is worked out by the local
 * APIC already. (Bochs 2.7 does not deliver V_IRQ to a guest entered with IF=1
 * until that changes IF; QEMU's TCG does not load the interrupt shadow, so
 * nothing is offered in one, and we come back when it is over.)
 *
 * Where EVENTINJ repeats it, all of it goes to V_IRQ. There it counts as taken
 * only when V_IRQ is clear: TCG looks at one thing at a time between pieces of
 * code, and when that is the host's own timer, the guest goes on first; it may
 * halt, or reach a device.
 */
void svm_offer_interrupt(struct vcpu *vcpu, int vector)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vcpu_state *s = &vcpu->state;

	if (vector >= 0 && s->shadow) {
		svm_come_back(svm);
		vector = -1;
	} else if (vector >= 0 && !svm_caps.repeats &&
		   s->pending.kind == EVENT_NONE && (s->rflags & RFLAGS_IF)) {
		s->pending = (struct event){.kind = EVENT_INTERRUPT,
					    .vector = vector};
		vcpu->taken = vector;
		vector = -1;
	}
	svm->after &= ~AFTER_IRQ;
	if (vector >= 0)
		svm->after |= AFTER_IRQ;
	svm->offered = vector;
	set_v_irq(svm, vector);
}

/*
 * There is no NMI window. While an NMI is handled, IRET exits; it is executed
 * with the next entry, and the exit after that finds NMIs open again.
 */
bool svm_offer_nmi(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;
	struct vcpu_state *s = &vcpu->state;
	bool now =
		s->pending.kind == EVENT_NONE && !s->shadow && !s->nmi_blocked;

	if (now)
		s->pending =
			(struct event){.kind = EVENT_NMI, .vector = EXC_NMI};
	else if (!s->nmi_blocked || (svm->after & AFTER_IRET))
		svm_come_back(svm);
	return now;
}
