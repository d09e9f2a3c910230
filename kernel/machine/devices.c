#include "machine/devices.h"

#include "machine/chipset.h"
#include "machine/lapic.h"
#include "machine/pci.h"
#include "machine/uart.h"
#include "net/switch.h"
#include "vm/vm.h"

static err_t visit_cpus(struct vm *vm, device_visitor *visit, void *context)
{
	err_t err = E_OK;

	for (unsigned i = 0; !err && i < vm->vcpus; i++) {
		err = visit(context, &vlapic_description, i,
			    vm->vcpu[i]->lapic);
		if (!err)
			err = visit(context, &kvmclock_description, i,
				    &vm->chipset->kvmclock[i]);
	}
	return err;
}

static err_t visit_pci(struct vm *vm, device_visitor *visit, void *context)
{
	err_t err = visit(context, &pci_bus_description, 0, vm->pci);

	for (unsigned i = 0; !err && i < PCI_SLOTS; i++) {
		struct pci_device *dev = vm->pci->slot[i];

		if (!dev)
			continue;
		err = visit(context, &pci_description, i, dev);
		if (!err && dev->ops->visit)
			err = dev->ops->visit(dev, visit, context);
	}
	return err;
}

err_t devices_visit(struct vm *vm, device_visitor *visit, void *context)
{
	struct chipset *chipset = vm->chipset;
	const struct {
		const struct device_description *d;
		void *device;
	} single[] = {
		{&chipset_description, chipset},
		{&pic_description, &chipset->pic},
		{&ioapic_description, &chipset->ioapic},
		{&pit_description, &chipset->pit},
		{&rtc_description, &chipset->rtc},
		{&pm_description, &chipset->pm},
		{&uart_description, vm->uart},
	};
	err_t err = visit_cpus(vm, visit, context);

	for (unsigned i = 0; !err && i < ARRAY_LEN(single); i++)
		err = visit(context, single[i].d, 0, single[i].device);
	return err ? err : visit_pci(vm, visit, context);
}

/* Frames that were delivered in this round have yet to be published. */
void devices_freeze(struct vm *vm)
{
	switch_flush();
	for (unsigned i = 0; i < vm->vcpus; i++)
		vlapic_freeze(vm->vcpu[i]);
	chipset_freeze(vm);
}

void devices_go_on(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vlapic_go_on(vm->vcpu[i]);
	chipset_go_on(vm);
}

static err_t save(void *context, const struct device_description *d,
		  unsigned id, void *device)
{
	stream_save(context, d, id, device);
	return E_OK;
}

void devices_save(struct stream_writer *w, struct vm *vm)
{
	(void)devices_visit(vm, save, w);
}

struct restoring {
	struct stream_reader *reader;
	struct vm *vm;
};

static err_t restore(void *context, const struct device_description *d,
		     unsigned id, void *device)
{
	const struct restoring *now = context;

	return stream_load(now->reader, d, id, device, now->vm);
}

err_t devices_restore(struct stream_reader *r, struct vm *vm)
{
	struct restoring now = {r, vm};

	return devices_visit(vm, restore, &now);
}
