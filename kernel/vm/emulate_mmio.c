/*
 * Second-level faults. On RAM: a right was taken away, to see the write; it is
 * counted and given back. Elsewhere: a device's memory, or nothing; the
 * instruction is decoded and done here.
 */
#include "vm/handlers.h"

static enum next_step ram_fault(struct vcpu *vcpu, u64 gpa)
{
	struct vm *vm = vcpu->vm;
	u64 page = gpa & ~PAGE_MASK;

	spin_lock(&vm->tables_lock);
	vm->write_faults++;
	if (slpt_protect(&vm->slpt, page, PAGE_SIZE, SLPT_RWX))
		vm_crash(vm, "no memory to unprotect GPA %lx", page);
	spin_unlock(&vm->tables_lock);
	return NEXT_ENTER;
}

enum next_step handle_memory(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct exit_memory *m = &exit->memory;

	if (guest_is_ram(&vcpu->vm->memory, m->gpa, 1))
		return ram_fault(vcpu, m->gpa);
	vm_crash(vcpu->vm, "access %x to GPA %lx: nothing there", m->access,
		 m->gpa);
	return NEXT_LEAVE;
}
