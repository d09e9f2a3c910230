/*
 * virtio-net from the PCI function to the frame, with a device that the test
 * plays: as it should be, and as badly as it likes.
 *
 *	links: drivers/virtio_net.c drivers/virtio_pci.c drivers/virtq.c
 *	links: drivers/netdev.c drivers/pci.c tests/unit/fake_pci.c
 *	links: kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/netdev_driver.h"
#include "drivers/virtio.h"
#include "drivers/virtio_net.h"
#include "tests/unit/fake_pci.h"

#define BAR	   0xe000000000ULL
#define COMMON	   0
#define DEVICE	   0x2000
#define NOTIFY	   0x3000
#define MSIX	   0x100000
#define MSIX_TABLE 64

enum { RX, TX };

/* The other driver is not what is tested here. */
const struct netdev_driver e1000_driver = {.name = "e1000"};

static struct {
	u64 features, agreed;
	u32 feature_select, driver_select;
	u8 status;
	u16 queue_select;
	struct {
		u16 size, enabled;
		u64 desc, avail, used;
		u16 avail_seen, used_idx;
		unsigned kicks;
	} queue[2];
	u8 config[12];
	unsigned resets;
	bool stuck; /* a reset does not end */
} dev;

/* --- the device's registers, by 4.1.4.3 */

static u64 *queue_address(u64 reg)
{
	u64 *const parts[] = {&dev.queue[dev.queue_select].desc,
			      &dev.queue[dev.queue_select].avail,
			      &dev.queue[dev.queue_select].used};

	return parts[(reg - 0x20) / 8];
}

static u32 common_read(u64 reg)
{
	switch (reg) {
	case 0x04:
		return (u32)(dev.features >> dev.feature_select * 32);
	case 0x14:
		return dev.status;
	case 0x18:
		return dev.queue_select < 2 ? dev.queue[dev.queue_select].size
					    : 0;
	case 0x1a:
		return 0;
	case 0x1e:
		return dev.queue_select;
	default:
		test_fail(__FILE__, __LINE__, "read of 0x%lx", reg);
	}
}

static void reset_device(void)
{
	dev.resets++;
	dev.agreed = 0;
	for (unsigned i = 0; i < 2; i++) {
		dev.queue[i].size = 256;
		dev.queue[i].enabled = 0;
		dev.queue[i].avail_seen = dev.queue[i].used_idx = 0;
	}
}

static void common_write(u64 reg, u32 value)
{
	switch (reg) {
	case 0x00:
		dev.feature_select = value;
		break;
	case 0x08:
		dev.driver_select = value;
		break;
	case 0x0c:
		dev.agreed |= (u64)value << dev.driver_select * 32;
		break;
	case 0x10:
	case 0x1a:
		break;
	case 0x14:
		if (!value)
			reset_device();
		dev.status = dev.stuck ? 0xff : (u8)value;
		break;
	case 0x16:
		dev.queue_select = (u16)value;
		break;
	case 0x18:
		dev.queue[dev.queue_select].size = (u16)value;
		break;
	case 0x1c:
		dev.queue[dev.queue_select].enabled = (u16)value;
		break;
	default:
		CHECK(reg >= 0x20 && reg < 0x38);
		memcpy((u8 *)queue_address(reg) + (reg & 4), &value, 4);
	}
}

u32 fake_mmio_read(u64 address, unsigned bytes)
{
	u64 reg = address - BAR;
	u32 value = 0;

	if (reg >= DEVICE && reg + bytes <= DEVICE + sizeof(dev.config))
		memcpy(&value, dev.config + reg - DEVICE, bytes);
	else
		value = common_read(reg);
	return value;
}

void fake_mmio_write(u64 address, unsigned bytes, u32 value)
{
	u64 reg = address - BAR;

	if (reg >= MSIX)
		return;
	if (reg >= NOTIFY)
		dev.queue[(reg - NOTIFY) / 4].kicks++;
	else
		common_write(reg, value);
}

