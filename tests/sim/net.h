/*
 * A network that does everything a network may do, from a seed: it drops,
 * repeats, delays (and so reorders), corrupts, truncates and partitions.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdio.h>

#include "migrate/types.h"

struct net_faults {
	/* Of 1000 frames so many. */
	unsigned drop, repeat, corrupt, truncate, late;
	u64 delay, jitter, lateness; /* microseconds */
	u64 bandwidth;		     /* bytes per second, 0: no limit */
	/* Nothing passes from cut[i] for cut_for[i]. */
	u64 cut[2], cut_for[2];
	u64 heals_at; /* from then on it is perfect */
};

struct net_counts {
	u64 frames, bytes, dropped, repeated, corrupted, truncated, cut;
};

struct net_frame {
	u64 at, order;
	unsigned to, size, slot;
};

#define NET_FRAMES 4096

struct net {
	struct net_faults faults;
	struct net_counts counts[2]; /* by sender */
	u64 random, order, busy[2];
	struct net_frame heap[NET_FRAMES];
	unsigned count;
	u8 *buffer[NET_FRAMES]; /* WIRE_FRAME_MAX bytes each */
	unsigned free[NET_FRAMES], free_count;
	FILE *capture;
};

u64 sim_random(u64 *state);
static inline u64 sim_below(u64 *state, u64 bound)
{
	return bound == 0 ? 0 : sim_random(state) % bound;
}

void net_init(struct net *net);
void net_reset(struct net *net, u64 seed);
void net_send(struct net *net, u64 now, unsigned from, const u8 *frame,
	      unsigned size);
/* When the next frame arrives, UINT64_MAX: none is under way. */
u64 net_next(const struct net *net);
/* Takes it; its bytes are valid until the next call. */
u8 *net_take(struct net *net, unsigned *to, unsigned *size);

/* A pcap file of all that is sent, for wireshark and tools/wire-check. */
void net_capture(struct net *net, const char *path);

#endif
