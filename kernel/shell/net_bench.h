/*
 * What `net bench` measures: something that sends and receives frames. There
 * are two, the drivers' netdev, and a bare ring loop that shows what the same
 * device could do.
 */
#ifndef SHELL_NET_BENCH_H
#define SHELL_NET_BENCH_H

#include "drivers/netdev.h"

struct bench_port {
	err_t (*open)(struct netdev *dev, u32 frame_max);
	void (*close)(struct netdev *dev);
	/* False: no room now. The frame stays as it is. */
	bool (*send)(struct netdev *dev, const void *frame, u32 size);
	void (*flush)(struct netdev *dev);
	/* Calls bench_received() for each frame. */
	unsigned (*poll)(struct netdev *dev);
	/* Before halting: as netdev_rest(). */
	bool (*rest)(struct netdev *dev, u64 *wait_ns);
	u32 headroom; /* bytes in front of a frame that are the port's */
};

extern const struct bench_port bench_plain; /* net_plain.c */

void bench_received(const void *frame, u32 size);

#endif
