#include "tests/unit/fake_driver.h"

#include "tests/unit/test.h"

/* --- PCI --- */

static void select_register(struct vm *vm, unsigned slot, unsigned offset)
{
	bus_write(&vm->ports, vm->vcpu[0], 0xcf8, 4,
		  0x80000000 | slot << 11 | (offset & 0xfc));
}

u32 conf_read(struct vm *vm, unsigned slot, unsigned offset, unsigned size)
{
	select_register(vm, slot, offset);
	return bus_read(&vm->ports, vm->vcpu[0], 0xcfc + (offset & 3), size);
}

void conf_write(struct vm *vm, unsigned slot, unsigned offset, unsigned size,
		u32 value)
{
	select_register(vm, slot, offset);
	bus_write(&vm->ports, vm->vcpu[0], 0xcfc + (offset & 3), size, value);
}

u64 mem_read(struct vm *vm, u64 address, unsigned size)
{
	return bus_read(&vm->mmio, vm->vcpu[0], address, size);
}

void mem_write(struct vm *vm, u64 address, unsigned size, u64 value)
{
	bus_write(&vm->mmio, vm->vcpu[0], address, size, value);
}

unsigned find_device(struct vm *vm, u16 device)
{
	for (unsigned slot = 0; slot < 32; slot++)
		if (conf_read(vm, slot, 2, 2) == device)
			return slot;
	return 0;
}

/* --- virtio --- */

static u64 bar(struct vm *vm, unsigned slot, unsigned n)
{
	return conf_read(vm, slot, 0x10 + 4 * n, 4) & ~0xfu;
}

struct driver driver_find(struct vm *vm, u16 device)
{
	struct driver d = {.vm = vm, .slot = find_device(vm, device)};
	u64 *const places[] = {NULL, &d.common, &d.notify, &d.isr, &d.config};
	unsigned at;

	if (!d.slot)
		return d;
	conf_write(vm, d.slot, 4, 2, 0x0006);
	for (at = conf_read(vm, d.slot, 0x34, 1); at;
	     at = conf_read(vm, d.slot, at + 1, 1)) {
		unsigned type = conf_read(vm, d.slot, at + 3, 1);

		if (conf_read(vm, d.slot, at, 1) == 0x11)
			d.msix = bar(vm, d.slot,
				     conf_read(vm, d.slot, at + 4, 4) & 7);
		else if (type >= 1 && type <= 4)
			*places[type] = bar(vm, d.slot,
					    conf_read(vm, d.slot, at + 4, 1)) +
					conf_read(vm, d.slot, at + 8, 4);
	}
	return d;
}

u32 driver_read(const struct driver *d, unsigned reg, unsigned size)
{
	return mem_read(d->vm, d->common + reg, size);
}

void driver_write(const struct driver *d, unsigned reg, unsigned size,
		  u32 value)
{
	mem_write(d->vm, d->common + reg, size, value);
}

u8 driver_status(const struct driver *d)
{
	return driver_read(d, C_STATUS, 1);
}

void driver_negotiate(const struct driver *d, u64 features)
{
	driver_write(d, C_STATUS, 1, 0);
	driver_write(d, C_STATUS, 1, VIRTIO_ACKNOWLEDGE);
	driver_write(d, C_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		driver_write(d, C_ACCEPT_SELECT, 4, i);
		driver_write(d, C_ACCEPT, 4, features >> 32 * i);
	}
	driver_write(d, C_STATUS, 1,
		     VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static u64 ring_at(unsigned queue)
{
	return RINGS + 0x10000 * queue;
}

u64 ring_avail_at(unsigned queue, unsigned size)
{
	return ring_at(queue) + 16 * size;
}

u64 ring_used_at(unsigned queue, unsigned size)
{
	return ALIGN_UP(ring_avail_at(queue, size) + 6 + 2 * size, 4);
}

void driver_queue(const struct driver *d, unsigned queue, unsigned size)
{
	guest_fill(&d->vm->memory, ring_at(queue), 0, 0x10000);
	driver_write(d, C_SELECT, 2, queue);
	driver_write(d, C_SIZE, 2, size);
	driver_write(d, C_DESC, 4, ring_at(queue));
	driver_write(d, C_AVAIL, 4, ring_avail_at(queue, size));
	driver_write(d, C_USED, 4, ring_used_at(queue, size));
	driver_write(d, C_ENABLE, 2, 1);
}

void driver_ok(const struct driver *d)
{
	driver_write(d, C_STATUS, 1, 0x0f);
}

void driver_ready(const struct driver *d, u64 features, unsigned queues,
		  unsigned size)
{
	driver_negotiate(d, features);
	CHECK_EQ(driver_status(d), 0x0b);
	for (unsigned i = 0; i < queues; i++)
		driver_queue(d, i, size);
	driver_ok(d);
	CHECK_EQ(driver_status(d), 0x0f);
}

void driver_kick(const struct driver *d, unsigned queue)
{
	mem_write(d->vm, d->notify + 4 * queue, 2, queue);
}

/* --- rings --- */

void ring_set(struct vm *vm, unsigned queue, u16 at, struct ring_desc desc)
{
	guest_write(&vm->memory, ring_at(queue) + 16 * at, &desc, sizeof(desc));
}

void ring_offer(struct vm *vm, unsigned queue, unsigned size, u16 head)
{
	u64 at = ring_avail_at(queue, size);
	u16 index;

	guest_read(&vm->memory, at + 2, &index, 2);
	guest_write(&vm->memory, at + 4 + 2 * (index & (size - 1)), &head, 2);
	index++;
	guest_write(&vm->memory, at + 2, &index, 2);
}

u16 ring_used(struct vm *vm, unsigned queue, unsigned size)
{
	u16 index;

	guest_read(&vm->memory, ring_used_at(queue, size) + 2, &index, 2);
	return index;
}

u32 ring_entry(struct vm *vm, unsigned queue, unsigned size, u16 at,
	       u32 *written)
{
	u32 entry[2];

	guest_read(&vm->memory,
		   ring_used_at(queue, size) + 4 + 8 * (at & (size - 1)), entry,
		   sizeof(entry));
	*written = entry[1];
	return entry[0];
}
