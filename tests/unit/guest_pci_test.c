/*
 * The guest's PCI bus: configuration mechanism #1, BARs that are sized and
 * moved, capabilities, MSI-X masking, and INTx lines that are shared.
 *
 *	links: kernel/lib/string.c kernel/machine/pci.c kernel/machine/pci_irq.c
 *	links: kernel/machine/ports.c kernel/vm/fields.c
 *	links: kernel/vm/bus.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c tests/unit/fake_vm.c tests/unit/fake_driver.c
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "machine/layout.h"
#include "machine/ports.h"
#include "tests/unit/fake_driver.h"

/* A device of one register BAR that remembers a double word. */
struct toy {
	struct pci_device pci;
	u32 word, reads;
};

static u32 toy_read(struct pci_device *dev, unsigned bar, u32 offset,
		    unsigned size)
{
	struct toy *toy = (struct toy *)dev;

	toy->reads++;
	return toy->word + offset;
}

static void toy_write(struct pci_device *dev, unsigned bar, u32 offset,
		      unsigned size, u32 value)
{
	((struct toy *)dev)->word = value;
}

static void toy_destroy(struct pci_device *dev)
{
	free(dev);
}

static const struct pci_device_ops ops = {
	.read = toy_read, .write = toy_write, .destroy = toy_destroy};
static struct vm *vm;

static struct toy *add_toy(void)
{
	static const struct pci_id id = {0x1234, 0x5678, 1, 2, 0xff000007};
	struct toy *toy = calloc(1, sizeof(*toy));

	pci_device_init(&toy->pci, &id, &ops);
	pci_add_bar(&toy->pci, 0, 0x4000);
	pci_add_msix(&toy->pci, 1, 3);
	CHECK_EQ(pci_add(vm, &toy->pci), E_OK);
	return toy;
}

static void start(void)
{
	vm = fake_vm(1, 0);
	CHECK_EQ(pci_create(vm), E_OK);
}

static void finish(void)
{
	pci_destroy(vm);
	fake_vm_free(vm);
}

static u64 in(unsigned port, unsigned size)
{
	return bus_read(&vm->ports, vm->vcpu[0], port, size);
}

static void out(unsigned port, unsigned size, u32 value)
{
	bus_write(&vm->ports, vm->vcpu[0], port, size, value);
}

TEST(address_register)
{
	start();
	out(0xcf8, 4, 0xffffffff);
	CHECK_EQ(in(0xcf8, 4), 0x80fffffc);
	out(0xcf8, 2, 0);
	out(0xcf8, 1, 0);
	CHECK_EQ(in(0xcf8, 4), 0x80fffffc);
	CHECK_EQ(in(0xcf8, 1), 0xff);
	out(0xcf8, 4, 0x80000000);
	CHECK_EQ(in(0xcfc, 4), 0x00081b36);
	CHECK_EQ(in(0xcfc, 1), 0x36);
	CHECK_EQ(in(0xcfd, 1), 0x1b);
	CHECK_EQ(in(0xcfe, 2), 0x0008);
	CHECK_EQ(in(0xcfd, 4), 0xffffffff); /* leaves the double word */
	out(0xcf8, 4, 0x00000000);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff); /* not enabled */
	out(0xcf8, 4, 0x80010000);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff); /* another bus */
	out(0xcf8, 4, 0x80000100);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff); /* another function */
	out(0xcf8, 4, 0x8000f800);
	CHECK_EQ(in(0xcfc, 4), 0xffffffff); /* an empty slot */
	out(0xcfc, 4, 0);
	CHECK(!fake_ended);
	out(0xcf9, 1, 6);
	CHECK_EQ(fake_status, STATUS_RESET);
	finish();
}

TEST(only_what_may_be_written_is)
{
	u32 before[64];

	start();
	add_toy();
	for (unsigned i = 0; i < 64; i++)
		before[i] = conf_read(vm, 1, 4 * i, 4);
	for (unsigned i = 0; i < 64; i++)
		conf_write(vm, 1, 4 * i, 4, ~0u);
	CHECK_EQ(conf_read(vm, 1, 0, 4), 0x56781234);
	CHECK_EQ(conf_read(vm, 1, 4, 4), before[1] | 0x0406);
	CHECK_EQ(conf_read(vm, 1, 8, 4), 0xff000007);
	CHECK_EQ(conf_read(vm, 1, 0x10, 4), 0xffffc000);
	CHECK_EQ(conf_read(vm, 1, 0x14, 4), 0xfffff000);
	CHECK_EQ(conf_read(vm, 1, 0x18, 4), 0);
	CHECK_EQ(conf_read(vm, 1, 0x2c, 4), 0x00020001);
	CHECK_EQ(conf_read(vm, 1, 0x30, 4), 0); /* no ROM */
	CHECK_EQ(conf_read(vm, 1, 0x3c, 4), 0x000001ff);
	CHECK_EQ(conf_read(vm, 1, 0x40, 4), 0xc0020011);
	for (unsigned i = 17; i < 64; i++)
		CHECK_EQ(conf_read(vm, 1, 4 * i, 4), before[i]);
	conf_write(vm, 0, 4, 4, ~0u); /* the bridge has nothing */
	CHECK_EQ(conf_read(vm, 0, 4, 4), 0);
	finish();
}