static void add_cap(struct fake_function *f, unsigned at, unsigned next,
		    u8 type, u32 offset, u32 length)
{
	fake_set(f, at, 4, 0x09 | next << 8 | 20 << 16 | (u32)type << 24);
	fake_set(f, at + 4, 1, 4);
	fake_set(f, at + 8, 4, offset);
	fake_set(f, at + 12, 4, length);
	fake_set(f, at + 16, 4, 4); /* the notify multiplier */
}

static const u8 mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static void plug_in(unsigned slot)
{
	struct fake_function *f = fake_add((u16)(slot << 3), 0x1af4, 0x1041);

	fake_set(f, 0x0b, 1, PCI_CLASS_NETWORK);
	fake_set(f, 6, 2, 0x10);
	fake_set(f, 0x34, 1, 0x40);
	add_cap(f, 0x40, 0x54, 1, COMMON, 0x38);
	add_cap(f, 0x54, 0x68, 2, NOTIFY, 0x1000);
	add_cap(f, 0x68, 0x80, 4, DEVICE, 12);
	fake_set(f, 0x80, 4, 0x00010011);
	fake_set(f, 0x84, 4, MSIX | 4);
	fake_bar64(f, 4, BAR, 0x200000);
	dev.features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
		       VIRTIO_F_INDIRECT_DESC | BIT(3) | BIT(5) | BIT(16);
	memcpy(dev.config, mac, sizeof(mac));
	dev.config[6] = 1;
	memcpy(dev.config + 10, &(u16){9000}, 2);
}

/* --- what the driver's user sees */

static unsigned got, got_size, sent_count;
static u8 last_frame[NETDEV_FRAME_MAX];
static void *sent_cookie[4096];

static void receive(void *context, const void *frame, u32 size)
{
	got++;
	got_size = size;
	memcpy(last_frame, frame, size);
}

static void sent(void *context, void *cookie)
{
	sent_cookie[sent_count++ % 4096] = cookie;
}

static struct netdev *start(const struct netdev_options *options)
{
	struct netdev *net;

	plug_in(2);
	pci_init();
	netdev_probe(options, options ? 1 : 0);
	CHECK_EQ(netdev_count, 1);
	net = netdevs[0];
	net->receive = receive;
	net->sent = sent;
	return net;
}

/* --- what the device does */

static struct virtq_desc *desc_of(unsigned q)
{
	return (struct virtq_desc *)dev.queue[q].desc;
}

static unsigned waiting(unsigned q)
{
	const struct virtq_avail *avail = (void *)dev.queue[q].avail;

	return (u16)(avail->idx - dev.queue[q].avail_seen);
}

static u16 take(unsigned q)
{
	const struct virtq_avail *avail = (void *)dev.queue[q].avail;

	CHECK(waiting(q) > 0);
	return avail->ring[dev.queue[q].avail_seen++ % dev.queue[q].size];
}

static void give(unsigned q, u32 id, u32 written)
{
	struct virtq_used *used = (void *)dev.queue[q].used;

	used->ring[dev.queue[q].used_idx++ % dev.queue[q].size] =
		(struct virtq_used_elem){id, written};
	used->idx = dev.queue[q].used_idx;
}

/* The bytes of a chain that the driver wants sent; its length. */
static u32 gather(u16 id, u8 *to)
{
	const struct virtq_desc *d = &desc_of(TX)[id];
	const struct virtq_desc *table = desc_of(TX);
	u32 size = 0;

	if (d->flags & VIRTQ_INDIRECT) {
		table = (void *)d->address;
		CHECK_EQ(d->size % sizeof(*d), 0);
		d = table;
	}
	for (;;) {
		CHECK(!(d->flags & VIRTQ_WRITE));
		memcpy(to + size, (void *)d->address, d->size);
		size += d->size;
		if (!(d->flags & VIRTQ_NEXT))
			return size;
		d = &table[d->next];
	}
}

static void deliver(const void *frame, u32 size)
{
	u16 id = take(RX);
	const struct virtq_desc *d = &desc_of(RX)[id];

	CHECK(d->flags & VIRTQ_WRITE);
	CHECK(VNET_HEADER + size <= d->size);
	memset((void *)d->address, 0, VNET_HEADER);
	memcpy((u8 *)d->address + VNET_HEADER, frame, size);
	give(RX, id, VNET_HEADER + size);
}

