#include "machine/chipset.h"

#include "cpu/calendar.h"
#include "cpu/time.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "mm/heap.h"
#include "vm/vm.h"

/*
 * Of the host's TSC, which a guest cannot write. Another CPU's may be a little
 * behind that of the start.
 */
u64 machine_ns(const struct vm *vm)
{
	const struct vcpu *first = vm->vcpu[0];
	u64 tsc = vcpu_tsc(first) - first->tsc_offset;

	return vm_ns_at(vm, tsc);
}

static const struct device_field fields[] = {
	DEVICE_FIELD_MAX(struct chipset, lines, 1, 1, BIT(GSI_COUNT) - 1),
	DEVICE_FIELD(struct chipset, born, 1, 1),
	DEVICE_FIELD(struct chipset, clock_frozen, 1, 1),
};

const struct device_description chipset_description = {
	"chipset", 1, ARRAY_LEN(fields), fields, NULL};

err_t chipset_create(struct vm *vm)
{
	err_t err;

	vm->chipset = kzalloc(sizeof(*vm->chipset));
	if (!vm->chipset)
		return E_NOMEM;
	vm->chipset->born = wall_clock_seconds();
	err = irq_create(vm);
	if (!err)
		err = pit_create(vm);
	if (!err)
		err = rtc_create(vm, vm->chipset->born);
	if (!err)
		err = pm_create(vm);
	return err;
}

void chipset_destroy(struct vm *vm)
{
	kfree(vm->chipset);
	vm->chipset = NULL;
}

void chipset_freeze(struct vm *vm)
{
	vm->chipset->clock_frozen = kvmclock_at(vm, vm->frozen_tsc);
}

/* Pages are written anew: the clock's rate may be another here. */
void chipset_go_on(struct vm *vm)
{
	struct chipset *chipset = vm->chipset;

	chipset->clock_base = chipset->clock_frozen;
	chipset->intr = pic_pending(&chipset->pic) >= 0;
	chipset->due = 0;
	for (unsigned i = 0; i < vm->vcpus; i++)
		kvmclock_update(vm->vcpu[i]);
}

void chipset_moved(struct vm *vm)
{
	__atomic_store_n(&vm->chipset->due, 0, __ATOMIC_SEQ_CST);
	vcpu_kick(vm->vcpu[0], REQUEST_INTERRUPT);
}

static u64 ticks_until(const struct vm *vm, u64 ns)
{
	return ns_to_tsc(MAX(ns, vm->ns_base) - vm->ns_base) + 1;
}

static u64 look(struct vm *vm)
{
	u64 ns = machine_ns(vm), next;

	spin_lock(&vm->lock);
	next = pit_poll(vm, ns);
	next = MIN(next, rtc_poll(vm, ns));
	spin_unlock(&vm->lock);
	/* One tick late rather than one too early, and twice. */
	return next == ~0ULL ? next : vm->tsc_base + ticks_until(vm, next);
}

/* At every turn and every other exit: mostly there is nothing to do. */
u64 chipset_poll(struct vm *vm, u64 tsc)
{
	u64 *due = &vm->chipset->due, next;

	next = __atomic_load_n(due, __ATOMIC_SEQ_CST);
	if (next && tsc < next)
		return next;
	/* What moves while we look is looked at again. */
	__atomic_store_n(due, ~0ULL, __ATOMIC_SEQ_CST);
	next = look(vm);
	tsc = ~0ULL;
	if (__atomic_compare_exchange_n(due, &tsc, next, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return next;
	return 0;
}