TEST(bars_as_firmware_leaves_them)
{
	u32 a, b;

	start();
	add_toy();
	add_toy();
	a = conf_read(vm, 1, 0x10, 4);
	b = conf_read(vm, 2, 0x10, 4);
	CHECK(a >= PCI_WINDOW && b < PCI_WINDOW + PCI_WINDOW_SIZE);
	CHECK_EQ(a % 0x4000, 0);
	CHECK_EQ(b % 0x4000, 0);
	CHECK(b >= a + 0x4000);
	CHECK(conf_read(vm, 1, 0x14, 4) >= a + 0x4000);
	CHECK_EQ(conf_read(vm, 1, 4, 2), 0x0002);
	CHECK_EQ(conf_read(vm, 1, 0x3c, 2), 0x0100 | GSI_OF_PCI(1, 0));
	finish();
}

TEST(bar_moves)
{
	struct toy *toy;
	u32 old, new = 0xd0004000;

	start();
	toy = add_toy();
	old = conf_read(vm, 1, 0x10, 4);
	mem_write(vm, old, 4, 7);
	CHECK_EQ(mem_read(vm, old + 0x3ffc, 4), 7 + 0x3ffc);
	conf_write(vm, 1, 0x10, 4, ~0u);
	CHECK_EQ(~conf_read(vm, 1, 0x10, 4) + 1, 0x4000);
	conf_write(vm, 1, 0x10, 4, new + 0x0ff0);
	CHECK_EQ(conf_read(vm, 1, 0x10, 4), new);
	CHECK_EQ(mem_read(vm, old, 4), 0xffffffff);
	CHECK_EQ(mem_read(vm, new, 4), 7);
	CHECK_EQ(mem_read(vm, new, 8), 0x0000000b00000007);
	CHECK_EQ(mem_read(vm, new + 2, 4), 0xffffffff); /* not aligned */
	CHECK_EQ(mem_read(vm, new + 0x3ffc, 8), ~0ULL);
	CHECK_EQ(mem_read(vm, new - 4, 8), ~0ULL);
	/* By bytes, and out of the window: nothing answers. */
	conf_write(vm, 1, 0x13, 1, 0x00);
	CHECK_EQ(conf_read(vm, 1, 0x10, 4), 0x00004000);
	CHECK_EQ(mem_read(vm, new, 4), 0xffffffff);
	conf_write(vm, 1, 0x13, 1, 0xd0);
	CHECK_EQ(mem_read(vm, new, 4), 7);
	toy->reads = 0;
	conf_write(vm, 1, 4, 2, 0x0000);
	CHECK_EQ(mem_read(vm, new, 4), 0xffffffff);
	CHECK_EQ(toy->reads, 0);
	finish();
}

TEST(overlapping_bars_do_no_harm)
{
	struct toy *a, *b;

	start();
	a = add_toy();
	b = add_toy();
	conf_write(vm, 1, 0x10, 4, 0xd0000000);
	conf_write(vm, 2, 0x10, 4, 0xd0000000);
	conf_write(vm, 1, 0x14, 4, 0xd0000000);
	mem_write(vm, 0xd0000000, 4, 5);
	CHECK_EQ(a->word, 5); /* the first one has it */
	CHECK_EQ(b->word, 0);
	finish();
}

/* --- interrupts --- */

static u64 table;

static void write_entry(unsigned vector, u32 data, bool masked)
{
	mem_write(vm, table + 16 * vector, 4, 0xfee01003);
	mem_write(vm, table + 16 * vector + 4, 4, 0);
	mem_write(vm, table + 16 * vector + 8, 4, data);
	mem_write(vm, table + 16 * vector + 12, 4, masked);
}

static struct toy *start_msix(void)
{
	struct toy *toy;

	start();
	toy = add_toy();
	table = conf_read(vm, 1, 0x14, 4);
	conf_write(vm, 1, 4, 2, 0x0006);
	fake_messages = 0;
	return toy;
}

