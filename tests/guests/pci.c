/*
 * The PCI bus: what is on it, configuration space, BARs that are sized and
 * moved, capabilities, INTx. The virtio random number device is what most of it
 * is tried on: any PC that has one will do.
 */
#include "virtio.h"

#define SPARE_ADDRESS 0xf0000000u /* for a BAR: in the window, unused */

static struct virtio rng;

static void need_rng(void)
{
	if (!virtio_find(&rng, VIRTIO_RNG))
		skip("no virtio-rng here");
}

static void test_bridge(void)
{
	u32 id = pci_read(0, PCI_VENDOR, 4);

	expect(id != ~0u && (u16)id, "id %x", id);
	expect(pci_read(0, PCI_CLASS, 2) == 0x0600, "class %x",
	       pci_read(0, PCI_CLASS, 2));
}

/* Slots, functions and buses that are not there: ones (3.2.2.3.4). */
static void test_absent(void)
{
	unsigned devices = 0;

	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		devices += pci_read(slot, PCI_VENDOR, 4) != ~0u;
	expect(devices > 0 && devices < PCI_SLOTS, "%u devices", devices);
	expect(pci_get(PCI_AT(0, 30, 0, 0), 4) == ~0u, "slot 30");
	expect(pci_get(PCI_AT(77, 0, 0, 0), 4) == ~0u, "bus 77");
	pci_put(PCI_AT(77, 0, 0, PCI_COMMAND), 4, ~0u);
}

/* A header that says "one function" has no others. */
static void test_functions(void)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (pci_read(slot, PCI_VENDOR, 4) == ~0u ||
		    (pci_read(slot, PCI_HEADER, 1) & 0x80))
			continue;
		for (unsigned fn = 1; fn < 8; fn++)
			expect(pci_get(PCI_AT(0, slot, fn, 0), 4) == ~0u,
			       "slot %u has a function %u", slot, fn);
	}
}

static void test_address(void)
{
	u32 value;

	outl(PORT_PCI_ADDRESS, 0x800000fc);
	value = inl(PORT_PCI_ADDRESS);
	expect(value == 0x800000fc, "reads as %x", value);
	outl(PORT_PCI_ADDRESS, 0);
	value = inl(PORT_PCI_DATA);
	expect(value == ~0u, "not enabled: data is %x", value);
}

/* Bytes and words are parts of the double word. */
static void test_sizes(void)
{
	for (unsigned at = 0; at < 256 && !test_failed(); at += 4) {
		u32 whole = pci_read(0, at, 4), bytes = 0;

		for (unsigned i = 0; i < 4; i++)
			bytes |= pci_read(0, at + i, 1) << 8 * i;
		expect(bytes == whole, "%x: %x, by bytes %x", at, whole, bytes);
		expect(pci_read(0, at, 2) == (u16)whole &&
			       pci_read(0, at + 2, 2) == whole >> 16,
		       "%x: words are not those of %x", at, whole);
	}
}

static void test_write_sizes(void)
{
	need_rng();
	pci_write(rng.slot, PCI_INT_LINE, 1, 0x5a);
	expect(pci_read(rng.slot, PCI_INT_LINE, 1) == 0x5a, "byte: %x",
	       pci_read(rng.slot, PCI_INT_LINE, 1));
	pci_write(rng.slot, PCI_INT_LINE, 2, 0xffa5);
	expect(pci_read(rng.slot, PCI_INT_LINE, 1) == 0xa5, "word: %x",
	       pci_read(rng.slot, PCI_INT_LINE, 1));
	pci_write(rng.slot, PCI_INT_LINE, 4, 0xffffff0b);
	expect(pci_read(rng.slot, PCI_INT_LINE, 1) == 0x0b, "double word: %x",
	       pci_read(rng.slot, PCI_INT_LINE, 1));
}

/* Ids, class, header type, the list's head, the pin. */
static void test_read_only(void)
{
	static const struct {
		u8 at, size;
	} field[] = {{0, 4}, {8, 4}, {14, 1}, {0x2c, 4}, {0x34, 1}, {0x3d, 1}};

	need_rng();
	for (unsigned i = 0; i < ARRAY_LEN(field); i++) {
		u32 old = pci_read(rng.slot, field[i].at, field[i].size);

		pci_write(rng.slot, field[i].at, field[i].size, ~old);
		expect(pci_read(rng.slot, field[i].at, field[i].size) == old,
		       "%x was written", field[i].at);
	}
}

