/*
 * PCI and virtio as a driver meets them: the bus, BARs, random numbers by
 * polling, by MSI-X and by an interrupt line, and the console.
 */
#include "apic.h"
#include "virtio.h"

#define VEC_CONFIG 0x50
#define VEC_QUEUE  0x51
#define VEC_LINE   0x61

#define IOAPIC	   0xfec00000u
#define IOAPIC_PIN 0x10
#define PIN_LEVEL  BIT(15)
#define PIN_MASKED BIT(16)

static struct virtio rng, console;
static struct ring ring, output;
static volatile u8 numbers[64];

/* --- the bus --- */

static void test_bus(void)
{
	expect(pci_read(0, 0, 4) != ~0u, "no host bridge");
	expect(pci_read(0, 0x0a, 2) == 0x0600, "slot 0 is of class %x",
	       pci_read(0, 0x0a, 2));
	expect(pci_read(31, 0, 4) == ~0u, "slot 31: %x", pci_read(31, 0, 4));
	expect(pci_find(VIRTIO_VENDOR, VIRTIO_RNG) > 0, "no virtio-rng");
	expect(pci_find(VIRTIO_VENDOR, VIRTIO_CONSOLE) > 0,
	       "no virtio-console");
	outl(0xcf8, 0x80000000);
	expect(inl(0xcf8) == 0x80000000, "CONFIG_ADDRESS: %x", inl(0xcf8));
	outl(0xcf8, 0);
	expect(inl(0xcfc) == ~0u, "answers while it is not enabled");
}

/* Sized, moved, switched off. */
static void test_bar(void)
{
	u32 old, size;

	expect(virtio_find(&rng, VIRTIO_RNG), "not all structures found");
	if (test_failed())
		return;
	old = pci_read(rng.slot, 0x10, 4);
	pci_write(rng.slot, 0x10, 4, ~0u);
	size = ~(pci_read(rng.slot, 0x10, 4) & ~15u) + 1;
	expect(size >= 0x1000 && !(size & (size - 1)), "size %x", size);
	expect(rng.common->queues == 0xffff, "still where it was");
	pci_write(rng.slot, 0x10, 4, 0xd0000000);
	virtio_find(&rng, VIRTIO_RNG);
	expect(rng.common->queues == 1, "%u queues after the move",
	       rng.common->queues);
	pci_write(rng.slot, 4, 2, 0);
	expect(rng.common->queues == 0xffff, "switched off, it answers");
	pci_write(rng.slot, 0x10, 4, old);
}

static void test_features(void)
{
	virtio_find(&rng, VIRTIO_RNG);
	expect(!virtio_negotiate(&rng, F_EVENT_IDX), "without VERSION_1");
	expect(!virtio_negotiate(&rng, F_VERSION_1 | BIT(7)),
	       "a feature that is not there");
	expect(virtio_negotiate(&rng, F_VERSION_1), "VERSION_1 alone");
}

/* --- random numbers --- */

static bool are_random(void)
{
	unsigned zeroes = 0;

	for (unsigned i = 0; i < sizeof(numbers); i++)
		zeroes += !numbers[i];
	return zeroes < 8;
}

static void start_rng(u64 features, u16 vector)
{
	expect(virtio_find(&rng, VIRTIO_RNG), "no virtio-rng");
	expect(virtio_negotiate(&rng, features), "refused");
	virtio_queue(&rng, 0, &ring, vector);
	expect(rng.common->enable == 1, "the queue");
	virtio_ready(&rng);
	expect(rng.common->status == 0x0f, "status %x", rng.common->status);
}

static void ask(void)
{
	memset((void *)numbers, 0, sizeof(numbers));
	ring.desc[1] =
		(struct desc){(u64)numbers, sizeof(numbers), DESC_WRITE, 0};
	ring_offer(&ring, 1);
	ring_kick(&ring);
}

static void check_answer(u16 index)
{
	unsigned at = (u16)(index - 1) % RING_SIZE;

	expect(ring.used_index == index, "%u used, not %u", ring.used_index,
	       index);
	expect(ring.used[at].head == 1, "head %x", ring.used[at].head);
	expect(ring.used[at].written == sizeof(numbers), "%u bytes",
	       ring.used[at].written);
	expect(are_random(), "not random");
}

static void test_polled(void)
{
	u8 first[sizeof(numbers)];

	start_rng(F_VERSION_1, NO_VECTOR);
	ring.avail_flags = 1; /* no interrupts */
	ask();
	expect(wait_for(ring.used_index == 1), "no answer");
	check_answer(1);
	memcpy(first, (void *)numbers, sizeof(first));
	for (u16 i = 2; i < 40 && !test_failed(); i++) {
		ask();
		expect(wait_for(ring.used_index == i), "no answer %u", i);
		check_answer(i);
	}
	expect(memcmp(first, (void *)numbers, sizeof(first)), "twice the same");
	expect(!(*rng.isr & 1), "an interrupt nobody asked for");
}

static void test_indirect(void)
{
	static struct desc table[2];

	start_rng(F_VERSION_1 | F_INDIRECT_DESC, NO_VECTOR);
	memset((void *)numbers, 0, sizeof(numbers));
	table[0] = (struct desc){(u64)numbers, 10, DESC_WRITE | DESC_NEXT, 1};
	table[1] = (struct desc){(u64)numbers + 10, 54, DESC_WRITE, 0};
	ring.desc[1] =
		(struct desc){(u64)table, sizeof(table), DESC_INDIRECT, 0};
	ring_offer(&ring, 1);
	ring_kick(&ring);
	expect(wait_for(ring.used_index == 1), "no answer");
	check_answer(1);
}

/* --- interrupts --- */