TEST(msix_sends)
{
	struct toy *toy = start_msix();

	CHECK_EQ(mem_read(vm, table + 12, 4), 1); /* masked at first */
	write_entry(1, 0x41, false);
	pci_msix(&toy->pci, 1);
	CHECK_EQ(fake_messages, 0); /* not enabled: lost */
	conf_write(vm, 1, 0x42, 2, 0x8000);
	CHECK_EQ(fake_messages, 0);
	pci_msix(&toy->pci, 1);
	CHECK_EQ(fake_messages, 1);
	CHECK_EQ(fake_message_address, 0xfee01000);
	CHECK_EQ(fake_message_data, 0x41);
	pci_msix(&toy->pci, 3);
	pci_msix(&toy->pci, 0xffff);
	CHECK_EQ(fake_messages, 1);
	conf_write(vm, 1, 4, 2, 0x0002); /* no bus master */
	pci_msix(&toy->pci, 1);
	CHECK_EQ(fake_messages, 1);
	finish();
}

TEST(msix_masks)
{
	struct toy *toy = start_msix();

	write_entry(0, 0x40, true);
	write_entry(1, 0x41, false);
	conf_write(vm, 1, 0x42, 2, 0x8000);
	pci_msix(&toy->pci, 0);
	pci_msix(&toy->pci, 0);
	CHECK_EQ(fake_messages, 0);
	CHECK_EQ(mem_read(vm, table + MSIX_PBA, 8), 1);
	mem_write(vm, table + MSIX_PBA, 4, 0); /* read-only */
	CHECK_EQ(mem_read(vm, table + MSIX_PBA, 4), 1);
	mem_write(vm, table + 12, 4, 0);
	CHECK_EQ(fake_messages, 1); /* once */
	CHECK_EQ(fake_message_data, 0x40);
	CHECK_EQ(mem_read(vm, table + MSIX_PBA, 4), 0);
	conf_write(vm, 1, 0x42, 2, 0xc000);
	pci_msix(&toy->pci, 0);
	pci_msix(&toy->pci, 1);
	CHECK_EQ(fake_messages, 1);
	CHECK_EQ(mem_read(vm, table + MSIX_PBA, 4), 3);
	conf_write(vm, 1, 0x43, 1, 0x80);
	CHECK_EQ(fake_messages, 3);
	CHECK_EQ(mem_read(vm, table + MSIX_PBA, 4), 0);
	finish();
}

TEST(msix_table_edges)
{
	start_msix();
	mem_write(vm, table + 8, 2, 0x1234); /* only whole double words */
	CHECK_EQ(mem_read(vm, table + 8, 4), 0);
	mem_write(vm, table, 8, 0x00000001fee00000);
	CHECK_EQ(mem_read(vm, table, 8), 0x00000001fee00000);
	CHECK_EQ(mem_read(vm, table + 1, 1), 0x00);
	CHECK_EQ(mem_read(vm, table + 2, 2), 0xfee0);
	for (u32 at = 48; at < 0x1000; at += 4) {
		mem_write(vm, table + at, 4, ~0u);
		CHECK_EQ(mem_read(vm, table + at, 4), 0);
	}
	finish();
}

TEST(intx_is_shared_and_can_be_disabled)
{
	struct toy *toys[8];
	unsigned gsi = GSI_OF_PCI(1, 0);

	start();
	for (unsigned i = 0; i < 8; i++)
		toys[i] = add_toy();
	pci_intx(&toys[0]->pci, true);
	CHECK(line_is_high(gsi) && !line_is_high(GSI_OF_PCI(2, 0)));
	CHECK_EQ(conf_read(vm, 1, 6, 2), 0x0018);
	pci_intx(&toys[4]->pci, true); /* four slots on, the same line */
	pci_intx(&toys[0]->pci, false);
	CHECK(line_is_high(gsi));
	CHECK_EQ(conf_read(vm, 1, 6, 2), 0x0010);
	conf_write(vm, 5, 4, 2, 0x0402);
	CHECK(!line_is_high(gsi));
	CHECK_EQ(conf_read(vm, 5, 6, 2), 0x0018); /* it still wants to */
	conf_write(vm, 5, 4, 2, 0x0002);
	CHECK(line_is_high(gsi));
	conf_write(vm, 5, 0x42, 2, 0x8000); /* MSI-X takes over */
	CHECK(!line_is_high(gsi));
	finish();
}

TEST(the_bus_is_full_at_some_point)
{
	struct pci_device *dev;
	unsigned n = 1;

	start();
	while ((dev = calloc(1, sizeof(struct toy)))) {
		static const struct pci_id id = {1, 2, 3, 4, 5};

		pci_device_init(dev, &id, &ops);
		if (pci_add(vm, dev))
			break;
		n++;
	}
	free(dev);
	CHECK_EQ(n, 32);
	finish();
}
