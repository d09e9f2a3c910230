/* Stepping over instructions and giving the guest exceptions. */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "trace/trace.h"
#include "vm/handlers.h"
#include "vm/walk.h"

void vcpu_inject_fault(struct vcpu *vcpu, const struct exit_exception *fault)
{
	if (fault->vector == EXC_PF) {
		vcpu_need(vcpu, STATE_CONTROL);
		vcpu->state.cr2 = fault->address;
		vcpu_changed(vcpu, STATE_CONTROL);
	}
	vcpu_inject(vcpu, fault->vector, fault->has_error, fault->error);
}

/* The classes of SDM vol. 3A table 6-4. */
static bool contributory(u8 vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

static bool makes_double_fault(u8 first, u8 second)
{
	if (contributory(first))
		return contributory(second);
	return first == EXC_PF && (contributory(second) || second == EXC_PF);
}

void vcpu_inject(struct vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct vcpu_state *s = &vcpu->state;
	struct event *pending = &s->pending;

	if (pending->kind == EVENT_EXCEPTION) {
		if (pending->vector == EXC_DF) {
			vm_crash(vcpu->vm, "triple fault");
			return;
		}
		if (makes_double_fault(pending->vector, vector)) {
			vector = EXC_DF;
			has_error = true;
			error = 0;
		}
	}
	/* Real mode pushes no error codes (SDM vol. 3C 25.2.2). */
	if (has_error) {
		vcpu_need(vcpu, STATE_CONTROL);
		has_error = s->cr0 & CR0_PE;
	}
	*pending = (struct event){
		.kind = EVENT_EXCEPTION,
		.vector = vector,
		.has_error = has_error,
		.error = has_error ? error : 0,
	};
	if (trace_wants(TRACE_INTERRUPTS))
		trace_put(TRACE_INJECT, trace_who(vcpu->vm->index, vcpu->id),
			  vector, EVENT_EXCEPTION, 0, 0);
	/* A fault's saved RFLAGS has RF set (SDM vol. 3B 18.3.1.1). */
	if (vector != EXC_DB)
		s->rflags |= RFLAGS_RF;
	vcpu_changed(vcpu, STATE_CORE);
	vcpu->injected++;
}

/* Single-stepping traps after an emulated instruction as after any other. */
void vcpu_single_step(struct vcpu *vcpu)
{
	vcpu_need(vcpu, STATE_DEBUG);
	vcpu->state.dr6 |= BIT(14); /* BS */
	vcpu_changed(vcpu, STATE_DEBUG);
	vcpu_inject(vcpu, EXC_DB, false, 0);
}

static void truncate_rip(struct vcpu *vcpu)
{
	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	if (state_mode(&vcpu->state) != MODE_64)
		vcpu->state.rip = (u32)vcpu->state.rip;
}

void vcpu_skip_rare(struct vcpu *vcpu, u64 old_rip)
{
	struct vcpu_state *s = &vcpu->state;

	/* A form that no processor has, and QEMU's TCG ran (LOCK CPUID). */
	if (s->rip == old_rip) {
		vcpu_inject_ud(vcpu);
		return;
	}
	if ((s->rip ^ old_rip) >> 32)
		truncate_rip(vcpu);
	s->rflags &= ~RFLAGS_RF;
	if (s->rflags & RFLAGS_TF)
		vcpu_single_step(vcpu);
}

u64 vcpu_tsc(const struct vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}
