/*
 * Virtio devices by their PCI registers: negotiation, queues, status, reset,
 * interrupts; random numbers; drivers that break the rules; state that is saved
 * and loaded.
 *
 *	links: kernel/machine/pci.c kernel/machine/pci_irq.c
 *	links: kernel/machine/virtio_pci.c kernel/machine/virtio_common.c
 *	links: kernel/machine/virtqueue.c
 *	links: kernel/machine/virtio_rng.c kernel/machine/virtio_console.c
 *	links: kernel/machine/dma.c kernel/machine/ports.c
 *	links: kernel/vm/fields.c kernel/vm/bus.c kernel/vm/memory.c
 *	links: kernel/lib/string.c kernel/vm/state.c kernel/files.c
 *	links: tests/unit/fake_vm.c tests/unit/fake_driver.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "machine/layout.h"
#include "machine/virtio.h"
#include "tests/unit/fake_driver.h"

#define RNG	0x1044
#define CONSOLE 0x1043
#define SIZE	8
#define BUFFER	0x10000u
#define ALL	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)

static struct vm *vm;
static struct driver d;

static struct vm *make(void)
{
	struct vm *made = fake_vm(1, MIB(4));

	made->config.console = CONSOLE_VIRTIO;
	CHECK_EQ(pci_create(made), E_OK);
	CHECK_EQ(virtio_rng_create(made), E_OK);
	CHECK_EQ(virtio_console_create(made), E_OK);
	return made;
}

static void start(u16 device)
{
	vm = make();
	d = driver_find(vm, device);
	CHECK(d.common && d.isr && d.notify && d.msix);
	fake_requested = 0;
	fake_messages = 0;
}

static void finish(void)
{
	pci_destroy(vm);
	fake_vm_free(vm);
}

static struct virtio_device *device(void)
{
	return (struct virtio_device *)vm->pci->slot[d.slot];
}

static void put(unsigned queue, u16 at, u64 address, u32 size, u16 flags,
		u16 next)
{
	ring_set(vm, queue, at, (struct ring_desc){address, size, flags, next});
}

static void ready(u64 features, unsigned queues)
{
	driver_ready(&d, features, queues, SIZE);
}

/* --- negotiation and status --- */

TEST(ids)
{
	start(RNG);
	CHECK_EQ(conf_read(vm, d.slot, 0, 4), 0x10441af4);
	CHECK_EQ(conf_read(vm, d.slot, 8, 4), 0x00ff0001);
	CHECK_EQ(find_device(vm, CONSOLE), d.slot + 1);
	CHECK_EQ(conf_read(vm, d.slot + 1, 8, 4), 0x07800001);
	CHECK_EQ(driver_read(&d, C_QUEUES, 2), 1);
	CHECK_EQ(driver_read(&d, C_SIZE, 2), SIZE);
	CHECK_EQ(driver_read(&d, C_VECTOR, 2), 0xffff);
	driver_write(&d, C_SELECT, 2, 1);
	CHECK_EQ(driver_read(&d, C_SIZE, 2), 0); /* there is no such queue */
	finish();
}

TEST(features)
{
	start(RNG);
	CHECK_EQ(driver_read(&d, C_OFFER, 4), 0x30000000);
	driver_write(&d, C_OFFER_SELECT, 4, 1);
	CHECK_EQ(driver_read(&d, C_OFFER, 4), 1);
	driver_write(&d, C_OFFER_SELECT, 4, 2);
	CHECK_EQ(driver_read(&d, C_OFFER, 4), 0);
	driver_negotiate(&d, ALL);
	CHECK_EQ(driver_status(&d), 0x0b);
	driver_write(&d, C_ACCEPT_SELECT, 4, 0);
	driver_write(&d, C_ACCEPT, 4, 0); /* too late */
	CHECK_EQ(driver_read(&d, C_ACCEPT, 4), 0x30000000);
	driver_negotiate(&d, VIRTIO_F_VERSION_1);
	CHECK_EQ(driver_status(&d), 0x0b);
	driver_negotiate(&d, ALL | BIT(5));
	CHECK_EQ(driver_status(&d), 0x03); /* not offered */
	driver_negotiate(&d, VIRTIO_F_EVENT_IDX);
	CHECK_EQ(driver_status(&d), 0x03); /* not ours without VERSION_1 */
	finish();
}

