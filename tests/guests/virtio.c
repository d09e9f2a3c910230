/*
 * The virtio devices by a driver of ours: features, queues, indirect chains,
 * what either side may suppress, MSI-X with its masks, and what becomes of a
 * driver that breaks the rules.
 */
#include "apic.h"
#include "virtio.h"

#define VEC_QUEUE  0x61
#define VEC_CONFIG 0x62

#define IOAPIC	      0xfec00000u
#define IOAPIC_LEVEL  BIT(15)
#define IOAPIC_MASKED BIT(16)

static struct virtio dev;
static struct ring ring ALIGNED(4096);
static struct queue queue;
static u8 buffer[4096] ALIGNED(4096);
static struct desc table[8] ALIGNED(16);

/* For conditions that cost an exit. */
#define soon(cond)                                                   \
	({                                                           \
		for (unsigned looks = 0; !(cond) && looks < 100000;) \
			looks++;                                     \
		(cond);                                              \
	})

static void need(unsigned type, const char *name)
{
	if (!virtio_find(&dev, type))
		skip("no %s here", name);
}

static void start(u64 features)
{
	if (!virtio_settle(&dev, F_VERSION_1 | features)) {
		expect(false, "no FEATURES_OK with %lx", features);
		skip("not as it should be");
	}
	queue_start(&queue, &dev, 0, &ring);
	virtio_ready(&dev);
}

static void start_rng(u64 features)
{
	need(VIRTIO_RNG, "virtio-rng");
	start(features);
}

/* --- setting up */

static void test_registers(void)
{
	need(VIRTIO_RNG, "virtio-rng");
	virtio_reset(&dev);
	expect(virtio_read16(&dev, COMMON_QUEUES) == 1, "%u queues",
	       virtio_read16(&dev, COMMON_QUEUES));
	virtio_write16(&dev, COMMON_SELECT, 0);
	expect(virtio_read16(&dev, COMMON_SIZE) > 0, "queue 0 has no size");
	expect(!virtio_read16(&dev, COMMON_ENABLE), "enabled from the start");
	virtio_write64(&dev, COMMON_DESC, 0x123456789ab0);
	expect(virtio_read32(&dev, COMMON_DESC) == 0x56789ab0 &&
		       virtio_read32(&dev, COMMON_DESC + 4) == 0x1234,
	       "an address reads as %x:%x",
	       virtio_read32(&dev, COMMON_DESC + 4),
	       virtio_read32(&dev, COMMON_DESC));
	virtio_write16(&dev, COMMON_SELECT, 1);
	expect(!virtio_read16(&dev, COMMON_SIZE), "queue 1 has size %u",
	       virtio_read16(&dev, COMMON_SIZE));
	virtio_reset(&dev);
	expect(!virtio_read32(&dev, COMMON_DESC), "kept over a reset");
}

static void test_features(void)
{
	u64 offered;

	need(VIRTIO_RNG, "virtio-rng");
	offered = virtio_offered(&dev);
	expect(offered & F_VERSION_1, "offers %lx", offered);
	expect(virtio_settle(&dev, F_VERSION_1), "wants more than VERSION_1");
	virtio_write32(&dev, COMMON_OFFER_SELECT, 7);
	expect(!virtio_read32(&dev, COMMON_OFFER), "offers bit %u and up",
	       7 * 32);
}

/* Without VERSION_1 this would be another device (6.1): none of ours. */
static void test_refused(void)
{
	need(VIRTIO_RNG, "virtio-rng");
	expect(!virtio_settle(&dev, virtio_offered(&dev) & ~F_VERSION_1),
	       "agrees without VERSION_1");
	expect(!virtio_settle(&dev, F_VERSION_1 | BIT(5)),
	       "agrees to what it did not offer");
	expect(!virtio_settle(&dev, F_VERSION_1 | BIT(63)),
	       "agrees to bit 63, which it did not offer");
}

