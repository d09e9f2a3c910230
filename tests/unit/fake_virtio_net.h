/*
 * A virtio-net device that the test plays, on the functions of fake_pci.h; and
 * the user of its driver, who notes what it is told.
 */
#ifndef UNIT_FAKE_VIRTIO_NET_H
#define UNIT_FAKE_VIRTIO_NET_H

#include "drivers/netdev_driver.h"
#include "drivers/virtio.h"
#include "drivers/virtio_net.h"

enum { RX, TX };

extern struct nic {
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
} nic;
extern const u8 nic_mac[6];

/* There may be several; all of them are the one `nic`. */
void nic_plug(unsigned slot);
/* Plugs one in, and gives its driver the user. */
struct netdev *nic_start(const struct netdev_options *options);

/* What the device sees and does of a queue's chains. */
struct virtq_desc *nic_desc(unsigned q);
unsigned nic_waiting(unsigned q);
u16 nic_take(unsigned q);
void nic_give(unsigned q, u32 id, u32 written);
/* The bytes of a chain that the driver wants sent; its length. */
u32 nic_gather(u16 id, u8 *to);
void nic_deliver(const void *frame, u32 size);

extern struct user {
	unsigned got, size, sent; /* frames, bytes of the last one, frames */
	u8 frame[NETDEV_FRAME_MAX];
	void *cookie[4096];
} user;

void user_receive(void *context, const void *frame, u32 size);
void user_sent(void *context, void *cookie);
/* Sends a frame in so many pieces, and sees it leave and come back. */
void user_check_sent(struct netdev *net, unsigned pieces);

#endif
