/*
 * What a guest leaves to its card: the checksum of a frame, and the cutting of
 * a long run of TCP into frames (virtio 1.2, 5.1.6.2). Both are done before the
 * switch, which so carries nothing but whole frames that any port can take.
 *
 * The frame stays where it is, in the guest's memory, and may change meanwhile:
 * its headers are copied, the copy is checked and used; its other bytes are
 * only added up, and a guest that changes them spoils its own checksum.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "drivers/netdev.h"
#include "lib/types.h"

/* Ethernet with a VLAN's tag, IPv4 and TCP at their longest. */
#define OFFLOAD_HEADERS (14 + 4 + 60 + 60)

struct offload {
	const struct net_piece *piece;
	unsigned count; /* fewer than NETDEV_PIECES: the headers become one */
	u32 size;
	u16 checksum_start, checksum_offset;
	/* Of one frame's TCP data; 0: it is one frame. */
	u16 segment;
	/* Set by offload_check(): */
	u32 headers; /* bytes that are made anew for each frame */
	u32 frames;
	u32 largest; /* frame that it becomes */
	u8 header[OFFLOAD_HEADERS];
};

/* Whether it makes sense; else it cannot be sent. */
bool offload_check(struct offload *o);

/* Frame `i` of o->frames: its pieces, until the next call; how many. */
struct offload_frame {
	struct net_piece piece[NETDEV_PIECES];
	unsigned count;
	u32 size;
	u8 header[OFFLOAD_HEADERS];
};
void offload_frame(const struct offload *o, unsigned i,
		   struct offload_frame *frame);

#endif
