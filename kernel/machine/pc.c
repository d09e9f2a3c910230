#include "machine/pc.h"

#include "lib/string.h"
#include "machine/kvmclock.h"
#include "machine/lapic.h"
#include "machine/load.h"
#include "machine/ports.h"
#include "machine/uart.h"
#include "vm/vm.h"

static void pc_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		vlapic_destroy(vm->vcpu[i]);
		kvmclock_destroy(vm->vcpu[i]);
	}
	uart_destroy(vm);
	memset(&vm->ports, 0, sizeof(vm->ports));
	memset(&vm->mmio, 0, sizeof(vm->mmio));
}

static err_t create_clocks(struct vm *vm)
{
	err_t err = E_OK;

	for (unsigned i = 0; !err && i < vm->vcpus; i++)
		err = kvmclock_create(vm->vcpu[i]);
	return err;
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
	err_t err = create_lapics(vm);

	if (!err)
		err = create_clocks(vm);
	if (!err)
		err = uart_create(vm);
	if (!err)
		err = ports_create(vm);
	return err;
}

/* Nothing here works on its own yet. */
static bool pc_serve(struct vm *vm)
{
	return false;
}

static void pc_typed(struct vm *vm)
{
}

static err_t pc_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	err_t err = vlapic_rdmsr(vcpu, msr, value);

	return err == E_NOTFOUND ? kvmclock_rdmsr(vcpu, msr, value) : err;
}

static err_t pc_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	err_t err = vlapic_wrmsr(vcpu, msr, value);

	return err == E_NOTFOUND ? kvmclock_wrmsr(vcpu, msr, value) : err;
}

void pc_dump(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		device_dump(&vlapic_description, i, vm->vcpu[i]->lapic);
		device_dump(&kvmclock_description, i, vm->vcpu[i]->kvmclock);
	}
	device_dump(&uart_description, 0, vm->uart);
}

const struct machine pc_machine = {
	.create = pc_create,
	.destroy = pc_destroy,
	.load = load_guest,
	.serve = pc_serve,
	.typed = pc_typed,
	.init = vlapic_init,
	.irq_pending = vlapic_pending,
	.irq_taken = vlapic_taken,
	.poll = vlapic_poll,
	.cr8_read = vlapic_cr8_read,
	.cr8_write = vlapic_cr8_write,
	.tsc_moved = kvmclock_update,
	.rdmsr = pc_rdmsr,
	.wrmsr = pc_wrmsr,
};