static void test_reset(void)
{
	start_rng(0);
	expect(virtio_read16(&dev, COMMON_ENABLE) == 1, "not enabled");
	virtio_reset(&dev);
	expect(!virtio_status(&dev), "status %x", virtio_status(&dev));
	expect(!virtio_read16(&dev, COMMON_ENABLE), "still enabled");
	/* A queue of a device that was reset is nobody's. */
	ring.desc[0].address = (word)buffer;
	ring.desc[0].size = 16;
	ring.desc[0].flags = DESC_WRITE;
	queue_add(&queue, 0);
	queue_kick(&queue);
	cpuid(0, 0);
	expect(!ring.used.index, "it is served all the same");
}

/* The same registers by configuration space alone (4.1.4.9). */
static void test_window(void)
{
	unsigned cap;
	u32 bar, offset, value;

	need(VIRTIO_RNG, "virtio-rng");
	cap = dev.cap[CFG_PCI];
	expect(cap, "there is none");
	if (!cap)
		return;
	bar = pci_read(dev.slot, dev.cap[CFG_COMMON] + 4, 1);
	offset = pci_read(dev.slot, dev.cap[CFG_COMMON] + 8, 4);
	pci_write(dev.slot, cap + 4, 1, bar);
	pci_write(dev.slot, cap + 8, 4, offset + COMMON_QUEUES);
	pci_write(dev.slot, cap + 12, 4, 2);
	value = pci_read(dev.slot, cap + 16, 2);
	expect(value == 1, "number of queues: %x", value);
	pci_write(dev.slot, cap + 8, 4, offset + COMMON_OFFER_SELECT);
	pci_write(dev.slot, cap + 12, 4, 4);
	pci_write(dev.slot, cap + 16, 4, 0x1234);
	expect(virtio_read32(&dev, COMMON_OFFER_SELECT) == 0x1234,
	       "written: %x", virtio_read32(&dev, COMMON_OFFER_SELECT));
	pci_write(dev.slot, cap + 12, 4, 3);
	pci_write(dev.slot, cap + 16, 4, 0);
	expect(virtio_read32(&dev, COMMON_OFFER_SELECT) == 0x1234,
	       "three bytes were written");
}

/* --- the ring */

/* Every buffer comes back, in order, filled; the indices wrap. */
static void test_rng(void)
{
	struct used used;
	u64 all = 0;

	start_rng(0);
	for (unsigned i = 0; i < 3u * queue.size && !test_failed(); i++) {
		memset(buffer, 0, 64);
		if (!queue_do(&queue, buffer, 64, DESC_WRITE, &used)) {
			expect(false, "request %u: no answer", i);
			return;
		}
		expect(used.id == 0 && used.size && used.size <= 64,
		       "request %u: id %u, %u bytes", i, used.id, used.size);
		all |= *(u64 *)buffer;
	}
	expect(all, "all zeroes");
	expect(!*(u64 *)(buffer + 64), "more than the buffer was written");
}

static void test_batch(void)
{
	struct used used;

	start_rng(0);
	for (unsigned i = 0; i < queue.size; i++) {
		ring.desc[i].address = (word)buffer + 8 * i;
		ring.desc[i].size = 8;
		ring.desc[i].flags = DESC_WRITE;
		queue_add(&queue, i);
	}
	queue_kick(&queue);
	for (unsigned i = 0; i < queue.size && !test_failed(); i++)
		expect(queue_wait(&queue, &used) && used.size == 8,
		       "of %u requests %u came back", queue.size, i);
}

static void test_chain(void)
{
	struct used used;

	start_rng(0);
	memset(buffer, 0, sizeof(buffer));
	for (unsigned i = 0; i < 3; i++) {
		ring.desc[i].address = (word)buffer + 32 * i;
		ring.desc[i].size = 8;
		ring.desc[i].flags = DESC_WRITE | (i < 2 ? DESC_NEXT : 0);
		ring.desc[i].next = i + 1;
	}
	queue_add(&queue, 0);
	queue_kick(&queue);
	expect(queue_wait(&queue, &used) && used.size == 24, "%u bytes",
	       used.size);
	for (unsigned i = 0; i < 3; i++)
		expect(*(u64 *)(buffer + 32 * i) &&
			       !*(u64 *)(buffer + 32 * i + 8),
		       "piece %u: %lx, then %lx", i, *(u64 *)(buffer + 32 * i),
		       *(u64 *)(buffer + 32 * i + 8));
}

