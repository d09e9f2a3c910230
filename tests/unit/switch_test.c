/*
 * The switch between ports that only count, and the uplink on a NIC that is
 * made up.
 *
 * links: kernel/net/switch.c kernel/net/uplink.c
 */
#include <string.h>

#include "cpu/time.h"
#include "net/switch.h"
#include "net/uplink.h"
#include "test.h"

static u64 clock_ns = NS_PER_S;

u64 now_ns(void)
{
	return clock_ns;
}

#define FRAME_MAX 70000

struct box {
	struct net_port port; /* first */
	unsigned got, flushed;
	u32 size;
	u8 frame[FRAME_MAX]; /* the newest */
	bool full, busy;
};

static struct box box[SWITCH_PORTS + 1];
static u8 frame[FRAME_MAX];

static bool take(struct net_port *port, const struct net_piece *piece,
		 unsigned count, u32 size)
{
	struct box *b = (struct box *)port;

	if (b->full)
		return false;
	b->got++;
	b->size = 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(b->frame + b->size, piece[i].at, piece[i].size);
		b->size += piece[i].size;
	}
	CHECK_EQ(b->size, size);
	return true;
}

static void flushed(struct net_port *port)
{
	((struct box *)port)->flushed++;
}

static bool is_ready(struct net_port *port, unsigned frames)
{
	return !((struct box *)port)->busy;
}

static void plug(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		box[i].port.name = "box";
		box[i].port.deliver = take;
		box[i].port.flush = flushed;
		box[i].port.ready = is_ready;
		CHECK_EQ(switch_add(&box[i].port), E_OK);
	}
}

#define EVERYBODY (-1)

/* Addresses are 52:54:00:nn:nn:nn. */
static void address(u8 *mac, int number)
{
	memset(mac, 0xff, 6);
	if (number == EVERYBODY)
		return;
	mac[0] = 0x52;
	mac[1] = 0x54;
	mac[2] = 0;
	mac[3] = (u8)(number >> 16);
	mac[4] = (u8)(number >> 8);
	mac[5] = (u8)number;
}

static void send_size(unsigned from, int source, int destination, u32 size)
{
	struct net_piece piece = {frame, size, 0};

	address(frame, destination);
	address(frame + 6, source);
	switch_input(&box[from].port, &piece, 1, size);
}

static void send(unsigned from, int source, int destination)
{
	send_size(from, source, destination, 60);
}

static void check_got(unsigned a, unsigned b, unsigned c)
{
	CHECK_EQ(box[0].got, a);
	CHECK_EQ(box[1].got, b);
	CHECK_EQ(box[2].got, c);
}

TEST(unknown_goes_everywhere_but_back)
{
	plug(3);
	send(0, 10, 11);
	check_got(0, 1, 1);
	CHECK_EQ(box[0].port.stats.in_frames, 1);
	CHECK_EQ(box[0].port.stats.in_bytes, 60);
	CHECK_EQ(box[1].port.stats.out_frames, 1);
	CHECK_EQ(box[1].port.stats.out_bytes, 60);
}

TEST(learned_goes_to_one)
{
	plug(3);
	send(1, 11, EVERYBODY);
	send(0, 10, 11);
	check_got(1, 1, 1);
	send(1, 11, 10);
	check_got(2, 1, 1);
}

TEST(broadcast_and_multicast_go_everywhere)
{
	struct net_piece piece = {frame, 60, 0};

	plug(3);
	for (unsigned i = 0; i < 3; i++)
		send(i, (int)i, EVERYBODY);
	check_got(2, 2, 2);
	address(frame + 6, 0);
	memcpy(frame, "\x33\x33\0\0\0\1", 6);
	switch_input(&box[0].port, &piece, 1, 60);
	check_got(2, 3, 3);
}

TEST(nothing_goes_back_where_it_came_from)
{
	plug(3);
	send(0, 10, EVERYBODY);
	send(0, 12, 10);
	check_got(0, 1, 1);
	CHECK_EQ(box[0].port.stats.filtered, 1);
}

TEST(address_moves_with_its_owner)
{
	plug(3);
	send(1, 11, EVERYBODY);
	send(2, 11, EVERYBODY);
	CHECK_EQ(box[2].port.stats.moves, 1);
	send(0, 10, 11);
	check_got(2, 1, 2);
}

TEST(address_is_forgotten_with_time)
{
	plug(3);
	send(1, 11, EVERYBODY);
	clock_ns += 299 * NS_PER_S;
	send(0, 10, 11);
	check_got(1, 1, 1);
	clock_ns += 2 * NS_PER_S;
	send(0, 10, 11);
	check_got(1, 2, 2);
	send(2, 11, EVERYBODY); /* old: no move */
	CHECK_EQ(box[2].port.stats.moves, 0);
}