/* --- as it should be */

TEST(device_is_set_up)
{
	struct netdev *net = start(NULL);

	CHECK_STR(net->name, "net0");
	CHECK_STR(net->driver, "virtio-net");
	CHECK_STR(net->where, "00:02.0");
	CHECK_MEM(net->mac, mac, 6);
	CHECK_EQ(net->frame_max, 9014);
	CHECK_EQ(dev.status, 15);
	CHECK_EQ(dev.agreed, dev.features);
	CHECK_EQ(waiting(RX), 256);
	CHECK(dev.queue[RX].enabled && dev.queue[TX].enabled);
	CHECK_EQ(dev.queue[RX].kicks, 1);
	CHECK_EQ(fake_get(&fake_functions[0], 4, 2) & 6, 6);
}

TEST(options_are_kept_within_limits)
{
	const struct netdev_options options = {
		.name = "lan",
		.device = "52:54:00:12:34:56",
		.rx_ring = 128,
		.tx_ring = 1024,
		.rx_buffers = 100,
		.frame_max = 65000,
	};
	struct netdev *net = start(&options);

	CHECK_STR(net->name, "lan");
	CHECK_EQ(net->frame_max, 9014); /* the device's MTU */
	CHECK_EQ(dev.queue[RX].size, 128);
	CHECK_EQ(dev.queue[TX].size, 256);
	CHECK_EQ(waiting(RX), 100);
	CHECK(netdev_find("lan") == net);
	CHECK(!netdev_find("net0"));
}

/* The most specific option wins, whatever its place; the rest is numbered. */
TEST(options_find_their_devices)
{
	const struct netdev_options options[] = {
		{.name = "net0", .device = "first"},
		{.name = "b", .device = "00:05.0", .role = NETDEV_MIGRATION},
		{.name = "none", .device = "00:09.0"},
	};

	plug_in(5);
	plug_in(6);
	plug_in(7);
	pci_init();
	netdev_probe(options, 3);
	CHECK_EQ(netdev_count, 3);
	CHECK_STR(netdev_find("b")->where, "00:05.0");
	CHECK_EQ(netdev_find("b")->role, NETDEV_MIGRATION);
	CHECK_STR(netdev_find("net0")->where, "00:06.0");
	CHECK_EQ(netdev_find("net0")->role, NETDEV_LAN);
	CHECK_STR(netdev_find("net1")->where, "00:07.0");
}

TEST(device_without_what_is_needed)
{
	plug_in(2);
	dev.features &= ~VIRTIO_F_VERSION_1;
	pci_init();
	netdev_probe(NULL, 0);
	CHECK_EQ(netdev_count, 0);
}

TEST(memory_that_runs_out)
{
	for (unsigned i = 0; i < 12; i++) {
		netdev_count = 0;
		fake_function_count = 0;
		plug_in(2);
		pci_init();
		fake_memory = i;
		netdev_probe(NULL, 0);
		CHECK(netdev_count == 0 || i > 4);
	}
}

static void check_sent(struct netdev *net, unsigned pieces)
{
	static u8 data[2000], wire[3000];
	struct net_piece piece[NETDEV_PIECES];
	u32 each = sizeof(data) / pieces;
	u16 id;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	for (unsigned i = 0; i < pieces; i++)
		piece[i] = (struct net_piece){data + i * each, each};
	CHECK_EQ(net->ops->send(net, piece, pieces, data), E_OK);
	CHECK_EQ(waiting(TX), 0);
	net->ops->flush(net);
	CHECK_EQ(waiting(TX), 1);
	id = take(TX);
	CHECK_EQ(gather(id, wire), VNET_HEADER + each * pieces);
	CHECK_MEM(wire + VNET_HEADER, data, each * pieces);
	for (unsigned i = 0; i < VNET_HEADER; i++)
		CHECK_EQ(wire[i], 0);
	sent_count = 0;
	net->ops->poll(net, 64);
	CHECK_EQ(sent_count, 0);
	give(TX, id, 0);
	net->ops->poll(net, 64);
	CHECK_EQ(sent_count, 1);
	CHECK(sent_cookie[0] == data);
}

