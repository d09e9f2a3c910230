/*
 * The 82540EM's driver with a card that the test plays: as it should be, and
 * with descriptors that make no sense.
 *
 *	links: drivers/e1000.c drivers/netdev.c drivers/pci.c
 *	links: tests/unit/fake_pci.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "drivers/e1000_regs.h"
#include "drivers/netdev_driver.h"
#include "tests/unit/fake_pci.h"

#define BAR 0x80000000u

/* The other driver is not what is tested here. */
const struct netdev_driver virtio_net_driver = {.name = "virtio-net"};

static u32 regs[E1000_REGISTERS / 4];
static unsigned resets;
static bool stuck; /* a reset does not end */
static u16 phy_control;
static bool phy_broken;

static u32 *reg(unsigned at)
{
	return &regs[at / 4];
}

/* 52:54:00:12:34:56, low byte first. */
static const u16 eeprom[3] = {0x5452, 0x1200, 0x5634};

u32 fake_mmio_read(u64 address, unsigned bytes)
{
	unsigned at = (unsigned)(address - BAR);
	u32 value = *reg(at);

	CHECK_EQ(bytes, 4);
	if (at == REG_CTRL && stuck)
		return CTRL_RST;
	if (at == REG_ICR || at == REG_MPC)
		*reg(at) = 0;
	return value;
}

/* As Bochs does it, it forgets everything. */
static void reset_card(void)
{
	memset(regs, 0, sizeof(regs));
	resets++;
}

void fake_mmio_write(u64 address, unsigned bytes, u32 value)
{
	unsigned at = (unsigned)(address - BAR);

	CHECK_EQ(bytes, 4);
	*reg(at) = value;
	if (at == REG_CTRL && (value & CTRL_RST))
		reset_card();
	if (at == REG_MDIC) {
		CHECK_EQ(value >> 21, 0x20u | 1); /* writes to PHY 1, */
		CHECK_EQ(value >> 16 & 0x1f, 0);  /* its register 0 */
		phy_control = (u16)value;
		*reg(at) = value | (phy_broken ? MDIC_ERROR : MDIC_READY);
	}
	if (at == REG_EERD)
		*reg(at) =
			value | EERD_DONE | (u32)eeprom[value >> 8 & 3] << 16;
}

/* --- what the driver's user sees */

static unsigned got, got_size, sent_count;
static const u8 *got_at;

static void receive(void *context, const void *frame, u32 size)
{
	got++;
	got_size = size;
	got_at = frame;
}

static void sent(void *context, void *cookie)
{
	sent_count++;
}

static void probe(const struct netdev_options *options)
{
	struct fake_function *f = fake_add(3 << 3, 0x8086, 0x100e);

	fake_bar32(f, 0, BAR, 0x20000);
	fake_set(f, 0x3c, 1, 11);
	fake_set(f, 0x3d, 1, 1);
	pci_init();
	netdev_probe(options, 1);
}

static struct netdev *start_as(const struct netdev_options *options)
{
	probe(options);
	CHECK_EQ(netdev_count, 1);
	netdevs[0]->receive = receive;
	netdevs[0]->sent = sent;
	return netdevs[0];
}

static struct netdev *start(unsigned frame_max)
{
	const struct netdev_options options = {
		.name = "lan", .device = "first", .frame_max = frame_max};

	return start_as(&options);
}

/* --- what the card does */

static struct e1000_rx_desc *rx(void)
{
	return (void *)(*reg(REG_RDBAL) | (u64)*reg(REG_RDBAH) << 32);
}

static struct e1000_tx_desc *tx(void)
{
	return (void *)(*reg(REG_TDBAL) | (u64)*reg(REG_TDBAH) << 32);
}

static void put(u8 status, u8 errors, u16 size)
{
	u32 head = *reg(REG_RDH);

	CHECK(head != *reg(REG_RDT));
	rx()[head].status = status;
	rx()[head].errors = errors;
	rx()[head].size = size;
	*reg(REG_RDH) = (head + 1) % (*reg(REG_RDLEN) / 16);
}

/* Takes everything up to the tail; the bytes of the last frame. */
static u32 transmit(u8 *frame)
{
	u32 size = 0, bytes = 0;

	while (*reg(REG_TDH) != *reg(REG_TDT)) {
		struct e1000_tx_desc *d = &tx()[*reg(REG_TDH)];

		memcpy(frame + size, (void *)d->address, d->size);
		size += d->size;
		bytes = size;
		if (d->command & TXD_EOP)
			size = 0;
		if (d->command & TXD_RS)
			d->status |= TXD_DD;
		*reg(REG_TDH) = (*reg(REG_TDH) + 1) % (*reg(REG_TDLEN) / 16);
	}
	CHECK_EQ(size, 0);
	return bytes;
}