TEST(port_is_forgotten_when_removed)
{
	plug(3);
	send(1, 11, EVERYBODY);
	switch_remove(&box[1].port);
	send(0, 10, 11);
	check_got(1, 0, 2);
	switch_remove(&box[1].port); /* twice does no harm */
	CHECK_EQ(switch_add(&box[1].port), E_OK);
	CHECK_EQ(switch_add(&box[1].port), E_EXISTS);
}

TEST(ports_are_limited)
{
	plug(SWITCH_PORTS);
	box[SWITCH_PORTS].port.deliver = take;
	CHECK_EQ(switch_add(&box[SWITCH_PORTS].port), E_NOMEM);
	CHECK(switch_port(SWITCH_PORTS - 1) && !switch_port(SWITCH_PORTS));
}

TEST(frames_that_are_none_are_refused)
{
	struct net_piece piece[NETDEV_PIECES + 1];

	plug(2);
	send_size(0, 10, EVERYBODY, 13);
	send_size(0, 10, EVERYBODY, 0);
	send_size(0, 10, EVERYBODY, NETDEV_FRAME_MAX + 1);
	send_size(0, EVERYBODY, EVERYBODY, 60); /* from a group address */
	for (unsigned i = 0; i <= NETDEV_PIECES; i++)
		piece[i] = (struct net_piece){frame, 14, 0};
	address(frame + 6, 10);
	switch_input(&box[0].port, piece, NETDEV_PIECES + 1,
		     14 * (NETDEV_PIECES + 1));
	switch_input(&box[0].port, piece, 0, 60);
	CHECK_EQ(box[0].port.stats.refused, 6);
	CHECK_EQ(box[1].got, 0);
	send_size(0, 10, EVERYBODY, 14);
	send_size(0, 10, EVERYBODY, NETDEV_FRAME_MAX);
	CHECK_EQ(box[1].got, 2);
	CHECK_EQ(box[1].size, NETDEV_FRAME_MAX);
}

/* Its header may lie across pieces. */
TEST(frame_in_pieces_arrives_whole)
{
	struct net_piece piece[] = {{frame, 1, 0},
				    {frame + 1, 9, 0},
				    {frame + 10, 3, 0},
				    {frame + 13, 87, 0}};

	plug(3);
	send(1, 11, EVERYBODY);
	for (unsigned i = 12; i < 100; i++)
		frame[i] = (u8)i;
	address(frame, 11);
	address(frame + 6, 10);
	switch_input(&box[0].port, piece, 4, 100);
	check_got(1, 1, 1);
	CHECK_MEM(box[1].frame, frame, 100);
	send(1, 11, 10);
	check_got(2, 1, 1);
}

TEST(what_is_between_bridges_stays_there)
{
	struct net_piece piece = {frame, 60, 0};

	plug(2);
	address(frame + 6, 10);
	memcpy(frame, "\x01\x80\xc2\0\0\x0e", 6);
	switch_input(&box[0].port, &piece, 1, 60);
	CHECK_EQ(box[1].got, 0);
	CHECK_EQ(box[0].port.stats.filtered, 1);
	frame[5] = 0x10;
	switch_input(&box[0].port, &piece, 1, 60);
	CHECK_EQ(box[1].got, 1);
}

TEST(full_port_loses_frames_alone)
{
	plug(3);
	box[1].full = true;
	send(0, 10, EVERYBODY);
	check_got(0, 0, 1);
	CHECK_EQ(box[1].port.stats.dropped, 1);
	CHECK_EQ(box[1].port.stats.out_frames, 0);
}

TEST(flush_comes_once_for_a_batch)
{
	plug(3);
	send(0, 10, EVERYBODY);
	send(0, 10, EVERYBODY);
	switch_flush();
	switch_flush();
	CHECK_EQ(box[0].flushed, 0);
	CHECK_EQ(box[1].flushed, 1);
	CHECK_EQ(box[2].flushed, 1);
}

TEST(sender_waits_for_the_others)
{
	plug(3);
	CHECK(switch_ready(&box[0].port, 1));
	box[1].busy = true;
	CHECK(!switch_ready(&box[0].port, 1));
	CHECK(switch_ready(&box[1].port, 1));
}

TEST(storm_is_bounded)
{
	plug(3);
	send(1, 11, EVERYBODY);
	for (unsigned i = 0; i < 100000; i++)
		send(0, 10, EVERYBODY);
	CHECK(box[1].got < 5000);
	CHECK_EQ(box[1].got + box[0].port.stats.storm, 100000);
	/* What goes to one port goes on, and others may still broadcast. */
	send(0, 10, 11);
	send(1, 11, EVERYBODY);
	CHECK_EQ(box[0].got, 2);
	/* After a second there is room again, but not for more than before. */
	box[1].got = 0;
	clock_ns += NS_PER_S * 3600;
	for (unsigned i = 0; i < 100000; i++)
		send(0, 10, EVERYBODY);
	CHECK(box[1].got > 1000 && box[1].got < 5000);
}