TEST(frames_go_out_as_they_lie)
{
	struct netdev *net = start(NULL);

	for (unsigned pieces = 1; pieces <= NETDEV_PIECES; pieces++)
		check_sent(net, pieces);
	CHECK_EQ(net->stats.tx_frames, NETDEV_PIECES);
	CHECK_EQ(net->stats.broken, 0);
}

TEST(frames_go_out_without_indirect_tables)
{
	struct netdev *net;

	plug_in(2);
	dev.features &= ~VIRTIO_F_INDIRECT_DESC;
	pci_init();
	netdev_probe(NULL, 0);
	net = netdevs[0];
	net->sent = sent;
	for (unsigned i = 0; i < 100; i++)
		check_sent(net, NETDEV_PIECES);
}

TEST(what_cannot_be_sent_is_refused)
{
	static u8 data[70000];
	struct net_piece piece[NETDEV_PIECES + 1] = {{data, 13}};
	struct netdev *net = start(NULL);

	CHECK_EQ(net->ops->send(net, piece, 1, NULL), E_INVALID);
	CHECK_EQ(net->ops->send(net, piece, 0, NULL), E_INVALID);
	piece[0].size = 9015;
	CHECK_EQ(net->ops->send(net, piece, 1, NULL), E_INVALID);
	for (unsigned i = 0; i <= NETDEV_PIECES; i++)
		piece[i] = (struct net_piece){data, 10};
	CHECK_EQ(net->ops->send(net, piece, NETDEV_PIECES + 1, NULL),
		 E_INVALID);
	piece[0].size = piece[1].size = UINT32_MAX;
	CHECK_EQ(net->ops->send(net, piece, 2, NULL), E_INVALID);
	net->ops->flush(net);
	CHECK_EQ(waiting(TX), 0);
}

TEST(full_ring_is_busy_until_something_was_sent)
{
	static u8 data[64];
	struct net_piece piece = {data, sizeof(data)};
	struct netdev *net = start(NULL);
	unsigned n = 0;

	while (net->ops->send(net, &piece, 1, data) == E_OK)
		n++;
	CHECK(n >= 128);
	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_BUSY);
	CHECK_EQ(net->stats.tx_full, 2);
	net->ops->flush(net);
	CHECK_EQ(waiting(TX), n);
	give(TX, take(TX), 0);
	net->ops->poll(net, 1);
	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
}

TEST(frames_come_in_and_buffers_go_back)
{
	static u8 frame[9014];
	struct netdev *net = start(NULL);

	for (unsigned i = 0; i < 1000; i++) {
		u32 size = 14 + i * 9;

		frame[13] = (u8)i;
		deliver(frame, size);
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(got, i + 1);
		CHECK_EQ(got_size, size);
		CHECK_MEM(last_frame, frame, size);
		CHECK_EQ(waiting(RX), 256);
	}
	CHECK_EQ(net->stats.rx_frames, 1000);
}

TEST(budget_is_kept)
{
	u8 frame[60] = {0};
	struct netdev *net = start(NULL);

	for (unsigned i = 0; i < 100; i++)
		deliver(frame, sizeof(frame));
	CHECK_EQ(net->ops->poll(net, 64), 64);
	CHECK_EQ(net->ops->poll(net, 64), 36);
	net->receive = NULL;
	deliver(frame, sizeof(frame));
	CHECK_EQ(net->ops->poll(net, 64), 1);
	CHECK_EQ(net->stats.rx_dropped, 1);
}

/* Where the device would interrupt: 2.7.10. */
static u16 used_event(unsigned q)
{
	const struct virtq_avail *avail = (void *)dev.queue[q].avail;

	return avail->ring[dev.queue[q].size];
}

TEST(arming_asks_for_the_next_frame)
{
	u8 frame[60] = {0};
	struct netdev *net = start(NULL);

	CHECK(net->ops->arm(net));
	CHECK_EQ(used_event(RX), 0);
	deliver(frame, sizeof(frame));
	CHECK(!net->ops->arm(net)); /* it is here: no interrupt will come */
	net->ops->poll(net, 64);
	CHECK(net->ops->arm(net));
	CHECK_EQ(used_event(RX), 1);
}

