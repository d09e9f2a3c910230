/*
 * virtio-net from the PCI function to the frame, with a device that the test
 * plays as it should be.
 *
 *	links: drivers/virtio_net.c drivers/virtio_pci.c drivers/virtq.c
 *	links: drivers/netdev.c drivers/pci.c tests/unit/fake_pci.c
 *	links: tests/unit/fake_virtio_net.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "tests/unit/fake_pci.h"
#include "tests/unit/fake_virtio_net.h"

TEST(device_is_set_up)
{
	struct netdev *net = nic_start(NULL);

	CHECK_STR(net->name, "net0");
	CHECK_STR(net->driver, "virtio-net");
	CHECK_STR(net->where, "00:02.0");
	CHECK_MEM(net->mac, nic_mac, 6);
	CHECK_EQ(net->frame_max, 9014);
	CHECK_EQ(nic.status, 15);
	CHECK_EQ(nic.agreed, nic.features);
	CHECK_EQ(nic_waiting(RX), 256);
	CHECK(nic.queue[RX].enabled && nic.queue[TX].enabled);
	CHECK_EQ(nic.queue[RX].kicks, 1);
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
	struct netdev *net = nic_start(&options);

	CHECK_STR(net->name, "lan");
	CHECK_EQ(net->frame_max, 9014); /* the device's MTU */
	CHECK_EQ(nic.queue[RX].size, 128);
	CHECK_EQ(nic.queue[TX].size, 256);
	CHECK_EQ(nic_waiting(RX), 100);
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

	nic_plug(5);
	nic_plug(6);
	nic_plug(7);
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
	nic_plug(2);
	nic.features &= ~VIRTIO_F_VERSION_1;
	pci_init();
	netdev_probe(NULL, 0);
	CHECK_EQ(netdev_count, 0);
}

TEST(loopback_is_refused)
{
	const struct netdev_options options = {.name = "self",
					       .device = "first",
					       .role = NETDEV_MIGRATION,
					       .loopback = true};

	nic_plug(2);
	pci_init();
	netdev_probe(&options, 1);
	CHECK_EQ(netdev_count, 0);
}

TEST(memory_that_runs_out)
{
	for (unsigned i = 0; i < 12; i++) {
		netdev_count = 0;
		fake_function_count = 0;
		nic_plug(2);
		pci_init();
		fake_memory = i;
		netdev_probe(NULL, 0);
		CHECK(netdev_count == 0 || i > 4);
	}
}

TEST(frames_go_out_as_they_lie)
{
	struct netdev *net = nic_start(NULL);

	for (unsigned pieces = 1; pieces <= NETDEV_PIECES; pieces++)
		user_check_sent(net, pieces);
	CHECK_EQ(net->stats.tx_frames, NETDEV_PIECES);
	CHECK_EQ(net->stats.broken, 0);
}

TEST(frames_go_out_without_indirect_tables)
{
	struct netdev *net;

	nic_plug(2);
	nic.features &= ~VIRTIO_F_INDIRECT_DESC;
	pci_init();
	netdev_probe(NULL, 0);
	net = netdevs[0];
	net->sent = user_sent;
	for (unsigned i = 0; i < 100; i++)
		user_check_sent(net, NETDEV_PIECES);
}

/* Its header is in front of it then: one descriptor, no table. */
TEST(a_frame_with_room_needs_no_table)
{
	static u8 data[NETDEV_ROOM + 100], wire[200];
	struct net_piece piece = {data + NETDEV_ROOM, 100, NETDEV_ROOM};
	struct netdev *net = nic_start(NULL);
	u16 id;

	for (unsigned round = 0; round < 300; round++) {
		memset(data, 0xaa, sizeof(data));
		CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
		net->ops->flush(net);
		id = nic_take(TX);
		CHECK_EQ(nic_desc(TX)[id].flags, 0);
		CHECK_EQ(nic_gather(id, wire), VNET_HEADER + 100);
		for (unsigned i = 0; i < VNET_HEADER; i++)
			CHECK_EQ(wire[i], 0);
		CHECK_EQ(wire[VNET_HEADER], 0xaa);
		CHECK_EQ(data[NETDEV_ROOM - VNET_HEADER - 1], 0xaa);
		nic_give(TX, id, 0);
		net->ops->poll(net, 1);
	}
	user_check_sent(net, 2); /* with a table again */
}

TEST(what_cannot_be_sent_is_refused)
{
	static u8 data[70000];
	struct net_piece piece[NETDEV_PIECES + 1] = {{data, 13, 0}};
	struct netdev *net = nic_start(NULL);

	CHECK_EQ(net->ops->send(net, piece, 1, NULL), E_INVALID);
	CHECK_EQ(net->ops->send(net, piece, 0, NULL), E_INVALID);
	piece[0].size = 9015;
	CHECK_EQ(net->ops->send(net, piece, 1, NULL), E_INVALID);
	for (unsigned i = 0; i <= NETDEV_PIECES; i++)
		piece[i] = (struct net_piece){data, 10, 0};
	CHECK_EQ(net->ops->send(net, piece, NETDEV_PIECES + 1, NULL),
		 E_INVALID);
	piece[0].size = piece[1].size = UINT32_MAX;
	CHECK_EQ(net->ops->send(net, piece, 2, NULL), E_INVALID);
	net->ops->flush(net);
	CHECK_EQ(nic_waiting(TX), 0);
}

TEST(full_ring_is_busy_until_something_was_sent)
{
	static u8 data[64];
	struct net_piece piece = {data, sizeof(data), 0};
	struct netdev *net = nic_start(NULL);
	unsigned n = 0;

	while (net->ops->send(net, &piece, 1, data) == E_OK)
		n++;
	CHECK(n >= 128);
	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_BUSY);
	CHECK_EQ(net->stats.tx_full, 2);
	net->ops->flush(net);
	CHECK_EQ(nic_waiting(TX), n);
	nic_give(TX, nic_take(TX), 0);
	net->ops->poll(net, 1);
	CHECK_EQ(net->ops->send(net, &piece, 1, data), E_OK);
}