TEST(status_goes_one_way)
{
	start(RNG);
	driver_negotiate(&d, ALL);
	driver_write(&d, C_STATUS, 1, 0x01);
	CHECK_EQ(driver_status(&d), 0x0b);
	driver_write(&d, C_STATUS, 1, 0xcb); /* ours to set */
	CHECK_EQ(driver_status(&d), 0x8b);
	driver_write(&d, C_STATUS, 1, 0);
	CHECK_EQ(driver_status(&d), 0);
	CHECK_EQ(driver_read(&d, C_ACCEPT, 4), 0);
	finish();
}

TEST(ready_too_early)
{
	start(RNG);
	driver_write(&d, C_STATUS, 1, 0x07);
	CHECK_EQ(driver_status(&d), 0x47);
	CHECK(strstr(fake_log, "FEATURES_OK"));
	finish();
}

TEST(queue_too_early)
{
	start(RNG);
	driver_queue(&d, 0, SIZE);
	CHECK_EQ(driver_read(&d, C_ENABLE, 2), 0);
	CHECK_EQ(driver_status(&d), 0x40);
	driver_write(&d, C_STATUS, 1, 0);
	ready(ALL, 1);
	finish();
}

TEST(queue_registers)
{
	start(RNG);
	driver_negotiate(&d, ALL);
	driver_write(&d, C_DESC, 4, 0x11111110);
	driver_write(&d, C_DESC + 4, 4, 0x2222);
	driver_write(&d, C_AVAIL + 4, 4, 0x3333);
	driver_write(&d, C_USED, 2, 0x4444); /* not its size */
	driver_write(&d, C_STATUS, 4, 0);
	CHECK_EQ(driver_read(&d, C_DESC, 4), 0x11111110);
	CHECK_EQ(driver_read(&d, C_DESC + 4, 4), 0x2222);
	CHECK_EQ(mem_read(vm, d.common + C_AVAIL, 8), 0x333300000000);
	CHECK_EQ(driver_read(&d, C_USED, 4), 0);
	CHECK_EQ(driver_status(&d), 0x0b);
	driver_write(&d, C_DESC + 4, 4, 0);
	driver_write(&d, C_AVAIL + 4, 4, 0);
	driver_queue(&d, 0, 4);
	CHECK_EQ(driver_read(&d, C_ENABLE, 2), 1);
	driver_write(&d, C_SIZE, 2, 2); /* enabled: it stays as it is */
	driver_write(&d, C_DESC, 4, 0);
	driver_write(&d, C_ENABLE, 2, 0);
	CHECK_EQ(driver_read(&d, C_SIZE, 2), 4);
	CHECK_EQ(driver_read(&d, C_DESC, 4), RINGS);
	CHECK_EQ(driver_read(&d, C_ENABLE, 2), 1);
	CHECK_EQ(driver_read(&d, C_NOTIFY, 2), 0);
	driver_write(&d, C_VECTOR, 2, 1);
	CHECK_EQ(driver_read(&d, C_VECTOR, 2), 1);
	driver_write(&d, C_VECTOR, 2, 2);
	CHECK_EQ(driver_read(&d, C_VECTOR, 2), 0xffff);
	driver_write(&d, C_CONFIG_VECTOR, 2, 0);
	CHECK_EQ(driver_read(&d, C_CONFIG_VECTOR, 2), 0);
	driver_write(&d, C_CONFIG_VECTOR, 2, 0x100);
	CHECK_EQ(driver_read(&d, C_CONFIG_VECTOR, 2), 0xffff);
	finish();
}

