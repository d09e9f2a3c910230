/* What a guest asks by an instruction made for it: CPUID, and hypercalls. */
#include "vm/handlers.h"
#include "vm/model.h"

static void answer_cpuid(u64 *gpr, const struct cpuid_result *r)
{
	gpr[RAX] = r->eax;
	gpr[RBX] = r->ebx;
	gpr[RCX] = r->ecx;
	gpr[RDX] = r->edx;
}

static enum next_step __attribute__((noinline))
handle_rare_cpuid(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr;
	struct cpuid_result r;

	model_cpuid(vcpu, gpr[RAX], gpr[RCX], &r);
	answer_cpuid(gpr, &r);
	return NEXT_SKIP;
}

enum next_step handle_cpuid(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct cpuid_result *r =
		model_cpuid_fixed(vcpu->vm->model, vcpu->state.gpr[RAX]);

	if (unlikely(!r))
		return handle_rare_cpuid(vcpu);
	answer_cpuid(vcpu->state.gpr, r);
	return NEXT_SKIP;
}

/*
 * Nothing is offered yet, so every number is unknown; what a guest asks from
 * user mode is refused as such. The values are those that KVM's guests know.
 */
#define HYPERCALL_UNKNOWN   (-1000)
#define HYPERCALL_FORBIDDEN (-1)

/* In 64-bit code CS tells the privilege level, and is at hand. */
static bool from_user(struct vcpu *vcpu)
{
	const struct segment *cs = &vcpu->state.seg[CS];

	vcpu_need_fetch(vcpu);
	if (cs->attr & SEG_L)
		return cs->selector & 3;
	vcpu_need(vcpu, STATE_SEGMENTS);
	return state_cpl(&vcpu->state) != 0;
}

enum next_step handle_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	i64 answer = from_user(vcpu) ? HYPERCALL_FORBIDDEN : HYPERCALL_UNKNOWN;

	vcpu->state.gpr[RAX] =
		vcpu->state.seg[CS].attr & SEG_L ? (u64)answer : (u32)answer;
	return NEXT_SKIP;
}
