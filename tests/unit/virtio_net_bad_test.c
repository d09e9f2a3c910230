/*
 * The driver of virtio-net, and a device that is as bad as it likes.
 *
 *	links: drivers/virtio_net.c drivers/virtio_pci.c drivers/virtq.c
 *	links: drivers/netdev.c drivers/pci.c tests/unit/fake_pci.c
 *	links: tests/unit/fake_virtio_net.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include "tests/unit/fake_pci.h"
#include "tests/unit/fake_virtio_net.h"

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
	struct virtq_used *used = (void *)nic.queue[q].used;

	used->idx = (u16)(used->idx + by);
}

/* Four frames are on their way. */
static void attack(enum attack which)
{
	u16 id = nic_take(which < TX_ID_BEYOND ? RX : TX);

	switch (which) {
	case RX_ID_BEYOND:
		nic_give(RX, 256, 100);
		break;
	case RX_ID_TWICE:
		nic_give(RX, id, 100);
		nic_give(RX, id, 100);
		break;
	case RX_TOO_LONG:
		nic_give(RX, id, VNET_HEADER + 9015);
		break;
	case RX_TOO_SHORT:
		nic_give(RX, id, VNET_HEADER + 13);
		break;
	case RX_NOTHING:
		nic_give(RX, id, 0);
		break;
	case RX_JUMP:
		jump(RX, 257);
		break;
	case RX_BACK:
		jump(RX, -1);
		break;
	case TX_ID_BEYOND:
		nic_give(TX, UINT32_MAX, 0);
		break;
	case TX_ID_TWICE:
		nic_give(TX, id, 0);
		nic_give(TX, id, 0);
		break;
	case TX_ID_INSIDE:
		nic_give(TX, nic_desc(TX)[id].next, 0);
		break;
	case TX_NOT_GIVEN:
		nic_give(TX, 200, 0);
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
	struct net_piece piece[2] = {{data, 20, 0}, {data + 20, 40, 0}};

	for (u64 i = 1; i <= 4; i++)
		CHECK_EQ(net->ops->send(net, piece, 2, (void *)i), E_OK);
	net->ops->flush(net);
}

/* Each frame that was sent came back once, whatever became of it. */
static void check_cookies(unsigned n)
{
	CHECK_EQ(user.sent, n);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK(user.cookie[i] != user.cookie[j]);
	}
}

static void check_attacks(struct netdev *net, unsigned attacks)
{
	u8 frame[60] = {0};

	for (unsigned i = 0; i < attacks; i++) {
		unsigned resets = nic.resets;

		user.sent = 0;
		send_four(net);
		attack(i);
		net->ops->poll(net, 64);
		if (net->stats.broken != i + 1)
			test_fail(__FILE__, __LINE__, "attack %u unseen", i);
		CHECK_EQ(nic.resets, resets + 1);
		check_cookies(4);
		/* It works again. */
		CHECK_EQ(nic_waiting(RX), 256);
		user.got = 0;
		nic_deliver(frame, sizeof(frame));
		CHECK_EQ(net->ops->poll(net, 64), 1);
		CHECK_EQ(user.got, 1);
		user_check_sent(net, 3);
	}
}

TEST(nonsense_is_counted_and_mended)
{
	check_attacks(nic_start(NULL), TX_ID_INSIDE);
}

TEST(nonsense_without_indirect_tables)
{
	nic_plug(2);
	nic.features &= ~VIRTIO_F_INDIRECT_DESC;
	pci_init();
	netdev_probe(NULL, 0);
	netdevs[0]->receive = user_receive;
	netdevs[0]->sent = user_sent;
	check_attacks(netdevs[0], ATTACKS);
}

TEST(device_that_wants_a_reset_gets_one)
{
	struct netdev *net = nic_start(NULL);

	send_four(net);
	nic.status |= 0x40;
	CHECK(!net->ops->arm(net));
	CHECK_EQ(net->stats.broken, 1);
	CHECK_EQ(nic.status, 15);
	check_cookies(4);
	CHECK(net->ops->arm(net));
}

TEST(device_that_does_not_come_back_is_left_alone)
{
	static u8 data[60];
	struct net_piece piece = {data, sizeof(data), 0};
	struct netdev *net = nic_start(NULL);

	send_four(net);
	nic.stuck = true;
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
	struct netdev *net = nic_start(NULL);
	u64 accepted = 0;

	for (unsigned i = 0; i < NETDEV_PIECES; i++)
		piece[i] = (struct net_piece){data, 30, 0};
	for (unsigned round = 0; round < 100000; round++) {
		unsigned q = random_u64() % 2;
		u64 bytes = virtq_bytes(nic.queue[q].size);
		u8 *ring = (u8 *)nic.queue[q].desc;

		if (net->ops->send(net, piece, 1 + random_u64() % NETDEV_PIECES,
				   data) == E_OK)
			accepted++;
		net->ops->flush(net);
		for (unsigned i = 0; i < random_u64() % 8; i++)
			ring[random_u64() % bytes] = (u8)random_u64();
		if (random_u64() % 4 == 0 && nic_waiting(RX) &&
		    nic_waiting(RX) <= nic.queue[RX].size)
			nic_give(RX, nic_take(RX), (u32)(random_u64() % 10000));
		if (random_u64() % 4 == 0)
			jump(q, 1);
		net->ops->poll(net, 64);
		net->ops->arm(net);
	}
	CHECK(net->stats.broken > 100);
	CHECK(!net->dead);
	nic.status |= 0x40;
	net->ops->arm(net);
	CHECK_EQ(user.sent, accepted);
}