/* The window in configuration space (4.1.4.9). */
TEST(registers_by_configuration_space)
{
	unsigned at;

	start(RNG);
	for (at = conf_read(vm, d.slot, 0x34, 1);
	     conf_read(vm, d.slot, at + 3, 1) != 5;)
		at = conf_read(vm, d.slot, at + 1, 1);
	conf_write(vm, d.slot, at + 8, 4, C_STATUS);
	conf_write(vm, d.slot, at + 12, 4, 1);
	conf_write(vm, d.slot, at + 16, 1, 3);
	CHECK_EQ(driver_status(&d), 3);
	CHECK_EQ(conf_read(vm, d.slot, at + 16, 4), 3);
	conf_write(vm, d.slot, at + 8, 4, C_QUEUES);
	CHECK_EQ(conf_read(vm, d.slot, at + 16, 4), 0); /* not its size */
	conf_write(vm, d.slot, at + 12, 4, 2);
	CHECK_EQ(conf_read(vm, d.slot, at + 16, 4), 1);
	/* Outside, and of impossible sizes. */
	conf_write(vm, d.slot, at + 8, 4, 0x4000);
	conf_write(vm, d.slot, at + 16, 4, ~0u);
	CHECK_EQ(conf_read(vm, d.slot, at + 16, 4), ~0u);
	conf_write(vm, d.slot, at + 8, 4, 0xfffffffc);
	conf_write(vm, d.slot, at + 12, 4, 0xffffffff);
	conf_write(vm, d.slot, at + 16, 4, 1);
	conf_write(vm, d.slot, at + 8, 4, C_STATUS);
	conf_write(vm, d.slot, at + 12, 4, 1);
	conf_write(vm, d.slot, at + 4, 1, 1); /* no BAR of these */
	conf_write(vm, d.slot, at + 16, 4, 0);
	CHECK_EQ(driver_status(&d), 3);
	finish();
}

/* --- random numbers --- */

TEST(rng_fills)
{
	u8 got[300] = {0};
	unsigned zeroes = 0;
	u32 written;

	start(RNG);
	ready(ALL, 1);
	put(0, 2, BUFFER, 64, D_WRITE, 0);
	put(0, 3, BUFFER + 0x1000, 5000, D_WRITE, 0);
	ring_offer(vm, 0, SIZE, 2);
	ring_offer(vm, 0, SIZE, 3);
	driver_kick(&d, 0);
	CHECK_EQ(fake_requested, 1);
	CHECK_EQ(ring_used(vm, 0, SIZE), 0);
	CHECK(!pci_serve(vm));
	CHECK_EQ(ring_used(vm, 0, SIZE), 2);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 0, &written), 2);
	CHECK_EQ(written, 64);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 1, &written), 3);
	CHECK_EQ(written, 256);
	guest_read(&vm->memory, BUFFER, got, 65);
	for (unsigned i = 0; i < 64; i++)
		zeroes += !got[i];
	CHECK(zeroes < 8);
	CHECK_EQ(got[64], 0);
	finish();
}

TEST(rng_waits_for_the_driver)
{
	start(RNG);
	driver_negotiate(&d, ALL);
	driver_queue(&d, 0, SIZE);
	put(0, 0, BUFFER, 64, D_WRITE, 0);
	ring_offer(vm, 0, SIZE, 0);
	driver_kick(&d, 0);
	pci_serve(vm);
	CHECK_EQ(ring_used(vm, 0, SIZE), 0); /* not DRIVER_OK */
	driver_ok(&d);
	conf_write(vm, d.slot, 4, 2, 0x0002);
	pci_serve(vm);
	CHECK_EQ(ring_used(vm, 0, SIZE), 0); /* no bus master */
	conf_write(vm, d.slot, 4, 2, 0x0006);
	pci_serve(vm);
	CHECK_EQ(ring_used(vm, 0, SIZE), 1);
	finish();
}

/* --- interrupts --- */

