/* How a virtio device interrupts: MSI-X with its masks, or its line. */
#include "apic.h"
#include "virtio_checks.h"

#define VEC_QUEUE  0x61
#define VEC_CONFIG 0x62

#define IOAPIC	      0xfec00000u
#define IOAPIC_LEVEL  BIT(15)
#define IOAPIC_MASKED BIT(16)

static struct msix msix;

static void start_msix(u64 features)
{
	virtio_need(VIRTIO_RNG, "virtio-rng");
	if (!msix_find(&msix, dev.slot))
		skip("no MSI-X");
	apic_start();
	trap_hooks[VEC_QUEUE] = irq_counted;
	trap_hooks[VEC_CONFIG] = irq_counted;
	irq_count[VEC_QUEUE] = irq_count[VEC_CONFIG] = 0;
	msix_control(&msix, MSIX_ENABLE);
	msix_set(&msix, 0, VEC_CONFIG);
	msix_set(&msix, 1, VEC_QUEUE);
	if (!virtio_settle(&dev, F_VERSION_1 | features))
		return;
	virtio_write16(&dev, COMMON_VECTOR, 0);
	queue_start(&queue, &dev, 0, &ring);
	virtio_write16(&dev, COMMON_QUEUE_VECTOR, 1);
	expect(virtio_read16(&dev, COMMON_QUEUE_VECTOR) == 1, "vector %x",
	       virtio_read16(&dev, COMMON_QUEUE_VECTOR));
	virtio_ready(&dev);
	sti();
}

static void end_msix(void)
{
	cli();
	virtio_reset(&dev);
	msix_control(&msix, 0);
}

/*
 * A round trip; how many interrupts came with it. The device may be served by
 * another CPU, which answers first and interrupts then: one that is wanted is
 * waited for.
 */
static unsigned interrupts_of_one(bool wanted)
{
	unsigned before = irq_count[VEC_QUEUE];
	struct used used;

	expect(queue_do(&queue, buffer, 8, DESC_WRITE, &used), "no answer");
	if (wanted)
		wait_for(irq_count[VEC_QUEUE] != before);
	for (unsigned i = 0; i < 20; i++)
		cpuid(0, 0);
	return irq_count[VEC_QUEUE] - before;
}

void test_msix(void)
{
	start_msix(0);
	for (unsigned i = 1; i <= 20 && !test_failed(); i++) {
		struct used used;

		expect(queue_do(&queue, buffer, 8, DESC_WRITE, &used) &&
			       wait_for(irq_count[VEC_QUEUE] == i),
		       "request %u: %u interrupts", i, irq_count[VEC_QUEUE]);
	}
	expect(!irq_count[VEC_CONFIG], "%u for the configuration",
	       irq_count[VEC_CONFIG]);
	end_msix();
}

/* What comes while a vector is masked waits in the pending bits. */
void test_msix_mask(void)
{
	start_msix(0);
	msix_mask(&msix, 1, true);
	expect(!interrupts_of_one(false), "came though masked");
	expect(wait_for(msix.pending[0] == BIT(1)), "pending %x",
	       msix.pending[0]);
	msix_mask(&msix, 1, false);
	expect(wait_for(irq_count[VEC_QUEUE] == 1), "lost: %u",
	       irq_count[VEC_QUEUE]);
	expect(!msix.pending[0], "still pending: %x", msix.pending[0]);
	msix_control(&msix, MSIX_ENABLE | MSIX_FUNCTION_MASK);
	expect(!interrupts_of_one(false), "came though all are masked");
	expect(wait_for(msix.pending[0] == BIT(1)), "all masked: pending %x",
	       msix.pending[0]);
	msix_control(&msix, MSIX_ENABLE);
	expect(wait_for(irq_count[VEC_QUEUE] == 2), "all: lost: %u",
	       irq_count[VEC_QUEUE]);
	end_msix();
}

void test_no_interrupt(void)
{
	start_msix(0);
	ring.avail.flags = 1;
	expect(!interrupts_of_one(false), "came though not wanted");
	ring.avail.flags = 0;
	expect(interrupts_of_one(true) == 1, "wanted, and did not come");
	end_msix();
}

