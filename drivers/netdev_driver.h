/* What drivers of network devices share with netdev.c, and nobody else. */
#ifndef DRIVERS_NETDEV_DRIVER_H
#define DRIVERS_NETDEV_DRIVER_H

#include "drivers/netdev.h"
#include "drivers/pci.h"

struct netdev_driver {
	const char *name;
	u16 vendor;
	u16 device[4]; /* 0: no more */
	bool loops;    /* obeys netdev.loopback */
	/* Takes the device over, resets it, finds its address. */
	err_t (*open)(struct pci_device *pci, struct netdev **dev);
	/* Makes rings and buffers and lets it run. */
	err_t (*start)(struct netdev *dev,
		       const struct netdev_options *options);
};

extern const struct netdev_driver virtio_net_driver, e1000_driver;

/* "52:54:00:12:34:56" in this order. */
#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_WORDS(mac) \
	(mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

/* The frame's size if send() may take it, else 0: nothing was lost yet. */
u32 netdev_frame_size(const struct netdev *dev, const struct net_piece *piece,
		      unsigned count);

/* Gives a received frame to whoever listens. */
void netdev_received(struct netdev *dev, const void *frame, u32 size);

/* Counts, and says so in the log when it is worth a line. */
void netdev_broken(struct netdev *dev, const char *what);

/* The ring size asked for, as a power of two within limits. */
unsigned netdev_ring(unsigned asked, unsigned normal, unsigned max);

/* The device has read the frame that was sent with this cookie. */
void netdev_sent(struct netdev *dev, void *cookie);

/*
 * Buffers for a frame each, physically contiguous, cut from larger blocks which
 * are never given back.
 */
struct frame_buffers {
	u32 size; /* of each */
	unsigned count;
	u8 **at;
};

/* As many as memory allows, `wanted` at most, a few at least. */
err_t frame_buffers_make(struct frame_buffers *b, unsigned wanted, u32 size);

/* How many to receive into: what was asked for, else what is reasonable. */
unsigned netdev_rx_count(const struct netdev_options *options, unsigned ring,
			 u32 size);

#endif