TEST(frames_come_in_and_buffers_go_back)
{
	static u8 frame[9014];
	struct netdev *net = nic_start(NULL);

	for (unsigned i = 0; i < 1000; i++) {
		u32 size = 14 + i * 9;

		frame[13] = (u8)i;
		nic_deliver(frame, size);
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(user.got, i + 1);
		CHECK_EQ(user.size, size);
		CHECK_MEM(user.frame, frame, size);
		CHECK_EQ(nic_waiting(RX), 256);
	}
	CHECK_EQ(net->stats.rx_frames, 1000);
}

TEST(budget_is_kept)
{
	u8 frame[60] = {0};
	struct netdev *net = nic_start(NULL);

	for (unsigned i = 0; i < 100; i++)
		nic_deliver(frame, sizeof(frame));
	CHECK_EQ(net->ops->poll(net, 64), 64);
	CHECK_EQ(net->ops->poll(net, 64), 36);
	net->receive = NULL;
	nic_deliver(frame, sizeof(frame));
	CHECK_EQ(net->ops->poll(net, 64), 1);
	CHECK_EQ(net->stats.rx_dropped, 1);
}

static u64 frame_takes; /* ns */

static void receive_slowly(void *context, const void *at, u32 size)
{
	fake_ns += frame_takes;
}

/* How many of a hundred frames that wait one round takes. */
static unsigned round_of(u64 ns)
{
	static const u8 frame[60];
	unsigned taken;

	frame_takes = ns;
	for (unsigned i = 0; i < 100; i++)
		nic_deliver(frame, sizeof(frame));
	taken = netdev_poll_all();
	while (nic_waiting(RX) != 256)
		netdevs[0]->ops->poll(netdevs[0], 256);
	return taken;
}

TEST(a_round_takes_a_moment)
{
	nic_start(NULL)->receive = receive_slowly;
	CHECK_EQ(round_of(1000), 16);
	CHECK_EQ(round_of(1000), 32);
	CHECK_EQ(round_of(1000), 64);
	CHECK_EQ(round_of(1000), 100);
	/* 3 ms for each: down to one, and no further. */
	for (unsigned i = 0; i < 10; i++)
		round_of(3000000);
	CHECK_EQ(round_of(3000000), 1);
	/* 400 us for each: one and two take less than half of 2 ms. */
	round_of(400000);
	CHECK_EQ(round_of(400000), 2);
	CHECK_EQ(round_of(400000), 4);
	CHECK_EQ(round_of(400000), 4);
}

TEST(a_round_is_no_larger_than_wanted)
{
	nic_start(NULL)->receive = receive_slowly;
	netdevs[0]->budget_max = 24;
	round_of(1000);
	CHECK_EQ(round_of(1000), 24);
	CHECK_EQ(round_of(1000), 24);
}

/* Where the device would interrupt: 2.7.10. */
static u16 used_event(unsigned q)
{
	const struct virtq_avail *avail = (void *)nic.queue[q].avail;

	return avail->ring[nic.queue[q].size];
}

TEST(arming_asks_for_the_next_frame)
{
	u8 frame[60] = {0};
	struct netdev *net = nic_start(NULL);

	CHECK(net->ops->arm(net));
	CHECK_EQ(used_event(RX), 0);
	nic_deliver(frame, sizeof(frame));
	CHECK(!net->ops->arm(net)); /* it is here: no interrupt will come */
	net->ops->poll(net, 64);
	CHECK(net->ops->arm(net));
	CHECK_EQ(used_event(RX), 1);
}

TEST(heavy_traffic_is_polled)
{
	u8 frame[60] = {0};
	struct netdev *net = nic_start(NULL);
	u64 wait;

	for (unsigned i = 0; i < 50; i++)
		nic_deliver(frame, sizeof(frame));
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
		nic_deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns += 2000000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, ~0ULL);
}

/* Frames that are few and large keep the device as busy as many small ones. */
TEST(heavy_traffic_in_large_frames_is_polled)
{
	static u8 frame[9014];
	struct netdev *net = nic_start(NULL);
	u64 wait;

	nic_deliver(frame, sizeof(frame));
	nic_deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns = 100000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, 100000);
	nic_deliver(frame, sizeof(frame));
	net->ops->poll(net, 64);
	fake_ns += 100000;
	CHECK(netdev_rest(net, &wait));
	CHECK_EQ(wait, ~0ULL);
}

TEST(copies_are_independent)
{
	static u8 data[100], wire[200];
	struct net_piece piece[2] = {{data, 60, 0}, {data + 60, 40, 0}};
	struct netdev *net = nic_start(NULL);
	unsigned n = 0;

	memset(data, 1, sizeof(data));
	CHECK_EQ(netdev_send_copy(net, piece, 2), E_OK);
	memset(data, 2, sizeof(data));
	net->ops->flush(net);
	nic_gather(nic_take(TX), wire);
	CHECK_EQ(wire[VNET_HEADER], 1);
	CHECK_EQ(wire[VNET_HEADER + 99], 1);
	while (netdev_send_copy(net, piece, 2) == E_OK)
		n++;
	net->ops->flush(net);
	CHECK_EQ(nic_waiting(TX), n);
	for (; n > 0; n--)
		nic_give(TX, nic_take(TX), 0);
	net->ops->poll(net, 1);
	CHECK_EQ(user.sent, 0); /* the user did not send these */
	CHECK_EQ(netdev_send_copy(net, piece, 2), E_OK);
}
