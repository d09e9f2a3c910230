#include "migration/channel.h"

#include "lib/log.h"
#include "lib/string.h"
#include "migrate/wire.h"
#include "migration/trace.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "net/uplink.h"

#define BUFFERS_MAX  256
#define BUFFERS_MIN  8
#define BUFFERS_SIZE MIB(4)
#define ROUND_SIZE   KIB(512) /* of frames, taken in one round at most */
#define SPARE	     8	      /* receive buffers that are not for page frames */

static struct {
	struct netdev *dev;
	void (*receive)(const void *frame, u32 size);
	u32 frame_max;
	u8 *free[BUFFERS_MAX];
	unsigned free_count;
	/* The device had no room for it. */
	u8 *waiting;
	u32 waiting_size;
	bool queued; /* and the device does not know */
} channel;

const struct netdev *channel_nic(void)
{
	return channel.dev;
}

u32 channel_frame_max(void)
{
	return channel.frame_max;
}

unsigned channel_credit(void)
{
	return channel.dev->rx_buffers > 2 * SPARE
		       ? channel.dev->rx_buffers - SPARE
		       : channel.dev->rx_buffers / 2;
}

static void receive(void *context, const void *frame, u32 size)
{
	channel.receive(frame, size);
}

static void sent(void *context, void *cookie)
{
	channel.free[channel.free_count++] = cookie;
}

static struct netdev *choose(void)
{
	for (unsigned i = 0; i < netdev_count; i++)
		if (netdevs[i]->role == NETDEV_MIGRATION)
			return netdevs[i];
	return netdev_count ? netdevs[0] : NULL;
}

/*
 * Cleared, whole pages: where the firmware's code was, an emulator looks for
 * what it translated at each store, until none of that code is left. Frames do
 * not reach a page's end, so it would never be.
 */
static err_t make_buffers(unsigned wanted)
{
	u32 size = (u32)ALIGN_UP(NETDEV_ROOM + channel.frame_max, PAGE_SIZE);
	u64 block;

	if (!wanted)
		wanted = BUFFERS_SIZE / size;
	wanted = MIN(MAX(wanted, BUFFERS_MIN), BUFFERS_MAX);
	wanted = MIN(wanted, channel.dev->tx_ring / 2);
	block = page_alloc_zeroed(order_for((u64)wanted * size));
	if (!block)
		return E_NOMEM;
	for (unsigned i = 0; i < wanted; i++)
		channel.free[channel.free_count++] =
			(u8 *)phys_to_virt(block + (u64)i * size) + NETDEV_ROOM;
	return E_OK;
}

err_t channel_open(unsigned buffers, void (*take)(const void *frame, u32 size))
{
	struct netdev *dev = choose();
	err_t err;

	if (!dev)
		return E_NOTFOUND;
	channel.dev = dev;
	channel.receive = take;
	channel.frame_max = MIN(dev->frame_max, WIRE_FRAME_MAX);
	err = make_buffers(buffers);
	if (err) {
		channel.dev = NULL;
		return err;
	}
	/* Frames may be large, and take long to decipher. */
	dev->budget_max = MAX(ROUND_SIZE / channel.frame_max, 4);
	dev->budget = MIN(dev->budget, dev->budget_max);
	dev->sent = sent;
	if (dev->role == NETDEV_MIGRATION)
		dev->receive = receive;
	else
		uplink_private(WIRE_ETHERTYPE, receive);
	return E_OK;
}

u8 *channel_buffer(void)
{
	if (!channel.free_count || channel.waiting)
		return NULL;
	return channel.free[--channel.free_count];
}

static bool try_send(u8 *buffer, u32 size)
{
	struct net_piece piece = {buffer, size, NETDEV_ROOM};
	err_t err = channel.dev->ops->send(channel.dev, &piece, 1, buffer);

	if (err == E_BUSY)
		return false;
	if (err)
		sent(NULL, buffer); /* it is lost, as frames may be */
	channel.queued = true;
	trace_frame_sent(buffer, size);
	return true;
}

void channel_send(u8 *buffer, u32 size)
{
	if (!size) {
		sent(NULL, buffer);
		return;
	}
	if (try_send(buffer, size))
		return;
	channel.waiting = buffer;
	channel.waiting_size = size;
}

bool channel_flush(void)
{
	u8 *buffer = channel.waiting;

	if (buffer && try_send(buffer, channel.waiting_size))
		channel.waiting = NULL;
	trace_frames_sent();
	if (channel.queued)
		channel.dev->ops->flush(channel.dev);
	channel.queued = false;
	return channel.waiting;
}
