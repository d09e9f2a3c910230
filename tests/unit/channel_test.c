/*
 * The way to other hosts, over a NIC that is made up: whose memory frames lie
 * in, and what becomes of those that the device does not take.
 *
 * links: kernel/migration/channel.c
 */
#include <stdlib.h>
#include <string.h>

#include "migration/channel.h"
#include "migration/trace.h"
#include "mm/pages.h"
#include "net/uplink.h"
#include "test.h"

u64 host_phys_offset;
struct netdev *netdevs[NETDEVS_MAX];
unsigned netdev_count;

static err_t answer;	 /* what the device says to send() */
static void *on_its_way; /* the cookie of what it took last */
static unsigned taken, flushes, shared;
static u64 memory_left = ~0ull;

static err_t dev_send(struct netdev *dev, const struct net_piece *piece,
		      unsigned count, void *cookie)
{
	if (answer)
		return answer;
	CHECK_EQ(count, 1);
	CHECK_EQ(piece->room, NETDEV_ROOM);
	CHECK(piece->at == cookie);
	on_its_way = cookie;
	taken++;
	return E_OK;
}

static void dev_flush(struct netdev *dev)
{
	flushes++;
}

static const struct netdev_ops ops = {.send = dev_send, .flush = dev_flush};
static struct netdev lan = {.ops = &ops,
			    .role = NETDEV_LAN,
			    .frame_max = 1514,
			    .tx_ring = 256,
			    .rx_buffers = 64};
static struct netdev mig = {.ops = &ops,
			    .role = NETDEV_MIGRATION,
			    .frame_max = 9014,
			    .tx_ring = 256,
			    .rx_buffers = 12};

/* With what was there before, as the firmware's code. */
u64 page_alloc(unsigned order)
{
	void *block = (PAGE_SIZE << order) > memory_left
			      ? NULL
			      : aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

	if (block)
		memset(block, 0xcc, PAGE_SIZE << order);
	return (u64)block;
}

u64 page_alloc_zeroed(unsigned order)
{
	u64 phys = page_alloc(order);

	if (phys)
		memset(phys_to_virt(phys), 0, PAGE_SIZE << order);
	return phys;
}

void uplink_private(u16 ethertype,
		    void (*receive)(void *context, const void *frame, u32 size))
{
	shared = ethertype;
}

void trace_frame_sent(const u8 *frame, u32 size)
{
}

void trace_frames_sent(void)
{
}

static void take(const void *frame, u32 size)
{
}

static void add(struct netdev *dev)
{
	netdevs[netdev_count++] = dev;
}

static unsigned take_all(u8 **buffer)
{
	unsigned count = 0;

	while ((buffer[count] = channel_buffer()))
		count++;
	return count;
}

/*
 * Whole pages that are cleared: a store to a page where code was is slow in an
 * emulator until the last of that code is gone, and frames end before pages do.
 */
TEST(buffers_are_whole_cleared_pages)
{
	u8 *buffer[300];
	unsigned count;

	add(&lan);
	add(&mig);
	CHECK_EQ(channel_open(0, take), E_OK);
	CHECK(channel_nic() == &mig);
	CHECK_EQ(shared, 0);
	count = take_all(buffer);
	CHECK_EQ(count, mig.tx_ring / 2);
	for (unsigned i = 0; i < count; i++) {
		const u8 *start = buffer[i] - NETDEV_ROOM;

		CHECK_EQ((u64)start % PAGE_SIZE, 0);
		for (unsigned j = 0; j < 3 * PAGE_SIZE; j++)
			CHECK_EQ(start[j], 0);
		for (unsigned j = 0; j < i; j++)
			CHECK(buffer[j] + 3 * PAGE_SIZE <= buffer[i] ||
			      buffer[i] + 3 * PAGE_SIZE <= buffer[j]);
	}
}

TEST(as_many_buffers_as_asked_for)
{
	u8 *buffer[300];

	add(&mig);
	CHECK_EQ(channel_open(20, take), E_OK);
	CHECK_EQ(take_all(buffer), 20);
	/* Of 12 frames that it can take, half are for what is not a page. */
	CHECK_EQ(channel_credit(), 6);
}

TEST(without_a_nic_of_its_own_it_shares_one)
{
	add(&lan);
	CHECK_EQ(channel_open(0, take), E_OK);
	CHECK(channel_nic() == &lan);
	CHECK_EQ(shared, 0x88b5);
	CHECK_EQ(channel_credit(), 64 - 8);
}

TEST(no_nic_and_no_memory)
{
	CHECK_EQ(channel_open(0, take), E_NOTFOUND);
	add(&mig);
	memory_left = PAGE_SIZE;
	CHECK_EQ(channel_open(0, take), E_NOMEM);
	CHECK(!channel_nic());
}

TEST(what_the_device_has_no_room_for_waits)
{
	u8 *buffer;

	add(&mig);
	CHECK_EQ(channel_open(8, take), E_OK);
	buffer = channel_buffer();
	answer = E_BUSY;
	channel_send(buffer, 100);
	CHECK(!channel_buffer());
	CHECK(channel_flush());
	CHECK_EQ(taken, 0);
	CHECK_EQ(flushes, 0);
	answer = E_OK;
	CHECK(!channel_flush());
	CHECK_EQ(taken, 1);
	CHECK_EQ(flushes, 1);
	CHECK(on_its_way == buffer);
	CHECK(channel_buffer());
	/* The device is told once, and not when nothing is new. */
	CHECK(!channel_flush());
	CHECK_EQ(flushes, 1);
}

TEST(buffers_come_back)
{
	u8 *buffer[300];

	add(&mig);
	CHECK_EQ(channel_open(8, take), E_OK);
	CHECK_EQ(take_all(buffer), 8);
	channel_send(buffer[0], 0); /* nothing to say */
	CHECK(channel_buffer() == buffer[0]);
	answer = E_INVALID; /* lost, as frames may be */
	channel_send(buffer[1], 100);
	CHECK(channel_buffer() == buffer[1]);
	answer = E_OK;
	channel_send(buffer[2], 100);
	CHECK(!channel_buffer());
	mig.sent(mig.context, on_its_way);
	CHECK(channel_buffer() == buffer[2]);
}