/* Only the completion that is waited for interrupts (2.7.7). */
void test_event_index(void)
{
	start_msix(F_EVENT_IDX);
	expect(interrupts_of_one(true) == 1, "the first did not come");
	*queue.used_event = 3;
	for (unsigned i = 1; i < 6; i++) {
		unsigned came = interrupts_of_one(i == 3);

		expect(came == (i == 3), "completion %u: %u interrupts", i,
		       came);
	}
	end_msix();
}

void test_no_vector(void)
{
	start_msix(0);
	virtio_write16(&dev, COMMON_QUEUE_VECTOR, 0x7fff);
	expect(virtio_read16(&dev, COMMON_QUEUE_VECTOR) == 0xffff,
	       "a vector that is not there: %x",
	       virtio_read16(&dev, COMMON_QUEUE_VECTOR));
	expect(!interrupts_of_one(false), "came without a vector");
	end_msix();
}

/* The driver hears of it by the configuration's interrupt (2.1.2). */
void test_broken_interrupt(void)
{
	start_msix(0);
	virtio_send(queue.size);
	expect(wait_for(irq_count[VEC_CONFIG]), "none came");
	end_msix();
}

/* Without MSI-X: the ISR says why, the status bit that it waits (4.1.4.5). */
void test_isr(void)
{
	struct used used;
	u8 isr;

	virtio_need(VIRTIO_RNG, "virtio-rng");
	pci_command(dev.slot, PCI_COMMAND_NO_INTX, 0);
	virtio_start(0);
	expect(!(pci_read(dev.slot, PCI_STATUS, 2) & PCI_STATUS_INTX),
	       "waits from the start");
	expect(queue_do(&queue, buffer, 8, DESC_WRITE, &used), "no answer");
	expect(soon(pci_read(dev.slot, PCI_STATUS, 2) & PCI_STATUS_INTX),
	       "no interrupt waits");
	isr = *dev.area[CFG_ISR];
	expect(isr == 1, "ISR %x", isr);
	isr = *dev.area[CFG_ISR];
	expect(!isr && !(pci_read(dev.slot, PCI_STATUS, 2) & PCI_STATUS_INTX),
	       "read, and still %x", isr);
	pci_command(dev.slot, 0, PCI_COMMAND_NO_INTX);
}

/* --- the line, by the I/O APIC */

static volatile u8 isr_seen;

static void route(unsigned gsi, u64 entry)
{
	volatile u32 *select = (volatile u32 *)(word)IOAPIC;
	volatile u32 *window = (volatile u32 *)(word)(IOAPIC + 0x10);

	*select = 0x11 + 2 * gsi;
	*window = entry >> 32;
	*select = 0x10 + 2 * gsi;
	*window = entry;
}

/* A level is gone before its end is told, else it would come again. */
static bool line_hook(struct trap_frame *frame)
{
	isr_seen |= *dev.area[CFG_ISR];
	return irq_counted(frame);
}

/* Each completion is one interrupt, and none when the line is disabled. */
void test_line(void)
{
	unsigned gsi;

	virtio_need(VIRTIO_RNG, "virtio-rng");
	gsi = pci_read(dev.slot, PCI_INT_LINE, 1);
	expect(gsi && gsi < 24, "interrupt line %u", gsi);
	apic_start();
	trap_hooks[VEC_QUEUE] = line_hook;
	irq_count[VEC_QUEUE] = isr_seen = 0;
	virtio_start(0);
	route(gsi, (u64)apic_id() << 56 | IOAPIC_LEVEL | VEC_QUEUE);
	sti();
	for (unsigned i = 1; i <= 10 && !test_failed(); i++) {
		unsigned came = interrupts_of_one(i == 3);

		expect(came == 1, "request %u: %u interrupts", i, came);
	}
	expect(isr_seen == 1, "ISR %x", isr_seen);
	pci_command(dev.slot, PCI_COMMAND_NO_INTX, 0);
	expect(!interrupts_of_one(false), "came though disabled");
	pci_command(dev.slot, 0, PCI_COMMAND_NO_INTX);
	expect(wait_for(irq_count[VEC_QUEUE] == 11), "enabled, and it is lost");
	cli();
	route(gsi, IOAPIC_MASKED);
}
