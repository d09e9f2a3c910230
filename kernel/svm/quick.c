/*
 * What is answered at the door: an exit that needs nothing but general
 * registers and RIP goes back into the guest before the rest of the world is
 * exchanged. That is CPUID, of leaves whose answer is fixed, while nobody waits
 * for anything; all else takes the whole way.
 *
 * FS, GS and TR are the guest's here, and GIF is clear: no this_cpu(), no log.
 */
#include "cpu/regs.h"
#include "svm/svm.h"
#include "trace/trace.h"
#include "vm/fetch.h"
#include "vm/model.h"
#include "vm/vm.h"

/*
 * Nothing happened but the exit, and nothing else is to be done, not even a
 * trace.
 */
static inline bool is_quiet(const struct vcpu *vcpu, const struct vmcb *vmcb,
			    u64 now)
{
	const struct svm_vcpu *svm = vcpu->hw;
	u64 special = svm->after | trace_wanted |
		      (vmcb->int_state & INTERRUPT_SHADOW) |
		      (vmcb->exit_int_info & EVENT_VALID) |
		      (vmcb->rflags & VCPU_SKIP_FLAGS) |
		      __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED);

	return !special && now < vcpu->look_at &&
	       vcpu->flushed == vcpu->vm->slpt.narrowed;
}

/* 0: not known here. */
static inline unsigned length_of(const struct vcpu *vcpu,
				 const struct vmcb *vmcb)
{
	const u8 *code;

	if (!(vmcb->cs.attr & SEG_L))
		return 0;
	if (svm_caps.tells)
		return vmcb->nrip - vmcb->rip;
	code = code_cached(&vcpu->code, vmcb->rip, vmcb->cr3);
	return code && code[0] == 0x0f && code[1] == 0xa2 ? 2 : 0;
}

bool svm_quick(struct vcpu *vcpu)
{
	struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;
	struct exit_count *count = &vcpu->exits[EXIT_CPUID];
	const struct cpuid_result *row;
	unsigned length;
	u64 now;

	if ((u32)vmcb->exit_code != VMEXIT_CPUID)
		return false;
	now = rdtsc();
	row = model_cpuid_fixed(vcpu->vm->model, vmcb->rax);
	length = length_of(vcpu, vmcb);
	if (unlikely(!row || !length || !is_quiet(vcpu, vmcb, now)))
		return false;
	vmcb->rax = row->eax;
	vcpu->state.gpr[RBX] = row->ebx;
	vcpu->state.gpr[RCX] = row->ecx;
	vcpu->state.gpr[RDX] = row->edx;
	vmcb->rip += length;
	vmcb->clean = CLEAN_ALL;
	count->count++;
	count->cycles += rdtsc() - now;
	return true;
}