/* --- as it should be */

TEST(card_is_set_up)
{
	const u8 mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	struct netdev *net = start(0);

	CHECK_STR(net->driver, "e1000");
	CHECK_STR(net->where, "00:03.0");
	CHECK_MEM(net->mac, mac, 6);
	CHECK_EQ(net->frame_max, 1514);
	CHECK_EQ(*reg(REG_RAL), 0x12005452);
	CHECK_EQ(*reg(REG_RAH), 0x5634 | RAH_AV);
	CHECK_EQ(*reg(REG_RDT), 255);
	CHECK(*reg(REG_RCTL) & RCTL_EN);
	CHECK(!(*reg(REG_RCTL) & RCTL_LPE));
	CHECK(net->wakes);
	CHECK_EQ(fake_get(&fake_functions[0], 4, 2), 6);
}

TEST(long_frames_have_long_buffers)
{
	struct netdev *net = start(65000);

	CHECK_EQ(net->frame_max, 16380);
	CHECK_EQ(*reg(REG_RCTL) & (RCTL_LPE | RCTL_16384),
		 RCTL_LPE | RCTL_16384);
	put(RXD_DD | RXD_EOP, 0, 16380);
	CHECK_EQ(net->ops->poll(net, 64), 1);
	CHECK_EQ(got_size, 16380);
}

TEST(looped_back_in_the_phy)
{
	struct netdev_options options = {.name = "self",
					 .device = "first",
					 .role = NETDEV_MIGRATION,
					 .loopback = true};
	struct netdev *net = start_as(&options);
	unsigned before = resets;

	/* Full duplex, 1000 Mb/s, both said by force. */
	CHECK_EQ(phy_control, 0x4140);
	CHECK_EQ(*reg(REG_CTRL), 0x1a41);
	/* The card forgets it when it is reset. */
	phy_control = 0;
	put(RXD_DD, 0, 60);
	net->ops->poll(net, 64);
	CHECK_EQ(resets, before + 1);
	CHECK_EQ(phy_control, 0x4140);
}

TEST(no_loopback_without_being_asked)
{
	start(0);
	CHECK_EQ(phy_control, 0);
	CHECK_EQ(*reg(REG_MDIC), 0);
}

TEST(loopback_that_cannot_be_is_refused)
{
	struct netdev_options options = {
		.name = "self", .device = "first", .loopback = true};

	probe(&options); /* at the switch */
	CHECK_EQ(netdev_count, 0);
	CHECK_EQ(phy_control, 0);
	options.role = NETDEV_MIGRATION;
	phy_broken = true;
	probe(&options);
	CHECK_EQ(netdev_count, 0);
	CHECK(!(*reg(REG_RCTL) & RCTL_EN));
}

TEST(frames_go_out_as_they_lie)
{
	static u8 data[1500], wire[2000];
	struct net_piece piece[NETDEV_PIECES];
	struct netdev *net = start(0);

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	for (unsigned n = 1; n <= NETDEV_PIECES; n++) {
		u32 each = sizeof(data) / n;

		for (unsigned i = 0; i < n; i++)
			piece[i] = (struct net_piece){data + i * each, each, 0};
		CHECK_EQ(net->ops->send(net, piece, n, data), E_OK);
		CHECK_EQ(transmit(wire), 0);
		net->ops->flush(net);
		net->ops->poll(net, 1);
		CHECK_EQ(sent_count, n - 1);
		CHECK_EQ(transmit(wire), each * n);
		CHECK_MEM(wire, data, each * n);
		net->ops->poll(net, 1);
		CHECK_EQ(sent_count, n);
	}
}

TEST(full_ring_is_busy_until_something_was_sent)
{
	static u8 data[60], wire[100];
	struct net_piece piece[2] = {{data, 30, 0}, {data + 30, 30, 0}};
	struct netdev *net = start(0);
	unsigned n = 0;

	for (unsigned round = 0; round < 3; round++) {
		n = 0;
		while (net->ops->send(net, piece, 2, data) == E_OK)
			n++;
		CHECK_EQ(n, 127);
		CHECK_EQ(net->ops->send(net, piece, 2, data), E_BUSY);
		net->ops->flush(net);
		CHECK_EQ(transmit(wire), 60);
		net->ops->poll(net, 1);
	}
	CHECK_EQ(sent_count, 3 * 127);
}

