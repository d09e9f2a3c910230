#include "vm/shootdown.h"

#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "vm/vm.h"

void tables_begin(struct vm *vm)
{
	spin_lock(&vm->tables_lock);
	__atomic_store_n(&vm->tables_changing, true, __ATOMIC_SEQ_CST);
}

void tables_yield(struct vm *vm)
{
	spin_unlock(&vm->tables_lock);
	spin_lock(&vm->tables_lock);
}

/*
 * A vCPU that is not running looks at its requests before it runs again. One
 * that is will be kicked out and flush before it goes on.
 */
static bool may_hold_old(const struct vcpu *vcpu, u64 narrowed)
{
	return __atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&vcpu->flushed, __ATOMIC_ACQUIRE) < narrowed;
}

void tables_end(struct vm *vm)
{
	u64 narrowed = vm->slpt.narrowed;

	for (unsigned i = 0; i < vm->vcpus; i++)
		if (vm->vcpu[i]->flushed != narrowed)
			vcpu_kick(vm->vcpu[i], REQUEST_FLUSH);
	__atomic_store_n(&vm->tables_changing, false, __ATOMIC_SEQ_CST);
	spin_unlock(&vm->tables_lock);
	for (unsigned i = 0; i < vm->vcpus; i++)
		while (may_hold_old(vm->vcpu[i], narrowed))
			cpu_relax();
}

const char *ledger_mismatch(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	if (likely(vcpu->flushed ==
		   __atomic_load_n(&vm->slpt.narrowed, __ATOMIC_SEQ_CST)))
		return NULL;
	/* In the middle of a change, or asked to flush: it will come to that.
	 */
	if (__atomic_load_n(&vm->tables_changing, __ATOMIC_SEQ_CST) ||
	    (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) &
	     REQUEST_FLUSH))
		return NULL;
	return vm->slpt.last_change;
}
