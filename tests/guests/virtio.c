/*
 * The virtio devices by a driver of ours: features, queues, indirect chains,
 * and what becomes of a driver that breaks the rules. Interrupts are in
 * virtio_interrupts.c.
 */
#include "virtio_checks.h"

struct virtio dev;
struct ring ring ALIGNED(4096);
struct queue queue;
u8 buffer[4096] ALIGNED(4096);
static struct desc table[8] ALIGNED(16);

void virtio_need(unsigned type, const char *name)
{
	if (!virtio_find(&dev, type))
		skip("no %s here", name);
}

void virtio_start(u64 features)
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
	virtio_need(VIRTIO_RNG, "virtio-rng");
	virtio_start(features);
}

/* --- setting up */

static void test_registers(void)
{
	virtio_need(VIRTIO_RNG, "virtio-rng");
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

	virtio_need(VIRTIO_RNG, "virtio-rng");
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
	virtio_need(VIRTIO_RNG, "virtio-rng");
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

	virtio_need(VIRTIO_RNG, "virtio-rng");
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

/* --- drivers that break the rules */

static void expect_broken(const char *how)
{
	struct used used;

	expect(soon(virtio_status(&dev) & STATUS_NEEDS_RESET), "%s: status %x",
	       how, virtio_status(&dev));
	virtio_start(F_INDIRECT);
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

void virtio_send(u16 head)
{
	queue_add(&queue, head);
	queue_kick(&queue);
}

static void test_loop(void)
{
	start_rng(F_INDIRECT);
	set_desc(&ring.desc[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 1);
	set_desc(&ring.desc[1], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 0);
	virtio_send(0);
	expect_broken("a chain in circles");
	set_desc(&table[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT, 0);
	set_desc(&ring.desc[0], (word)table, 16, DESC_INDIRECT, 0);
	virtio_send(0);
	expect_broken("an indirect chain in circles");
}

static void test_nested(void)
{
	start_rng(F_INDIRECT);
	set_desc(&table[0], (word)&table[1], 16, DESC_INDIRECT, 0);
	set_desc(&table[1], (word)buffer, 8, DESC_WRITE, 0);
	set_desc(&ring.desc[0], (word)table, 16, DESC_INDIRECT, 0);
	virtio_send(0);
	expect_broken("indirect in indirect");
	set_desc(&ring.desc[0], (word)table, 17, DESC_INDIRECT, 0);
	virtio_send(0);
	expect_broken("a table of 17 bytes");
}

static void test_range(void)
{
	start_rng(F_INDIRECT);
	virtio_send(queue.size);
	expect_broken("a head that is not there");
	set_desc(&ring.desc[0], (word)buffer, 8, DESC_WRITE | DESC_NEXT,
		 queue.size);
	virtio_send(0);
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
		virtio_send(0);
		expect_broken("memory that is not there");
	}
}

/* A ring outside memory, and a device told that it may go before it may. */
static void test_setup(void)
{
	virtio_need(VIRTIO_RNG, "virtio-rng");
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
	virtio_start(F_INDIRECT);
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

	virtio_need(VIRTIO_CONSOLE, "virtio-console");
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