TEST(frames_come_in_and_buffers_go_back)
{
	struct netdev *net = start(0);

	for (unsigned i = 0; i < 1000; i++) {
		u64 buffer = rx()[*reg(REG_RDH)].address;

		put(RXD_DD | RXD_EOP, 0, (u16)(14 + i));
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(got, i + 1);
		CHECK_EQ(got_size, 14 + i);
		CHECK_EQ((u64)got_at, buffer);
		CHECK_EQ((*reg(REG_RDT) + 1) % 256, *reg(REG_RDH));
	}
}

TEST(arming_silences_the_card_first)
{
	struct netdev *net = start(0);

	*reg(REG_ICR) = INT_RXT0;
	CHECK(net->ops->arm(net));
	CHECK_EQ(*reg(REG_ICR), 0);
	CHECK(*reg(REG_IMS) & INT_RXT0);
	CHECK(!(*reg(REG_IMS) & INT_TXDW));
	put(RXD_DD | RXD_EOP, 0, 60);
	CHECK(!net->ops->arm(net));
}

TEST(wire_errors_are_dropped)
{
	struct netdev *net = start(0);

	put(RXD_DD | RXD_EOP, 1, 60);
	put(RXD_DD | RXD_EOP, 0, 13);
	put(RXD_DD | RXD_EOP, 0, 1515);
	put(RXD_DD | RXD_EOP, 0, 60);
	CHECK_EQ(net->ops->poll(net, 64), 4);
	CHECK_EQ(got, 1);
	CHECK_EQ(net->stats.rx_dropped, 3);
	CHECK_EQ(net->stats.broken, 0);
}

/* --- as it should not be */

static const struct {
	u8 status;
	u16 size;
} nonsense[] = {
	{RXD_DD | RXD_EOP, 2049}, /* more than the buffer holds */
	{RXD_DD | RXD_EOP, 0xffff},
	{RXD_DD, 60}, /* goes on in the next, which it cannot */
};

TEST(nonsense_is_counted_and_mended)
{
	static u8 data[60], wire[100];
	struct net_piece piece = {data, sizeof(data), 0};
	struct netdev *net = start(0);

	for (unsigned i = 0; i < 3; i++) {
		unsigned before = resets;

		sent_count = 0;
		for (unsigned j = 0; j < 4; j++)
			CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
		put(nonsense[i].status, 0, nonsense[i].size);
		net->ops->poll(net, 64);
		CHECK_EQ(net->stats.broken, i + 1);
		CHECK_EQ(resets, before + 1);
		CHECK_EQ(sent_count, 4);
		got = 0;
		put(RXD_DD | RXD_EOP, 0, 60);
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(got, 1);
		CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
		net->ops->flush(net);
		CHECK_EQ(transmit(wire), 60);
		net->ops->poll(net, 1);
		CHECK_EQ(sent_count, 5);
	}
}

TEST(card_that_does_not_come_back_is_left_alone)
{
	static u8 data[60];
	struct net_piece piece = {data, sizeof(data), 0};
	struct netdev *net = start(0);

	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
	stuck = true;
	put(RXD_DD, 0, 60);
	net->ops->poll(net, 64);
	CHECK(net->dead);
	CHECK_EQ(sent_count, 1);
	CHECK_EQ(fake_get(&fake_functions[0], 4, 2) & 4, 0); /* no DMA */
	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_HARDWARE);
	CHECK_EQ(net->ops->poll(net, 64), 0);
	CHECK(net->ops->arm(net));
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

TEST(garbage_everywhere)
{
	static u8 data[60];
	struct net_piece piece[3] = {
		{data, 20, 0}, {data, 20, 0}, {data, 20, 0}};
	struct netdev *net = start(0);
	u64 accepted = 0;

	for (unsigned round = 0; round < 100000; round++) {
		u8 *ring = (u8 *)(random_u64() % 2 ? (u64)rx() : (u64)tx());

		if (net->ops->send(net, piece, 3, data) == E_OK)
			accepted++;
		net->ops->flush(net);
		for (unsigned i = 0; i < random_u64() % 8; i++)
			ring[random_u64() % 4096] = (u8)random_u64();
		if (random_u64() % 2)
			tx()[random_u64() % 256].status = TXD_DD;
		net->ops->poll(net, 64);
		net->ops->arm(net);
	}
	CHECK(net->stats.broken > 10);
	CHECK(!net->dead);
	rx()[0].status = 0; /* up to now it is somewhere in the ring */
	for (unsigned i = 0; i < 256; i++) {
		rx()[i].status = RXD_DD;
		tx()[i].status = 0;
	}
	net->ops->poll(net, 64);
	CHECK_EQ(sent_count, accepted);
}