static void one_request(void)
{
	put(0, 0, BUFFER, 8, D_WRITE, 0);
	ring_offer(vm, 0, SIZE, 0);
	pci_serve(vm);
}

TEST(interrupt_by_line)
{
	unsigned gsi;

	start(RNG);
	gsi = GSI_OF_PCI(d.slot, 0);
	ready(VIRTIO_F_VERSION_1, 1);
	one_request();
	CHECK(line_is_high(gsi));
	CHECK_EQ(mem_read(vm, d.isr + 1, 1), 0);
	CHECK_EQ(mem_read(vm, d.isr, 1), 1);
	CHECK(!line_is_high(gsi));
	CHECK_EQ(mem_read(vm, d.isr, 1), 0);
	one_request();
	CHECK(line_is_high(gsi));
	driver_write(&d, C_STATUS, 1, 0);
	CHECK(!line_is_high(gsi));
	CHECK_EQ(fake_messages, 0);
	finish();
}

static void use_msix(void)
{
	unsigned at = conf_read(vm, d.slot, 0x34, 1);

	while (conf_read(vm, d.slot, at, 1) != 0x11)
		at = conf_read(vm, d.slot, at + 1, 1);
	conf_write(vm, d.slot, at + 2, 2, 0x8000);
	for (unsigned i = 0; i < 2; i++) {
		mem_write(vm, d.msix + 16 * i, 4, 0xfee00000);
		mem_write(vm, d.msix + 16 * i + 8, 4, 0x50 + i);
		mem_write(vm, d.msix + 16 * i + 12, 4, 0);
	}
}

TEST(interrupt_by_message)
{
	start(RNG);
	use_msix();
	ready(VIRTIO_F_VERSION_1, 1);
	one_request();
	CHECK_EQ(fake_messages, 0); /* no vector chosen */
	driver_write(&d, C_VECTOR, 2, 1);
	one_request();
	CHECK_EQ(fake_messages, 1);
	CHECK_EQ(fake_message_data, 0x51);
	CHECK_EQ(mem_read(vm, d.isr, 1), 0);
	mem_write(vm, d.msix + 16 + 12, 4, 1);
	one_request();
	CHECK_EQ(fake_messages, 1);
	mem_write(vm, d.msix + 16 + 12, 4, 0);
	CHECK_EQ(fake_messages, 2);
	finish();
}

TEST(a_broken_ring_needs_a_reset)
{
	u8 generation;

	start(RNG);
	use_msix();
	ready(ALL, 1);
	driver_write(&d, C_CONFIG_VECTOR, 2, 0);
	generation = driver_read(&d, C_GENERATION, 1);
	put(0, 0, ~0u, 8, D_WRITE, 0);
	ring_offer(vm, 0, SIZE, 0);
	pci_serve(vm);
	CHECK_EQ(driver_status(&d), 0x4f);
	CHECK_EQ(fake_messages, 1);
	CHECK_EQ(fake_message_data, 0x50);
	CHECK(driver_read(&d, C_GENERATION, 1) != generation);
	CHECK(strstr(fake_log, "out of memory"));
	fake_log_lines = 0;
	pci_serve(vm);
	driver_write(&d, C_STATUS, 1, 0x0f);
	CHECK_EQ(driver_status(&d), 0x4f);
	CHECK_EQ(fake_log_lines, 0);
	ready(ALL, 1);
	one_request();
	CHECK_EQ(ring_used(vm, 0, SIZE), 1);
	finish();
}

/* --- state --- */

static void copy_fields(const struct device_description *desc, void *to,
			const void *from)
{
	for (unsigned i = 0; i < desc->count; i++)
		for (unsigned n = 0; n < desc->fields[i].count; n++)
			device_field_set(
				&desc->fields[i], to, n,
				device_field_get(&desc->fields[i], from, n));
}

static void check_fields(const struct device_description *desc, const void *a,
			 const void *b)
{
	for (unsigned i = 0; i < desc->count; i++)
		for (unsigned n = 0; n < desc->fields[i].count; n++)
			CHECK_EQ(device_field_get(&desc->fields[i], a, n),
				 device_field_get(&desc->fields[i], b, n));
}