static void test_indirect(void)
{
	struct used used;

	start_rng(F_INDIRECT);
	memset(buffer, 0, sizeof(buffer));
	for (unsigned i = 0; i < 3; i++) {
		table[i].address = (word)buffer + 32 * i;
		table[i].size = 8;
		table[i].flags = DESC_WRITE | (i < 2 ? DESC_NEXT : 0);
		table[i].next = i + 1;
	}
	expect(queue_do(&queue, table, 3 * sizeof(table[0]), DESC_INDIRECT,
			&used) &&
		       used.size == 24,
	       "%u bytes", used.size);
	expect(*(u64 *)(buffer + 64), "the third piece is empty");
}

/* --- interrupts */

static struct msix msix;

static void start_msix(u64 features)
{
	need(VIRTIO_RNG, "virtio-rng");
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

/* A round trip; how many interrupts came with it. */
static unsigned interrupts_of_one(void)
{
	unsigned before = irq_count[VEC_QUEUE];
	struct used used;

	expect(queue_do(&queue, buffer, 8, DESC_WRITE, &used), "no answer");
	for (unsigned i = 0; i < 20; i++)
		cpuid(0, 0);
	return irq_count[VEC_QUEUE] - before;
}

static void test_msix(void)
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
static void test_msix_mask(void)
{
	start_msix(0);
	msix_mask(&msix, 1, true);
	expect(!interrupts_of_one(), "came though masked");
	expect(msix.pending[0] == BIT(1), "pending %x", msix.pending[0]);
	msix_mask(&msix, 1, false);
	expect(wait_for(irq_count[VEC_QUEUE] == 1), "lost: %u",
	       irq_count[VEC_QUEUE]);
	expect(!msix.pending[0], "still pending: %x", msix.pending[0]);
	msix_control(&msix, MSIX_ENABLE | MSIX_FUNCTION_MASK);
	expect(!interrupts_of_one(), "came though all are masked");
	expect(msix.pending[0] == BIT(1), "all masked: pending %x",
	       msix.pending[0]);
	msix_control(&msix, MSIX_ENABLE);
	expect(wait_for(irq_count[VEC_QUEUE] == 2), "all: lost: %u",
	       irq_count[VEC_QUEUE]);
	end_msix();
}

static void test_no_interrupt(void)
{
	start_msix(0);
	ring.avail.flags = 1;
	expect(!interrupts_of_one(), "came though not wanted");
	ring.avail.flags = 0;
	expect(interrupts_of_one() == 1, "wanted, and did not come");
	end_msix();
}

/* Only the completion that is waited for interrupts (2.7.7). */
static void test_event_index(void)
{
	start_msix(F_EVENT_IDX);
	expect(interrupts_of_one() == 1, "the first did not come");
	*queue.used_event = 3;
	for (unsigned i = 1; i < 6; i++) {
		unsigned came = interrupts_of_one();

		expect(came == (i == 3), "completion %u: %u interrupts", i,
		       came);
	}
	end_msix();
}

static void test_no_vector(void)
{
	start_msix(0);
	virtio_write16(&dev, COMMON_QUEUE_VECTOR, 0x7fff);
	expect(virtio_read16(&dev, COMMON_QUEUE_VECTOR) == 0xffff,
	       "a vector that is not there: %x",
	       virtio_read16(&dev, COMMON_QUEUE_VECTOR));
	expect(!interrupts_of_one(), "came without a vector");
	end_msix();
}

/* Without MSI-X: the ISR says why, the status bit that it waits (4.1.4.5). */
static void test_isr(void)
{
	struct used used;
	u8 isr;

	need(VIRTIO_RNG, "virtio-rng");
	pci_command(dev.slot, PCI_COMMAND_NO_INTX, 0);
	start(0);
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
static void test_line(void)
{
	unsigned gsi;

	need(VIRTIO_RNG, "virtio-rng");
	gsi = pci_read(dev.slot, PCI_INT_LINE, 1);
	expect(gsi && gsi < 24, "interrupt line %u", gsi);
	apic_start();
	trap_hooks[VEC_QUEUE] = line_hook;
	irq_count[VEC_QUEUE] = isr_seen = 0;
	start(0);
	route(gsi, (u64)apic_id() << 56 | IOAPIC_LEVEL | VEC_QUEUE);
	sti();
	for (unsigned i = 1; i <= 10 && !test_failed(); i++) {
		unsigned came = interrupts_of_one();

		expect(came == 1, "request %u: %u interrupts", i, came);
	}
	expect(isr_seen == 1, "ISR %x", isr_seen);
	pci_command(dev.slot, PCI_COMMAND_NO_INTX, 0);
	expect(!interrupts_of_one(), "came though disabled");
	pci_command(dev.slot, 0, PCI_COMMAND_NO_INTX);
	expect(wait_for(irq_count[VEC_QUEUE] == 11), "enabled, and it is lost");
	cli();
	route(gsi, IOAPIC_MASKED);
}

/* --- drivers that break the rules */

static void expect_broken(const char *how)
{
	struct used used;

	expect(soon(virtio_status(&dev) & STATUS_NEEDS_RESET), "%s: status %x",
	       how, virtio_status(&dev));
	start(F_INDIRECT);
	expect(queue_do(&queue, buffer, 8, DESC_WRITE, &used),
	       "%s: does not work after a reset", how);
}

static void set_desc(volatile struct desc *desc, u64 address, u32 size,
		     u16 flags, u16 next)
{
	desc->address = address;
	desc->size = size;
	desc->flags = flags;
	desc->next = next;
}

static void send_head(u16 head)
{
	queue_add(&queue, head);
	queue_kick(&queue);
}

static void test_loop(void)
{
	start_rng(F_INDIRECT);
	set_desc(&ring.desc[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 1);
	set_desc(&ring.desc[1], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 0);
	send_head(0);
	expect_broken("a chain in circles");
	set_desc(&table[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 0);
	set_desc(&ring.desc[0], (word)table, 16, DESC_INDIRECT, 0);
	send_head(0);
	expect_broken("an indirect chain in circles");
}

static void test_nested(void)
{
	start_rng(F_INDIRECT);
	set_desc(&table[0], (word)&table[1], 16, DESC_INDIRECT, 0);
	set_desc(&table[1], (word)buffer, 8, DESC_WRITE, 0);
	set_desc(&ring.desc[0], (word)table, 16, DESC_INDIRECT, 0);
	send_head(0);
	expect_broken("indirect in indirect");
	set_desc(&ring.desc[0], (word)table, 17, DESC_INDIRECT, 0);
	send_head(0);
	expect_broken("a table of 17 bytes");
}

static void test_range(void)
{
	start_rng(F_INDIRECT);
	send_head(queue.size);
	expect_broken("a head that is not there");
	set_desc(&ring.desc[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT,
		 queue.size);
	send_head(0);
	expect_broken("a descriptor that is not there");
	ring.avail.index = queue.size + 2; /* one is done already */
	queue_kick(&queue);
	expect_broken("an index that jumps");
}

static void test_nowhere(void)
{
	static const struct {
		u64 at;
		u32 size;
	} area[] = {{0xfee00000, 8},	 {0xf0000000, 8},
		    {~0ULL - 3, 8},	 {0, ~0u},
		    {(u64)1 << 52, 8},	 {(u64)1 << 63, 1},
		    {0xfffffff0, 0x1000}};

	start_rng(F_INDIRECT);
	for (unsigned i = 0; i < ARRAY_LEN(area) && !test_failed(); i++) {
		set_desc(&ring.desc[0], area[i].at, area[i].size, DESC_WRITE,
			 0);
		send_head(0);
		expect_broken("memory that is not there");
	}
}

/* A ring outside memory, and a device told that it may go before it may. */
static void test_setup(void)
{
	need(VIRTIO_RNG, "virtio-rng");
	virtio_settle(&dev, F_VERSION_1);
	virtio_write16(&dev, COMMON_SELECT, 0);
	virtio_write64(&dev, COMMON_DESC, 0xf0000000);
	virtio_write16(&dev, COMMON_ENABLE, 1);
	expect(virtio_status(&dev) & STATUS_NEEDS_RESET ||
		       !virtio_read16(&dev, COMMON_ENABLE),
	       "a ring outside memory is enabled");
	virtio_reset(&dev);
	virtio_write8(&dev, COMMON_STATUS, STATUS_DRIVER_OK);
	queue_kick(&queue);
	start(F_INDIRECT);
}

/* The driver hears of it by the configuration's interrupt (2.1.2). */
static void test_broken_interrupt(void)
{
	start_msix(0);
	send_head(queue.size);
	expect(wait_for(irq_count[VEC_CONFIG]), "none came");
	end_msix();
}

/* --- the console, which from then on prints */

static struct ring console_ring ALIGNED(4096);
static struct queue console;
static struct virtio console_dev;

static void console_write(const char *text, size_t n)
{
	struct used used;

	queue_do(&console, text, n, 0, &used);
}

static void test_console(void)
{
	struct used used;

	need(VIRTIO_CONSOLE, "virtio-console");
	console_dev = dev;
	if (!virtio_settle(&console_dev, F_VERSION_1))
		skip("no FEATURES_OK");
	queue_start(&console, &console_dev, 1, &console_ring);
	virtio_ready(&console_dev);
	expect(queue_do(&console, "here is the console\n", 20, 0, &used) &&
		       !used.size,
	       "%u bytes", used.size);
	if (!test_failed())
		print_sink = console_write;
}

/* This line of the report has come through it, in pieces. */
static void test_console_pieces(void)
{
	static const char text[] = "one, two, three\n";
	struct used used;

	if (print_sink != console_write)
		skip("no console");
	for (unsigned i = 0; i < 4; i++)
		set_desc(&console_ring.desc[i], (word)text + 4 * i, 4,
			 i < 3 ? DESC_NEXT : 0, i + 1);
	queue_add(&console, 0);
	queue_kick(&console);
	expect(queue_wait(&console, &used), "no answer");
}

static const struct test tests[] = {
	TEST("virtio.registers", test_registers),
	TEST("virtio.features", test_features),
	GODWIT_TEST("virtio.refused", test_refused),
	TEST("virtio.reset", test_reset),
	TEST("virtio.window", test_window),
	TEST("virtio.rng", test_rng),
	TEST("virtio.batch", test_batch),
	TEST("virtio.chain", test_chain),
	TEST("virtio.indirect", test_indirect),
	TEST("virtio.msix", test_msix),
	TEST("virtio.msix-mask", test_msix_mask),
	TEST("virtio.no-interrupt", test_no_interrupt),
	TEST("virtio.event-index", test_event_index),
	TEST("virtio.no-vector", test_no_vector),
	TEST("virtio.isr", test_isr),
	TEST("virtio.line", test_line),
	TEST("virtio.loop", test_loop),
	GODWIT_TEST("virtio.nested", test_nested),
	GODWIT_TEST("virtio.range", test_range),
	GODWIT_TEST("virtio.nowhere", test_nowhere),
	GODWIT_TEST("virtio.setup", test_setup),
	TEST("virtio.broken-interrupt", test_broken_interrupt),
	TEST("virtio.console", test_console),
	TEST("virtio.console-pieces", test_console_pieces),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
