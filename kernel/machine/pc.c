#include "machine/pc.h"

#include "lib/string.h"
#include "machine/chipset.h"
#include "machine/devices.h"
#include "machine/irq.h"
#include "machine/lapic.h"
#include "machine/load.h"
#include "machine/pci.h"
#include "machine/ports.h"
#include "machine/uart.h"
#include "machine/virtio.h"
#include "vm/vm.h"

static void pc_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vlapic_destroy(vm->vcpu[i]);
	pci_destroy(vm);
	uart_destroy(vm);
	chipset_destroy(vm);
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
	vlapic_virtual_wire(vm->vcpu[0]);
	return bus_add(&vm->mmio, "lapic", LAPIC_ADDRESS, LAPIC_SIZE,
		       &vlapic_bus_ops, vm);
}

/* What is there when this fails is pc_destroy()'s. */
static err_t pc_create(struct vm *vm)
{
	err_t err = create_lapics(vm);

	if (!err)
		err = chipset_create(vm);
	if (!err)
		err = uart_create(vm);
	if (!err)
		err = ports_create(vm);
	if (!err)
		err = pci_create(vm);
	if (!err)
		err = virtio_rng_create(vm);
	if (!err)
		err = virtio_console_create(vm);
	if (!err)
		err = virtio_net_create(vm);
	return err;
}

static void pc_typed(struct vm *vm)
{
	if (vm_stands_still(vm))
		return; /* it is called again when it goes on */
	if (vm->config.console == CONSOLE_VIRTIO)
		vm_request_service(vm);
	spin_lock(&vm->lock);
	uart_interrupt(vm->uart);
	spin_unlock(&vm->lock);
}

/* The chipset's timers are the first processor's to look after. */
static u64 pc_poll(struct vcpu *vcpu, u64 tsc)
{
	u64 next = vlapic_poll(vcpu, tsc);

	return vcpu->id ? next : MIN(next, chipset_poll(vcpu->vm, tsc));
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

static err_t dump(void *context, const struct device_description *d,
		  unsigned id, void *device)
{
	device_dump(d, id, device);
	return E_OK;
}

void pc_dump(const struct vm *vm)
{
	(void)devices_visit((struct vm *)vm, dump, NULL);
}

const struct machine pc_machine = {
	.create = pc_create,
	.destroy = pc_destroy,
	.load = load_guest,
	.freeze = devices_freeze,
	.go_on = devices_go_on,
	.save = devices_save,
	.restore = devices_restore,
	.serve = pci_serve,
	.typed = pc_typed,
	.init = vlapic_init,
	.irq_pending = irq_pending,
	.irq_taken = irq_taken,
	.lend_eoi = vlapic_lend_eoi,
	.look_for_eoi = vlapic_look_for_eoi,
	.keep_eoi = vlapic_keep_eoi,
	.poll = pc_poll,
	.cr8_read = vlapic_cr8_read,
	.cr8_write = vlapic_cr8_write,
	.tsc_moved = kvmclock_update,
	.rdmsr = pc_rdmsr,
	.wrmsr = pc_wrmsr,
};
