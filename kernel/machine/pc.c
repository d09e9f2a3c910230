#include "machine/pc.h"

#include "lib/string.h"
#include "machine/clock.h"
#include "machine/irq.h"
#include "machine/lapic.h"
#include "machine/load.h"
#include "machine/pit.h"
#include "machine/pm.h"
#include "machine/ports.h"
#include "machine/rtc.h"
#include "machine/uart.h"
#include "vm/vm.h"

static void pc_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vlapic_destroy(vm->vcpu[i]);
	uart_destroy(vm);
	pm_destroy(vm);
	rtc_destroy(vm);
	pit_destroy(vm);
	irq_destroy(vm);
	memset(&vm->ports, 0, sizeof(vm->ports));
	memset(&vm->mmio, 0, sizeof(vm->mmio));
}

static err_t create_lapics(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		err_t err = vlapic_create(vm->vcpu[i]);

		if (err)
			return err;
		vlapic_reset(vm->vcpu[i]);
	}
	return bus_add(&vm->mmio, "lapic", LAPIC_ADDRESS, LAPIC_SIZE,
		       &vlapic_bus_ops, vm);
}

/* What is there when this fails is pc_destroy()'s. */
static err_t pc_create(struct vm *vm)
{
	static err_t (*const create[])(struct vm *) = {
		irq_create, create_lapics, pit_create,	rtc_create,
		pm_create,  uart_create,   ports_create,
	};
	err_t err = E_OK;

	vm->clock = vm->clock_due = 0;
	for (unsigned i = 0; !err && i < ARRAY_LEN(create); i++)
		err = create[i](vm);
	if (!err)
		vlapic_virtual_wire(vm->vcpu[0]);
	return err;
}

/* All that waits for a time: the first vCPU looks after the whole VM's. */
static u64 poll_chips(struct vm *vm, u64 tsc)
{
	u64 due = __atomic_load_n(&vm->clock_due, __ATOMIC_SEQ_CST), ns;

	if (due > tsc)
		return due;
	spin_lock(&vm->lock);
	ns = clock_at(vm, tsc);
	due = pit_poll(vm->pit, ns);
	due = MIN(due, rtc_poll(vm->rtc, ns));
	due = MIN(due, pm_poll(vm->pm, ns));
	due = clock_to_tsc(vm, due);
	__atomic_store_n(&vm->clock_due, due, __ATOMIC_SEQ_CST);
	spin_unlock(&vm->lock);
	return due;
}

static u64 pc_poll(struct vcpu *vcpu, u64 tsc)
{
	u64 due = vlapic_poll(vcpu, tsc);

	return vcpu->id ? due : MIN(due, poll_chips(vcpu->vm, tsc));
}

/* Nothing here works on the first CPU yet. */
static bool pc_serve(struct vm *vm)
{
	return false;
}

static void pc_typed(struct vm *vm)
{
	spin_lock(&vm->lock);
	uart_typed(vm->uart);
	spin_unlock(&vm->lock);
}

void pc_dump(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		device_dump(&vlapic_description, i, vm->vcpu[i]->lapic);
	irq_dump(vm);
	device_dump(&pit_description, 0, vm->pit);
	device_dump(&rtc_description, 0, vm->rtc);
	device_dump(&pm_description, 0, vm->pm);
	device_dump(&uart_description, 0, vm->uart);
}

const struct machine pc_machine = {
	.create = pc_create,
	.destroy = pc_destroy,
	.load = load_guest,
	.serve = pc_serve,
	.typed = pc_typed,
	.init = vlapic_init,
	.irq_pending = irq_pending,
	.irq_taken = irq_taken,
	.poll = pc_poll,
	.cr8_read = vlapic_cr8_read,
	.cr8_write = vlapic_cr8_write,
	.rdmsr = vlapic_rdmsr,
	.wrmsr = vlapic_wrmsr,
};
