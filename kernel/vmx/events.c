/*
 * Events into the guest: injected at the next entry, when the guest can take
 * them; else a window is opened, which exits as soon as it can.
 */
#include "cpu/regs.h"
#include "vmx/vmx.h"

static const u8 type_of_kind[] = {
	[EVENT_INTERRUPT] = TYPE_INTERRUPT,
	[EVENT_NMI] = TYPE_NMI,
	[EVENT_EXCEPTION] = TYPE_EXCEPTION,
	[EVENT_SOFT_INTERRUPT] = TYPE_SOFT_INTERRUPT,
	[EVENT_SOFT_EXCEPTION] = TYPE_SOFT_EXCEPTION,
	[EVENT_ICEBP] = TYPE_PRIVILEGED,
};

static const u8 kind_of_type[] = {
	[TYPE_INTERRUPT] = EVENT_INTERRUPT,
	[TYPE_NMI] = EVENT_NMI,
	[TYPE_EXCEPTION] = EVENT_EXCEPTION,
	[TYPE_SOFT_INTERRUPT] = EVENT_SOFT_INTERRUPT,
	[TYPE_SOFT_EXCEPTION] = EVENT_SOFT_EXCEPTION,
	[TYPE_PRIVILEGED] = EVENT_ICEBP,
	[TYPE_OTHER] = EVENT_NONE,
};

/* INT n, INT3, INTO and INT1 push the address behind themselves. */
static bool has_length(u8 kind)
{
	return kind >= EVENT_SOFT_INTERRUPT;
}

/* --- in: what state.pending says */

/*
 * A single-step trap that waits behind a shadow is held as a pending debug
 * exception, and entries insist that it is there exactly when RFLAGS.TF says so
 * (27.3.1.5).
 */
void vmx_pending_debug(struct vcpu *vcpu)
{
	u64 pending = vmread(GUEST_PENDING_DEBUG) & ~PENDING_DEBUG_BS;
	const u64 btf = BIT(1); /* of IA32_DEBUGCTL: step by branches */

	if ((vcpu->state.rflags & RFLAGS_TF) && !(vmread(GUEST_DEBUGCTL) & btf))
		pending |= PENDING_DEBUG_BS;
	vmwrite(GUEST_PENDING_DEBUG, pending);
}

/* Error codes are pushed in protected mode only, and entries insist (27.2.1.3).
 */
static bool pushes_error(const struct event *event)
{
	return event->has_error && (vmread(GUEST_CR0) & CR0_PE);
}

void vmx_inject(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;
	const struct event *event = &s->pending;
	u32 info = EVENT_VALID | event->vector |
		   (u32)type_of_kind[event->kind] << EVENT_TYPE_SHIFT;

	if (pushes_error(event)) {
		info |= EVENT_HAS_ERROR;
		vmwrite(ENTRY_EVENT_ERROR, event->error);
	}
	if (has_length(event->kind))
		vmwrite(ENTRY_EVENT_LENGTH, event->ilen);
	if (unlikely(s->shadow))
		vmx_pending_debug(vcpu);
	vmwrite(ENTRY_EVENT, info);
}

/* --- out: an event whose delivery the exit has interrupted (28.2.4) */

/*
 * It is pending again, as if its delivery had not begun: an NMI does not block
 * NMIs yet. If it was IRET that failed, not a delivery, the NMI that IRET was
 * about to end is not over (28.2.3).
 */
void vmx_interrupted_event(struct vcpu *vcpu, u64 qualification)
{
	struct vcpu_state *s = &vcpu->state;
	struct event *event = &s->pending;
	u32 info = vmread(IDT_VECTORING);

	if (!(info & EVENT_VALID)) {
		if (qualification & EPT_QUAL_IRET) {
			s->nmi_blocked = true;
			vcpu_changed(vcpu, STATE_CORE);
		}
		return;
	}
	*event = (struct event){
		.kind = kind_of_type[info >> EVENT_TYPE_SHIFT & EVENT_TYPE],
		.vector = info & EVENT_VECTOR,
		.has_error = !!(info & EVENT_HAS_ERROR),
	};
	if (event->has_error)
		event->error = vmread(IDT_VECTORING_ERROR);
	if (has_length(event->kind))
		event->ilen = vmread(EXIT_LENGTH);
	if (event->kind == EVENT_NMI) {
		s->nmi_blocked = false;
		vcpu_changed(vcpu, STATE_CORE);
	}
}

/* --- offers */

void vmx_offer_interrupt(struct vcpu *vcpu, int vector)
{
	struct vcpu_state *s = &vcpu->state;
	bool now = vector >= 0 && s->pending.kind == EVENT_NONE && !s->shadow &&
		   (s->rflags & RFLAGS_IF);

	if (now) {
		s->pending = (struct event){.kind = EVENT_INTERRUPT,
					    .vector = vector};
		vcpu->taken = vector;
	}
	vmx_set_proc(vcpu->hw, PROC_INTERRUPT_WINDOW, vector >= 0 && !now);
}

/*
 * STI does not hold NMIs back, and the NMI window may open behind it at once;
 * but some processors refuse to inject one there (27.3.1.5), so the shadow
 * ends, as it would by taking the NMI.
 */
bool vmx_offer_nmi(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;
	bool now = s->pending.kind == EVENT_NONE && !s->nmi_blocked &&
		   !(s->shadow & SHADOW_MOV_SS);

	if (now) {
		s->pending =
			(struct event){.kind = EVENT_NMI, .vector = EXC_NMI};
		s->shadow = 0;
		vcpu_changed(vcpu, STATE_CORE);
	}
	vmx_set_proc(vcpu->hw, PROC_NMI_WINDOW, !now);
	return now;
}
