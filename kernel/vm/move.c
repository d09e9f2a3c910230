#include "vm/move.h"

#include "cpu/time.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/machine.h"

/* --- source */

/*
 * One instant for all its clocks: later than all that its vCPUs have seen,
 * whichever CPU they ran on.
 */
err_t vm_freeze(struct vm *vm)
{
	if (!vm_halt(vm, VM_MOVING))
		return E_STATE;
	vm->frozen_tsc = rdtsc();
	vm->frozen_ns = vm_ns_at(vm, vm->frozen_tsc);
	vm->tsc_rate_khz = tsc_khz;
	for (unsigned i = 0; i < vm->vcpus; i++)
		vm->vcpu[i]->state.tsc =
			vm->frozen_tsc + vm->vcpu[i]->tsc_offset;
	machine->freeze(vm);
	return E_OK;
}

void vm_thaw(struct vm *vm)
{
	(void)vm_let_run(vm, VM_MOVING);
}

void vm_leave(struct vm *vm, const char *to)
{
	vm_release(vm);
	snprintf(vm->reason, sizeof(vm->reason), "it runs on %s", to);
	vm->life = VM_MOVED;
	vm_console_end(vm);
	vm_notice(vm, "moved");
}

/* --- target */

static bool may_be_replaced(const struct vm *vm)
{
	return vm->life == VM_OFF || vm->life == VM_ENDED ||
	       vm->life == VM_CRASHED || vm->life == VM_MOVED;
}

/* It came over a wire: as in a configuration file. */
static bool is_name(const char *name)
{
	size_t n = 0;

	for (; n < VM_NAME_MAX && name[n]; n++) {
		char c = name[n], small = c | 0x20;

		if (!(small >= 'a' && small <= 'z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return n && n < VM_NAME_MAX;
}

err_t vm_arrive(const char *name, u64 memory, struct vm **out)
{
	struct vm_config config = {.memory = memory, .cpus = 1, .host_cpu = -1};
	struct vm *vm = vm_find(name);
	err_t err;

	if (!engine)
		return E_UNSUPPORTED;
	if (!is_name(name))
		return E_INVALID;
	if (vm && !may_be_replaced(vm))
		return E_EXISTS;
	copy_string(config.name, sizeof(config.name), name);
	err = vm ? E_OK : vm_add(&config);
	if (err)
		return err;
	vm = vm_find(config.name);
	if (vm->memory.chunks)
		vm_release(vm);
	vm->config.memory = memory;
	vm->config.populate = false;
	vm->status = 0;
	vm->reason[0] = '\0';
	vm->restarts = 0;
	vm->first_entry_ns = 0;
	err = guest_memory_init(&vm->memory, memory);
	if (err) {
		vm->config = vm->configured;
		return err;
	}
	vm_console_begin(vm);
	vm->life = VM_ARRIVING;
	*out = vm;
	return E_OK;
}

/*
 * All clocks go on from one instant, each vCPU's TSC from where it was: and
 * that instant is past, as if it had been here since it was frozen.
 */
err_t vm_run(struct vm *vm, u64 stood_ns)
{
	u64 now = rdtsc();

	if (vm->life != VM_ARRIVING || !vm->vcpus)
		return E_STATE;
	vm->started_ns = now_ns();
	vm->tsc_base = now - MIN(ns_to_tsc(stood_ns), now);
	vm->ns_base = vm->frozen_ns;
	for (unsigned i = 0; i < vm->vcpus; i++)
		vm->vcpu[i]->tsc_offset = vm->vcpu[i]->state.tsc - vm->tsc_base;
	machine->go_on(vm);
	(void)vm_let_run(vm, VM_ARRIVING);
	vm_notice(vm, "arrived");
	return E_OK;
}

void vm_discard(struct vm *vm)
{
	vm_release(vm);
	vm->config = vm->configured;
	vm->life = VM_OFF;
	vm_console_end(vm);
	vm_notice(vm, "discarded");
}