static void test_msix(void)
{
	static const u8 vectors[] = {VEC_CONFIG, VEC_QUEUE};

	apic_start();
	trap_hooks[VEC_CONFIG] = trap_hooks[VEC_QUEUE] = irq_counted;
	irq_count[VEC_CONFIG] = irq_count[VEC_QUEUE] = 0;
	virtio_find(&rng, VIRTIO_RNG);
	virtio_msix(&rng, 2, vectors);
	start_rng(F_VERSION_1, 1);
	sti();
	for (unsigned i = 1; i < 20 && !test_failed(); i++) {
		ask();
		expect(wait_for(irq_count[VEC_QUEUE] == i), "%u interrupts",
		       irq_count[VEC_QUEUE]);
		check_answer(i);
	}
	/* Masked, it waits; and comes when it is no longer. */
	rng.msix[4 + 3] = 1;
	ask();
	expect(wait_for(ring.used_index == 20), "no answer");
	expect(wait_for(((volatile u32 *)rng.msix)[0x200] == 2),
	       "not pending");
	expect(irq_count[VEC_QUEUE] == 19, "masked, it comes");
	((volatile u32 *)rng.msix)[4 + 3] = 0;
	expect(wait_for(irq_count[VEC_QUEUE] == 20), "unmasked: %u",
	       irq_count[VEC_QUEUE]);
	/* Breaking the ring is a change of configuration. */
	rng.common->config_vector = 0;
	ring_offer(&ring, 0x7777);
	ring_kick(&ring);
	expect(wait_for(irq_count[VEC_CONFIG] == 1), "no word of NEEDS_RESET");
	expect(rng.common->status & STATUS_NEEDS_RESET, "status %x",
	       rng.common->status);
	cli();
	virtio_msix(&rng, 0, vectors);
}

/* The event index asks for one in three. */
static void test_event_index(void)
{
	static const u8 vectors[] = {VEC_CONFIG, VEC_QUEUE};

	apic_start();
	trap_hooks[VEC_QUEUE] = irq_counted;
	irq_count[VEC_QUEUE] = 0;
	virtio_find(&rng, VIRTIO_RNG);
	virtio_msix(&rng, 2, vectors);
	start_rng(F_VERSION_1 | F_EVENT_IDX, 1);
	sti();
	for (u16 i = 1; i <= 30 && !test_failed(); i++) {
		if (i % 3 == 1)
			ring.used_event = i + 1; /* the third from here */
		ask();
		expect(wait_for(ring.used_index == i), "no answer %u", i);
		if (i % 3 == 0)
			expect(wait_for(irq_count[VEC_QUEUE] == i / 3u),
			       "%u after %u", irq_count[VEC_QUEUE], i);
	}
	expect(irq_count[VEC_QUEUE] == 10, "%u interrupts, not 10",
	       irq_count[VEC_QUEUE]);
	cli();
	virtio_msix(&rng, 0, vectors);
}

static void ioapic_write(unsigned reg, u32 value)
{
	*(volatile u32 *)(u64)IOAPIC = reg;
	*(volatile u32 *)(u64)(IOAPIC + 0x10) = value;
}

static bool line_irq(struct trap_frame *frame)
{
	expect(*rng.isr == 1, "ISR says nothing of a queue");
	return irq_counted(frame);
}

/* Slot and pin give the line, as in the ACPI tables. */
static void test_line(void)
{
	unsigned pin;

	apic_start();
	trap_hooks[VEC_LINE] = line_irq;
	irq_count[VEC_LINE] = 0;
	start_rng(F_VERSION_1, NO_VECTOR);
	pin = 16 + rng.slot % 4;
	ioapic_write(IOAPIC_PIN + 2 * pin + 1, apic_id() << 24);
	ioapic_write(IOAPIC_PIN + 2 * pin, VEC_LINE | PIN_LEVEL);
	sti();
	for (unsigned i = 1; i < 10 && !test_failed(); i++) {
		ask();
		expect(wait_for(irq_count[VEC_LINE] == i), "%u interrupts",
		       irq_count[VEC_LINE]);
		check_answer(i);
	}
	cli();
	ioapic_write(IOAPIC_PIN + 2 * pin, PIN_MASKED);
}

/* --- the console --- */

/* A check of its own, which the console says: so the host must show it. */
#define check "ok "
static const char line[] =
	check "virtio.console-line"
	"\n";

static void test_console(void)
{
	unsigned half = sizeof(line) / 2;

	expect(virtio_find(&console, VIRTIO_CONSOLE), "no virtio-console");
	expect(virtio_negotiate(&console, F_VERSION_1), "refused");
	virtio_queue(&console, 0, &ring, NO_VECTOR);
	virtio_queue(&console, 1, &output, NO_VECTOR);
	virtio_ready(&console);
	output.desc[0] = (struct desc){(u64)line, half, DESC_NEXT, 2};
	output.desc[2] = (struct desc){(u64)line + half,
				       sizeof(line) - 1 - half, 0, 0};
	ring_offer(&output, 0);
	ring_kick(&output);
	expect(output.used_index == 1, "not shown when the kick returns");
}

static const struct test tests[] = {
	GODWIT_TEST("virtio.bus", test_bus),
	GODWIT_TEST("virtio.bar", test_bar),
	GODWIT_TEST("virtio.features", test_features),
	GODWIT_TEST("virtio.polled", test_polled),
	GODWIT_TEST("virtio.indirect", test_indirect),
	GODWIT_TEST("virtio.msix", test_msix),
	GODWIT_TEST("virtio.event-index", test_event_index),
	GODWIT_TEST("virtio.line", test_line),
	GODWIT_TEST("virtio.console", test_console),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