TEST(heavy_traffic_is_polled)
{
	u8 frame[60] = {0};
	struct netdev *net = start(NULL);
	u64 wait;

	for (unsigned i = 0; i < 50; i++)
		deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns = 200000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, 100000);
	fake_ns += 50000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, 100000);
	CHECK_EQ(used_event(RX), UINT16_MAX);
	fake_ns += 50000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, ~0ULL);
	CHECK_EQ(used_event(RX), 50);
	/* Few frames a second, however many there were in all. */
	for (unsigned i = 0; i < 50; i++)
		deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns += 2000000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, ~0ULL);
}

/* Frames that are few and large keep the device as busy as many small ones. */
TEST(heavy_traffic_in_large_frames_is_polled)
{
	static u8 frame[9014];
	struct netdev *net = start(NULL);
	u64 wait;

	deliver(frame, sizeof(frame));
	deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns = 100000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, 100000);
	deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns += 100000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, ~0ULL);
}

TEST(copies_are_independent)
{
	static u8 data[100], wire[200];
	struct net_piece piece[2] = {{data, 60}, {data + 60, 40}};
	struct netdev *net = start(NULL);
	unsigned n = 0;

	memset(data, 1, sizeof(data));
	CHECK_EQ(netdev_send_copy(net, piece, 2), E_OK);
	memset(data, 2, sizeof(data));
	net->ops->flush(net);
	gather(take(TX), wire);
	CHECK_EQ(wire[VNET_HEADER], 1);
	CHECK_EQ(wire[VNET_HEADER + 99], 1);
	while (netdev_send_copy(net, piece, 2) == E_OK)
		n++;
	net->ops->flush(net);
	CHECK_EQ(waiting(TX), n);
	for (; n > 0; n--)
		give(TX, take(TX), 0);
	net->ops->poll(net, 1);
	CHECK_EQ(sent_count, 0); /* the user did not send these */
	CHECK_EQ(netdev_send_copy(net, piece, 2), E_OK);
}

/* --- as badly as it likes */

enum attack {
	RX_ID_BEYOND,
	RX_ID_TWICE,
	RX_TOO_LONG,
	RX_TOO_SHORT,
	RX_NOTHING,
	RX_JUMP,
	RX_BACK,
	TX_ID_BEYOND,
	TX_ID_TWICE,
	TX_NOT_GIVEN,
	TX_JUMP,
	TX_BACK,
	TX_ID_INSIDE, /* a descriptor that begins no chain */
	ATTACKS,
};

static void jump(unsigned q, int by)
{
	struct virtq_used *used = (void *)dev.queue[q].used;

	used->idx = (u16)(used->idx + by);
}

/* Four frames are on their way. */
static void attack(enum attack which)
{
	u16 id = take(which < TX_ID_BEYOND ? RX : TX);

	switch (which) {
	case RX_ID_BEYOND:
		give(RX, 256, 100);
		break;
	case RX_ID_TWICE:
		give(RX, id, 100);
		give(RX, id, 100);
		break;
	case RX_TOO_LONG:
		give(RX, id, VNET_HEADER + 9015);
		break;
	case RX_TOO_SHORT:
		give(RX, id, VNET_HEADER + 13);
		break;
	case RX_NOTHING:
		give(RX, id, 0);
		break;
	case RX_JUMP:
		jump(RX, 257);
		break;
	case RX_BACK:
		jump(RX, -1);
		break;
	case TX_ID_BEYOND:
		give(TX, UINT32_MAX, 0);
		break;
	case TX_ID_TWICE:
		give(TX, id, 0);
		give(TX, id, 0);
		break;
	case TX_ID_INSIDE:
		give(TX, desc_of(TX)[id].next, 0);
		break;
	case TX_NOT_GIVEN:
		give(TX, 200, 0);
		break;
	case TX_JUMP:
		jump(TX, 5);
		break;
	case TX_BACK:
		jump(TX, -1);
		break;
	case ATTACKS:
		break;
	}
}

static void send_four(struct netdev *net)
{
	static u8 data[60];
	struct net_piece piece[2] = {{data, 20}, {data + 20, 40}};

	for (u64 i = 1; i <= 4; i++)
		CHECK_EQ(net->ops->send(net, piece, 2, (void *)i), E_OK);
	net->ops->flush(net);
}

