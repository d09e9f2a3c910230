#include "net/uplink.h"

#include "cpu/time.h"
#include "lib/log.h"
#include "lib/string.h"
#include "net/switch.h"

/*
 * How long a NIC may be full before frames for it are lost rather than held
 * back: whoever else the sender talks to is held up as well.
 */
#define PATIENCE_NS (100 * NS_PER_MS)

struct uplink {
	struct net_port port;
	struct netdev *dev;
	u64 had_room; /* when last seen; 0: now */
};

static struct uplink uplinks[NETDEVS_MAX];

static struct uplink *of(struct net_port *port)
{
	return (struct uplink *)port; /* it is the first member */
}
_Static_assert(offsetof(struct uplink, port) == 0, "of()");

static u16 private_type; /* as it is in memory */
static void (*private_take)(void *context, const void *frame, u32 size);

void uplink_private(u16 ethertype,
		    void (*take)(void *context, const void *frame, u32 size))
{
	private_type = __builtin_bswap16(ethertype);
	private_take = take;
}

static void receive(void *context, const void *frame, u32 size)
{
	struct uplink *up = context;
	struct net_piece piece = {frame, size, 0};
	u16 type;

	if (private_take && size >= 14) {
		memcpy(&type, (const u8 *)frame + 12, sizeof(type));
		if (type == private_type) {
			private_take(up, frame, size);
			return;
		}
	}
	switch_input(&up->port, &piece, 1, size);
}

/* The sender wants its pages back at once, so the frame is copied. */
static bool deliver(struct net_port *port, const struct net_piece *piece,
		    unsigned count, u32 size)
{
	return netdev_send_copy(of(port)->dev, piece, count) == E_OK;
}

static void flush(struct net_port *port)
{
	struct netdev *dev = of(port)->dev;

	dev->ops->flush(dev);
}

static bool ready(struct net_port *port, unsigned frames)
{
	struct uplink *up = of(port);
	u64 now;

	if (netdev_copy_room(up->dev, frames)) {
		up->had_room = 0;
		return true;
	}
	now = now_ns();
	if (!up->had_room)
		up->had_room = now;
	return now - up->had_room > PATIENCE_NS;
}

void uplinks_attach(void)
{
	for (unsigned i = 0; i < netdev_count; i++) {
		struct netdev *dev = netdevs[i];
		struct uplink *up = &uplinks[i];

		if (dev->receive || dev->role != NETDEV_LAN)
			continue;
		up->dev = dev;
		up->port = (struct net_port){
			.name = dev->name,
			.deliver = deliver,
			.flush = flush,
			.ready = ready,
		};
		if (switch_add(&up->port) != E_OK) {
			log_error("net: %s: no port is left for it", dev->name);
			continue;
		}
		dev->context = up;
		dev->receive = receive;
	}
}
