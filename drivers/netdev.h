/*
 * A network device of the host, whatever drives it. All calls come from the
 * service CPU, with interrupts off; nothing here waits.
 *
 * Frames are whole Ethernet frames without checksum. Sending copies nothing: a
 * frame is a list of pieces in the kernel's direct map (guest pages too), which
 * the device reads until `sent` is called for it.
 */
#ifndef DRIVERS_NETDEV_H
#define DRIVERS_NETDEV_H

#include "lib/error.h"
#include "lib/types.h"

#define NETDEV_PIECES                                           \
	20 /* of one frame: 64 KiB of scattered pages, a header \
	    */
#define NETDEVS_MAX 4

/*
 * Physically contiguous. A frame that is one piece and has room in front of it,
 * NETDEV_ROOM bytes that are the driver's to write to, costs the device least.
 */
struct net_piece {
	const void *at;
	u32 size;
	u32 room; /* 0: there is none */
};
#define NETDEV_ROOM 64 /* whoever begins at a cache line still does */

struct netdev_stats {
	u64 rx_frames, rx_bytes;
	u64 tx_frames, tx_bytes;
	u64 rx_dropped; /* the device had no buffer, or nobody listens */
	u64 tx_full;	/* send() said E_BUSY */
	u64 broken;	/* answers of the device that made no sense */
	u64 kicks, interrupts;
};

struct netdev;

/* Whom a device belongs to. */
enum netdev_role {
	NETDEV_LAN,	  /* the guests' switch */
	NETDEV_MIGRATION, /* the host alone: guests neither see nor reach it */
};

struct netdev_ops {
	/*
	 * Queues a frame of 14 to frame_max bytes. E_BUSY: no room now, poll()
	 * makes some. cookie comes back by sent(); NULL: nobody wants to know.
	 */
	err_t (*send)(struct netdev *dev, const struct net_piece *piece,
		      unsigned count, void *cookie);
	/* Tells the device about everything queued: once for a batch. */
	void (*flush)(struct netdev *dev);
	/*
	 * Takes up to `budget` received frames, calling receive() for each, and
	 * completes what was sent. How many frames came.
	 */
	unsigned (*poll)(struct netdev *dev, unsigned budget);
	/*
	 * Before halting: an interrupt is to come with the next frame, and when
	 * half of what is being sent has gone out. False: something is here
	 * already, do not halt.
	 */
	bool (*arm)(struct netdev *dev);
	/* Counts what the device counts itself, and the link's state. */
	void (*look)(struct netdev *dev);
};

struct netdev {
	char name[8];	    /* "net0" */
	const char *driver; /* "virtio-net", "e1000" */
	const char *where;  /* "00:02.0" */
	u8 mac[6];
	enum netdev_role role;
	u32 frame_max; /* with its Ethernet header */
	unsigned rx_ring, tx_ring, rx_buffers;
	bool link;     /* when last looked at */
	bool loopback; /* gets what it sends, and nothing else */
	bool dead; /* did not come back from a reset: takes and gives nothing */
	unsigned budget; /* frames in one round: what a moment is enough for, */
	unsigned budget_max; /* and at most */
	bool wakes; /* arm() leads to interrupts; else poll it by the clock */
	const struct netdev_ops *ops;
	/* Set by the user. The frame stays until receive() returns. */
	void (*receive)(void *context, const void *frame, u32 size);
	void (*sent)(void *context, void *cookie);
	void *context;
	struct netdev_stats stats;
	/* For netdev_rest(): traffic of the latest span of time. */
	bool heavy;
	u64 span_start, span_frames, span_bytes;
	struct net_copies *copies; /* of netdev_send_copy() */
};

/* Filled by netdev_probe(), which looks for all devices of all drivers. */
extern struct netdev *netdevs[NETDEVS_MAX];
extern unsigned netdev_count;
struct netdev *netdev_find(const char *name);

#define NETDEV_FRAME_MIN 14    /* the header alone */
#define NETDEV_FRAME_MAX 65549 /* 65,535 bytes and the header */
#define NETDEV_RING_MIN	 32    /* one frame of NETDEV_PIECES fits */
#define NETDEV_RING_MAX	 1024

/* Which device gets which name, and how big its rings are; 0: the default. */
struct netdev_options {
	char name[8];	 /* of the device from now on */
	char device[20]; /* "00:02.0", a MAC address, "first" of those left */
	enum netdev_role role;
	unsigned rx_ring, tx_ring; /* descriptors, a power of two */
	unsigned rx_buffers;	   /* posted at most */
	unsigned frame_max;
	bool loopback; /* of a device for migration */
};

/*
 * Devices that no options speak of are net0, net1, ... with defaults, for the
 * LAN. What the options ask for and is not there is logged.
 */
void netdev_probe(const struct netdev_options *options, unsigned count);

/*
 * The same as send() for a frame that does not stay where it is: it is copied.
 * Nobody is told when it was sent.
 */
err_t netdev_send_copy(struct netdev *dev, const struct net_piece *piece,
		       unsigned count);
/* For so many more, or as many as it ever has room for. */
bool netdev_copy_room(const struct netdev *dev, unsigned frames);

/* One round over all devices: how many frames came. */
unsigned netdev_poll_all(void);

/*
 * Before halting. False: do not, something has come. *wait_ns: look again after
 * so long at the latest. While traffic is heavy that is soon, and no interrupt
 * is asked for: many frames are taken at a time, and whoever carries them is
 * not interrupted either.
 */
bool netdev_rest(struct netdev *dev, u64 *wait_ns);
bool netdev_rest_all(u64 *wait_ns);

#endif