/* Whoever invents addresses makes itself hard to find, not its neighbours. */
TEST(table_that_is_full_forgets_the_inventor)
{
	unsigned lost = 0;

	plug(3);
	for (int i = 0; i < 20; i++)
		send(1, i, EVERYBODY);
	for (int i = 0; i < 100000; i++, clock_ns++)
		send(0, 1000 + i, 0);
	CHECK_EQ(box[2].got, 20);
	for (int i = 0; i < 20; i++) {
		unsigned before = box[2].got;

		send(0, 1000, i);
		lost += box[2].got != before;
	}
	CHECK(lost < 20 / 2);
	send(0, 200000, 0); /* a newcomer is still learned */
	send(1, 0, 200000);
	CHECK_EQ(box[2].got, 20 + lost);
}

TEST(addresses_are_listed)
{
	struct switch_address found;
	unsigned at = 0, n = 0;

	plug(2);
	for (int i = 0; i < 20; i++)
		send((unsigned)i % 2, i, EVERYBODY);
	clock_ns += 5 * NS_PER_S;
	while (switch_address(&at, &found)) {
		n++;
		CHECK(found.port == &box[found.mac[5] % 2].port);
		CHECK_EQ(found.age_ns, 5 * NS_PER_S);
	}
	CHECK_EQ(n, 20);
	clock_ns += 300 * NS_PER_S;
	at = 0;
	CHECK(!switch_address(&at, &found));
}

/* --- uplinks */

struct netdev *netdevs[NETDEVS_MAX];
unsigned netdev_count;

static struct netdev nic[2];
static unsigned sent[2], kicked[2];
static bool nic_full;
#define NIC_ROOM 40

err_t netdev_send_copy(struct netdev *dev, const struct net_piece *piece,
		       unsigned count)
{
	if (nic_full)
		return E_BUSY;
	sent[dev - nic]++;
	return E_OK;
}

bool netdev_copy_room(const struct netdev *dev, unsigned frames)
{
	return !nic_full && frames <= NIC_ROOM;
}

static void kick(struct netdev *dev)
{
	kicked[dev - nic]++;
}

static void attach_two(void)
{
	static const struct netdev_ops ops = {.flush = kick};

	for (unsigned i = 0; i < 2; i++) {
		nic[i].ops = &ops;
		strcpy(nic[i].name, i ? "net1" : "net0");
		netdevs[netdev_count++] = &nic[i];
	}
	uplinks_attach();
}

TEST(nics_are_ports)
{
	plug(1);
	attach_two();
	CHECK_STR(switch_port(1)->name, "net0");
	address(frame, EVERYBODY);
	address(frame + 6, 1);
	nic[0].receive(nic[0].context, frame, 60);
	CHECK_EQ(box[0].got, 1);
	CHECK_EQ(sent[0], 0);
	CHECK_EQ(sent[1], 1);
	switch_flush();
	CHECK_EQ(kicked[0], 0);
	CHECK_EQ(kicked[1], 1);
	send(0, 2, 1);
	CHECK_EQ(sent[0], 1);
}

static void somebody(void *context, const void *data, u32 size)
{
}

TEST(nic_that_is_taken_is_no_port)
{
	nic[0].receive = somebody;
	attach_two();
	CHECK_STR(switch_port(0)->name, "net1");
	CHECK(!switch_port(1));
	CHECK(nic[0].receive == somebody);
}

TEST(nic_for_migration_is_no_port)
{
	nic[0].role = NETDEV_MIGRATION;
	attach_two();
	CHECK_STR(switch_port(0)->name, "net1");
	CHECK(!switch_port(1));
	CHECK(!nic[0].receive);
}

TEST(full_nic_holds_senders_back_for_a_while)
{
	plug(1);
	attach_two();
	nic_full = true;
	CHECK(!switch_ready(&box[0].port, 1));
	clock_ns += 50 * NS_PER_MS;
	CHECK(!switch_ready(&box[0].port, 1));
	clock_ns += 60 * NS_PER_MS;
	CHECK(switch_ready(&box[0].port, 1));
	send(0, 1, 2);
	CHECK_EQ(switch_port(1)->stats.dropped, 1);
	nic_full = false;
	CHECK(switch_ready(&box[0].port, 1));
	nic_full = true;
	CHECK(!switch_ready(&box[0].port, 1));
}

TEST(sender_of_many_waits_for_room_for_all)
{
	plug(1);
	attach_two();
	CHECK(switch_ready(&box[0].port, NIC_ROOM));
	CHECK(!switch_ready(&box[0].port, NIC_ROOM + 1));
}