/* A device that has been moved goes on where the other one stopped. */
TEST(saved_and_loaded)
{
	struct vm *old;
	struct virtio_device *a, *b;

	start(RNG);
	use_msix();
	ready(ALL, 1);
	driver_write(&d, C_VECTOR, 2, 1);
	mem_write(vm, d.msix + 16 + 12, 4, 1);
	one_request();
	conf_write(vm, d.slot, 0x10, 4, 0xd1230000);
	a = device();
	old = vm;
	vm = make();
	b = device();
	copy_fields(&pci_description, b, a);
	copy_fields(&virtio_description, b, a);
	copy_fields(&virtqueue_description, &b->queue[0], &a->queue[0]);
	for (u64 at = 0; at < 0x10000; at += 8) {
		u64 word;

		guest_read(&old->memory, RINGS + at, &word, 8);
		guest_write(&vm->memory, RINGS + at, &word, 8);
	}
	check_fields(&pci_description, a, b);
	check_fields(&virtio_description, a, b);
	check_fields(&virtqueue_description, &a->queue[0], &b->queue[0]);
	pci_destroy(old);
	fake_vm_free(old);
	d = driver_find(vm, RNG);
	CHECK_EQ(d.common, 0xd1230000);
	CHECK_EQ(driver_status(&d), 0x0f);
	one_request();
	CHECK_EQ(ring_used(vm, 0, SIZE), 2);
	fake_messages = 0;
	mem_write(vm, d.msix + 16 + 12, 4, 0); /* pending since before */
	CHECK_EQ(fake_messages, 1);
	finish();
}

static err_t count_fields(void *context, const struct device_description *of,
			  unsigned id, void *dev)
{
	*(unsigned *)context += of->count;
	return E_OK;
}

/* Every field is in some table: what a driver can change is what is saved. */
TEST(dump_names_all)
{
	unsigned count = 0;

	start(RNG);
	CHECK_EQ(device()->pci.ops->visit(&device()->pci, count_fields, &count),
		 E_OK);
	CHECK(count > 15);
	finish();
}

/* --- noise --- */

/* Any access anywhere, for every device; rings are noise too. */
TEST(random_accesses)
{
	u64 seed = 0x9d817;

	start(CONSOLE);
	for (unsigned i = 0; i < 300000; i++) {
		u64 r = fake_random(&seed), value = fake_random(&seed);
		unsigned size = 1u << (r & 3);
		u64 address = PCI_WINDOW + (r >> 8 & 0xffff & -size);

		switch (r >> 4 & 15) {
		case 0:
			if (!(value & 15))
				conf_write(vm, r >> 32 & 3, r >> 40 & 0xff,
					   size & 7, value >> 8);
			break;
		case 1:
			conf_read(vm, r >> 32 & 31, r >> 40 & 0xff, size & 7);
			break;
		case 2:
			mem_write(vm, address, size, value);
			break;
		case 3:
			mem_read(vm, address, size);
			break;
		case 4:
			d = driver_find(vm, value & 1 ? CONSOLE : RNG);
			if (d.common)
				driver_negotiate(&d, ALL);
			break;
		case 5:
			driver_queue(&d, value & 1, 1u << (value >> 8 & 7));
			break;
		case 6:
			driver_ok(&d);
			break;
		case 7:
			guest_write(&vm->memory, RINGS + (r >> 16 & 0x107ff),
				    &value, 8);
			break;
		case 8:
		case 9:
			pci_serve(vm);
			break;
		default:
			put(value & 1, r >> 16 & 7, BUFFER, value >> 8 & 0xff,
			    value >> 16 & 3, value >> 20 & 7);
			ring_offer(vm, value & 1, SIZE, value >> 24 & 7);
			driver_kick(&d, value & 1);
		}
	}
	finish();
}