/* Sizes are powers of two, addresses are multiples of them, none overlap. */
static void test_bars(void)
{
	u32 base[PCI_BARS], size[PCI_BARS], any = 0;

	need_rng();
	pci_command(rng.slot, 0, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		u32 low = pci_read(rng.slot, PCI_BAR(i), 4);

		base[i] = low & ~0xfu;
		size[i] = low & 1 ? 0 : pci_bar_size(rng.slot, i);
		any |= size[i];
		expect(!(size[i] & (size[i] - 1)), "BAR %u: size %x", i,
		       size[i]);
		expect(!size[i] || !(base[i] & (size[i] - 1)),
		       "BAR %u: size %x at %x", i, size[i], base[i]);
		for (unsigned n = 0; n < i; n++)
			expect(!size[i] || !size[n] ||
				       base[n] + size[n] <= base[i] ||
				       base[i] + size[i] <= base[n],
			       "BAR %u lies in BAR %u", i, n);
	}
	pci_command(rng.slot, PCI_COMMAND_MEMORY, 0);
	expect(any, "no memory BAR");
}

static unsigned bar_of_common(void)
{
	return pci_read(rng.slot, rng.cap[CFG_COMMON] + 4, 1);
}

/* The registers go where the BAR goes, and nothing stays behind. */
static void test_bar_move(void)
{
	u32 bar, old, offset;
	volatile u16 *here, *there;

	need_rng();
	bar = bar_of_common();
	old = pci_read(rng.slot, PCI_BAR(bar), 4);
	offset = pci_read(rng.slot, rng.cap[CFG_COMMON] + 8, 4);
	here = (volatile u16 *)(rng.area[CFG_COMMON] + COMMON_QUEUES);
	there = (volatile u16 *)(word)(SPARE_ADDRESS + offset + COMMON_QUEUES);
	expect(*here == 1 && *there != 1, "before: %x %x", *here, *there);
	for (unsigned i = 0; i < 3; i++) {
		pci_write(rng.slot, PCI_BAR(bar), 4, SPARE_ADDRESS);
		expect(*here != 1 && *there == 1, "moved: %x %x", *here,
		       *there);
		pci_write(rng.slot, PCI_BAR(bar), 4, old);
		expect(*here == 1 && *there != 1, "and back: %x %x", *here,
		       *there);
	}
}

static void test_memory_enable(void)
{
	need_rng();
	expect(virtio_read16(&rng, COMMON_QUEUES) == 1, "on: %x",
	       virtio_read16(&rng, COMMON_QUEUES));
	pci_command(rng.slot, 0, PCI_COMMAND_MEMORY);
	expect(virtio_read16(&rng, COMMON_QUEUES) != 1, "off: %x",
	       virtio_read16(&rng, COMMON_QUEUES));
	virtio_write8(&rng, COMMON_STATUS, STATUS_ACKNOWLEDGE);
	pci_command(rng.slot, PCI_COMMAND_MEMORY, 0);
	expect(virtio_read16(&rng, COMMON_QUEUES) == 1, "on again: %x",
	       virtio_read16(&rng, COMMON_QUEUES));
	expect(!virtio_status(&rng), "what was written while off arrived");
}

/* Aligned, outside the header, no circles, what is promised lies in a BAR. */
static void test_caps(void)
{
	unsigned at, n = 0;

	need_rng();
	for (at = pci_read(rng.slot, PCI_CAPS, 1); at && n < 48; n++) {
		expect(at >= 0x40 && !(at & 3), "one at %x", at);
		at = pci_read(rng.slot, at + 1, 1);
	}
	expect(n > 1 && n < 48, "%u capabilities", n);
	for (unsigned kind = CFG_COMMON; kind < CFG_PCI; kind++) {
		unsigned bar = pci_read(rng.slot, rng.cap[kind] + 4, 1);
		u32 offset = pci_read(rng.slot, rng.cap[kind] + 8, 4);

		if (!rng.cap[kind])
			continue;
		expect(offset + rng.length[kind] <= pci_bar_size(rng.slot, bar),
		       "kind %u leads out of BAR %u", kind, bar);
	}
	pci_command(rng.slot, PCI_COMMAND_MEMORY, 0);
}

static void test_interrupt_pin(void)
{
	need_rng();
	expect(pci_read(rng.slot, PCI_INT_PIN, 1) == 1, "pin %u",
	       pci_read(rng.slot, PCI_INT_PIN, 1));
}

static const struct test tests[] = {
	TEST("pci.bridge", test_bridge),
	TEST("pci.absent", test_absent),
	TEST("pci.functions", test_functions),
	TEST("pci.address", test_address),
	TEST("pci.sizes", test_sizes),
	TEST("pci.write-sizes", test_write_sizes),
	TEST("pci.read-only", test_read_only),
	TEST("pci.bars", test_bars),
	TEST("pci.bar-move", test_bar_move),
	TEST("pci.memory-enable", test_memory_enable),
	TEST("pci.caps", test_caps),
	TEST("pci.interrupt-pin", test_interrupt_pin),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