/* Each frame that was sent came back once, whatever became of it. */
static void check_cookies(unsigned n)
{
	CHECK_EQ(sent_count, n);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK(sent_cookie[i] != sent_cookie[j]);
	}
}

static void check_attacks(struct netdev *net, unsigned attacks)
{
	u8 frame[60] = {0};

	for (unsigned i = 0; i < attacks; i++) {
		unsigned resets = dev.resets;

		sent_count = 0;
		send_four(net);
		attack(i);
		net->ops->poll(net, 64);
		if (net->stats.broken != i + 1)
			test_fail(__FILE__, __LINE__, "attack %u unseen", i);
		CHECK_EQ(dev.resets, resets + 1);
		check_cookies(4);
		/* It works again. */
		CHECK_EQ(waiting(RX), 256);
		got = 0;
		deliver(frame, sizeof(frame));
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(got, 1);
		check_sent(net, 3);
	}
}

TEST(nonsense_is_counted_and_mended)
{
	check_attacks(start(NULL), TX_ID_INSIDE);
}

TEST(nonsense_without_indirect_tables)
{
	plug_in(2);
	dev.features &= ~VIRTIO_F_INDIRECT_DESC;
	pci_init();
	netdev_probe(NULL, 0);
	netdevs[0]->receive = receive;
	netdevs[0]->sent = sent;
	check_attacks(netdevs[0], ATTACKS);
}

TEST(device_that_wants_a_reset_gets_one)
{
	struct netdev *net = start(NULL);

	send_four(net);
	dev.status |= 0x40;
	CHECK(!net->ops->arm(net));
	CHECK_EQ(net->stats.broken, 1);
	CHECK_EQ(dev.status, 15);
	check_cookies(4);
	CHECK(net->ops->arm(net));
}

TEST(device_that_does_not_come_back_is_left_alone)
{
	static u8 data[60];
	struct net_piece piece = {data, sizeof(data)};
	struct netdev *net = start(NULL);

	send_four(net);
	dev.stuck = true;
	attack(TX_JUMP);
	net->ops->poll(net, 64);
	check_cookies(4);
	CHECK(net->dead);
	CHECK_EQ(fake_get(&fake_functions[0], 4, 2) & 4, 0); /* no DMA */
	CHECK_EQ(net->ops->send(net, &piece, 1, NULL), E_HARDWARE);
	CHECK_EQ(net->ops->poll(net, 64), 0);
	CHECK(net->ops->arm(net));
	net->ops->flush(net);
	net->ops->look(net);
	CHECK(!net->link);
}

static u64 random_u64(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Garbage in everything that the device may write, while frames are sent. */
TEST(garbage_everywhere)
{
	static u8 data[600];
	struct net_piece piece[NETDEV_PIECES];
	struct netdev *net = start(NULL);
	u64 accepted = 0;

	for (unsigned i = 0; i < NETDEV_PIECES; i++)
		piece[i] = (struct net_piece){data, 30};
	for (unsigned round = 0; round < 100000; round++) {
		unsigned q = random_u64() % 2;
		u64 bytes = virtq_bytes(dev.queue[q].size);
		u8 *ring = (u8 *)dev.queue[q].desc;

		if (net->ops->send(net, piece, 1 + random_u64() % NETDEV_PIECES,
				   data) == E_OK)
			accepted++;
		net->ops->flush(net);
		for (unsigned i = 0; i < random_u64() % 8; i++)
			ring[random_u64() % bytes] = (u8)random_u64();
		if (random_u64() % 4 == 0 && waiting(RX) &&
		    waiting(RX) <= dev.queue[RX].size)
			give(RX, take(RX), (u32)(random_u64() % 10000));
		if (random_u64() % 4 == 0)
			jump(q, 1);
		net->ops->poll(net, 64);
		net->ops->arm(net);
	}
	CHECK(net->stats.broken > 100);
	CHECK(!net->dead);
	dev.status |= 0x40;
	net->ops->arm(net);
	CHECK_EQ(sent_count, accepted);
}
