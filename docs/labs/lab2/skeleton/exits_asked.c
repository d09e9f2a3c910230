/*
 * Lab 2: answer exits. This file takes the place of kernel/vm/exits_asked.c.
 *
 * The engine has already turned the hardware's exit into struct vm_exit, and
 * looked up the handler in the table of kernel/vm/exits.c. vcpu->state.gpr[]
 * are the guest's registers, by RAX, RBX, RCX, ...; what is written there, the
 * guest has when it goes on. kernel/vm/handlers.h tells what a handler may
 * answer.
 */
#include "docs/labs/lab2/calls.h"
#include "lib/log.h"
#include "vm/handlers.h"
#include "vm/memory.h"
#include "vm/model.h"

/*
 * TODO 1: CPUID. The guest asks for leaf EAX, subleaf ECX (only 32 bits of each
 * count), and gets EAX, EBX, ECX and EDX; in 64-bit mode their upper halves
 * become zero. model_cpuid() knows the answer for this guest.
 *
 * The instruction is then done: the guest must not execute it again.
 */
enum next_step handle_cpuid(struct vcpu *vcpu, struct vm_exit *exit)
{
	return NEXT_LEAVE;
}

/* Given: does the guest run 64-bit code? */
static bool in_64_bit_code(struct vcpu *vcpu)
{
	vcpu_need_fetch(vcpu);
	return vcpu->state.seg[CS].attr & SEG_L;
}

/* Given: did user mode ask? In 64-bit code CS tells, and is at hand. */
static bool from_user(struct vcpu *vcpu)
{
	if (in_64_bit_code(vcpu))
		return vcpu->state.seg[CS].selector & 3;
	vcpu_need(vcpu, STATE_SEGMENTS);
	return state_cpl(&vcpu->state) != 0;
}

/*
 * TODO 3: CALL_SAY. Everything comes from the guest, which may be hostile: the
 * length is checked before anything else; guest_read() checks the address, and
 * copies. Look at the copy only: another vCPU may be writing to the original.
 * log_info("%s says: %s", vcpu->vm->config.name, text) is the line.
 */
static i64 call_say(struct vcpu *vcpu, u64 gpa, u64 bytes)
{
	return CALL_UNKNOWN;
}

/*
 * TODO 4: CALL_SUM. A page of words does not fit on the hypervisor's stack, and
 * memory that a guest makes us allocate is memory that it can exhaust: copy in
 * pieces. Is there a count for which count * 8 is small again?
 */
static i64 call_sum(struct vcpu *vcpu, u64 gpa, u64 count)
{
	return CALL_UNKNOWN;
}

/*
 * TODO 2: hypercalls. Tell user mode CALL_FORBIDDEN; do CALL_WHO; hand the
 * other two their arguments; answer CALL_UNKNOWN for what you do not know.
 * Outside 64-bit code take and give 32 bits.
 */
enum next_step handle_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	return NEXT_LEAVE;
}
