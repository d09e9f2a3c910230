/*
 * Between run.c and the files that answer exits. A handler changes the vCPU's
 * state as the instruction would, or gives the guest the exception that the
 * instruction would have raised, or ends the VM; it says whether the guest may
 * go on at once.
 */
#ifndef VM_HANDLERS_H
#define VM_HANDLERS_H

#include "vm/vm.h"

enum next_step {
	NEXT_ENTER, /* straight back into the guest */
	NEXT_SKIP,  /* ... behind the instruction that exited */
	NEXT_LEAVE, /* to the scheduler: time, other work, or the VM's end */
};

typedef enum next_step (*exit_handler)(struct vcpu *vcpu, struct vm_exit *exit);

extern const exit_handler exit_handlers[EXIT_REASON_COUNT];

/* exits_asked.c */
enum next_step handle_cpuid(struct vcpu *vcpu, struct vm_exit *exit);
enum next_step handle_hypercall(struct vcpu *vcpu, struct vm_exit *exit);

/* exits_registers.c */
enum next_step handle_cr(struct vcpu *vcpu, struct vm_exit *exit);
enum next_step handle_dr(struct vcpu *vcpu, struct vm_exit *exit);
enum next_step handle_xsetbv(struct vcpu *vcpu, struct vm_exit *exit);

/* emulate_io.c, emulate_mmio.c */
enum next_step handle_io(struct vcpu *vcpu, struct vm_exit *exit);
enum next_step handle_memory(struct vcpu *vcpu, struct vm_exit *exit);

/*
 * Offset in a segment to linear address for an access of n bytes, with the
 * limit and type checks of 16- and 32-bit modes. E_FAULT: *fault is what the
 * guest gets.
 */
err_t segment_linear(struct vcpu *vcpu, enum segment_name name, u64 offset,
		     unsigned n, bool write, u64 *linear,
		     struct exit_exception *fault);

/* Gives the guest the exception in *fault (and CR2, for #PF). */
void vcpu_inject_fault(struct vcpu *vcpu, const struct exit_exception *fault);

/* A register of 1, 2, 4 or 8 bytes; writing 4 clears the upper half. */
static inline void set_gpr(struct vcpu *vcpu, unsigned gpr, unsigned size,
			   u64 value)
{
	u64 *reg = &vcpu->state.gpr[gpr];

	switch (size) {
	case 1:
		*reg = (*reg & ~0xffULL) | (u8)value;
		break;
	case 2:
		*reg = (*reg & ~0xffffULL) | (u16)value;
		break;
	case 4:
		*reg = (u32)value;
		break;
	default:
		*reg = value;
	}
}

#endif
