/*
 * The guest's virtio console: what it prints reaches the operator in order and
 * within bounds, and what the operator types reaches the guest.
 *
 *	links: kernel/machine/pci.c kernel/machine/pci_irq.c
 *	links: kernel/machine/virtio_pci.c kernel/machine/virtio_common.c
 *	links: kernel/machine/virtqueue.c kernel/machine/virtio_console.c
 *	links: kernel/machine/dma.c kernel/machine/ports.c
 *	links: kernel/vm/fields.c kernel/vm/bus.c kernel/vm/memory.c
 *	links: kernel/lib/string.c kernel/vm/state.c kernel/files.c
 *	links: tests/unit/fake_vm.c tests/unit/fake_driver.c
 */
#include "tests/unit/test.h"

#include "machine/virtio.h"
#include "tests/unit/fake_driver.h"

#define CONSOLE 0x1043
#define SIZE	8
#define BUFFER	0x10000u
#define ALL	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)

enum { IN, OUT };

static struct vm *vm;
static struct driver d;

static void create(enum console_kind kind)
{
	vm = fake_vm(1, MIB(4));
	vm->config.console = kind;
	CHECK_EQ(pci_create(vm), E_OK);
	CHECK_EQ(virtio_console_create(vm), E_OK);
}

static void start(u64 features)
{
	create(CONSOLE_VIRTIO);
	d = driver_find(vm, CONSOLE);
	fake_requested = 0;
	driver_ready(&d, features, 2, SIZE);
}

static void finish(void)
{
	pci_destroy(vm);
	fake_vm_free(vm);
}

/* A chain goes on with the descriptor behind this one. */
static void put(unsigned queue, u16 at, u64 address, u32 size, u16 flags)
{
	u16 next = flags & D_NEXT ? at + 1 : 0;

	ring_set(vm, queue, at, (struct ring_desc){address, size, flags, next});
}

TEST(console_is_there_when_asked_for)
{
	create(CONSOLE_UART);
	CHECK_EQ(find_device(vm, CONSOLE), 0);
	finish();
}

TEST(console_prints)
{
	start(ALL);
	guest_write(&vm->memory, BUFFER, "hello, ", 7);
	guest_write(&vm->memory, BUFFER + 0x100, "world\n", 6);
	put(OUT, 0, BUFFER, 7, D_NEXT);
	put(OUT, 1, BUFFER + 0x100, 6, 0);
	ring_offer(vm, OUT, SIZE, 0);
	driver_kick(&d, OUT);
	CHECK_EQ(fake_console_used, 13); /* before the kick returns */
	CHECK_MEM(fake_console_out, "hello, world\n", 13);
	CHECK_EQ(ring_used(vm, OUT, SIZE), 1);
	CHECK_EQ(fake_requested, 0);
	finish();
}

/* What finds no room stays the guest's, in order, until there is some. */
TEST(console_output_waits_for_room)
{
	start(ALL);
	guest_write(&vm->memory, BUFFER, "first\n", 6);
	guest_write(&vm->memory, BUFFER + 0x100, "second\n", 7);
	put(OUT, 0, BUFFER, 6, 0);
	put(OUT, 1, BUFFER + 0x100, 7, 0);
	ring_offer(vm, OUT, SIZE, 0);
	ring_offer(vm, OUT, SIZE, 1);
	fake_console_room = 5;
	driver_kick(&d, OUT);
	CHECK(!pci_serve(vm)); /* nor does anybody poll for it */
	CHECK_EQ(fake_console_used, 0);
	CHECK_EQ(ring_used(vm, OUT, SIZE), 0);
	fake_console_room = VM_CONSOLE_SIZE / 2;
	CHECK(!pci_serve(vm));
	CHECK_MEM(fake_console_out, "first\nsecond\n", 13);
	CHECK_EQ(ring_used(vm, OUT, SIZE), 2);
	put(OUT, 2, 0x20000, 0x8000, 0); /* more than there can be */
	ring_offer(vm, OUT, SIZE, 2);
	driver_kick(&d, OUT);
	CHECK_EQ(ring_used(vm, OUT, SIZE), 3);
	finish();
}

TEST(console_output_is_bounded)
{
	start(VIRTIO_F_VERSION_1);
	for (unsigned i = 0; i < 5; i++) {
		put(OUT, i, 0x20000, 0x2000, 0);
		ring_offer(vm, OUT, SIZE, i);
	}
	driver_kick(&d, OUT);
	CHECK_EQ(ring_used(vm, OUT, SIZE), 2);
	CHECK_EQ(fake_requested, 1);
	CHECK(pci_serve(vm));
	CHECK(!pci_serve(vm));
	CHECK_EQ(ring_used(vm, OUT, SIZE), 5);
	put(OUT, 0, 0x20000, 0x10001, 0);
	ring_offer(vm, OUT, SIZE, 0);
	driver_kick(&d, OUT);
	CHECK_EQ(driver_status(&d), 0x4f);
	finish();
}

TEST(console_receives)
{
	u8 got[8];
	u32 written;

	start(ALL);
	fake_console_in = "abcdefghij";
	pci_serve(vm);
	CHECK_STR(fake_console_in, "abcdefghij"); /* no buffer yet */
	for (unsigned i = 0; i < 3; i++) {
		put(IN, i, BUFFER + 8 * i, 8, D_WRITE);
		ring_offer(vm, IN, SIZE, i);
	}
	driver_kick(&d, IN);
	CHECK_EQ(fake_requested, 1);
	pci_serve(vm);
	CHECK_EQ(ring_used(vm, IN, SIZE), 2);
	ring_entry(vm, IN, SIZE, 0, &written);
	CHECK_EQ(written, 8);
	guest_read(&vm->memory, BUFFER, got, 8);
	CHECK_MEM(got, "abcdefgh", 8);
	ring_entry(vm, IN, SIZE, 1, &written);
	CHECK_EQ(written, 2);
	fake_console_in = "k";
	pci_serve(vm);
	CHECK_EQ(ring_used(vm, IN, SIZE), 3); /* the third went back */
	guest_read(&vm->memory, BUFFER + 16, got, 1);
	CHECK_EQ(got[0], 'k');
	finish();
}
