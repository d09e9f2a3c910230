/*
 * What a migration would take: the policy's own decisions, played against a
 * guest and a link of which a few figures are known. A pure function; a dry run
 * (source_dry.c) measures the figures.
 */
#ifndef MIGRATE_PREDICT_H
#define MIGRATE_PREDICT_H

#include "migrate/policy.h"

#define DIRTY_POINTS 11

/* How many different pages were written in the time after a harvest. */
struct dirty_point {
	u64 after, pages;
};

struct predict_path {
	u64 bandwidth;	/* bytes per second that the page channel reaches, */
	u64 link;	/* and the link when nothing holds it back */
	u64 round_trip; /* microseconds */
	u64 state_bytes;
};

struct predict_input {
	const struct policy *policy;
	struct policy_params params;
	struct predict_path path;
	u64 asking;	 /* microseconds before the first round */
	u64 pages;	 /* of the guest */
	u64 first_bytes; /* on the wire for all pages, */
	u64 page_bytes;	 /* and for one that the guest wrote */
	u32 points;	 /* in the order of time; 0: the guest writes nothing */
	struct dirty_point dirty[DIRTY_POINTS];
};

struct prediction {
	u64 total, downtime; /* microseconds */
	u64 bytes;	     /* of page frames */
	u64 rounds;	     /* while the guest runs */
	u64 throttle;	     /* percent of full speed that is left to it */
	u64 bandwidth, round_trip, page_bytes, dirty_rate; /* from what */
	u64 code; /* MIG_OK, or MIG_POLICY: it would give up */
};

void predict(const struct predict_input *input, struct prediction *prediction);

/* Microseconds that `bytes`, less than 2^44, take. */
u64 predict_time(u64 bytes, u64 bandwidth);
/* From the stop to the release, with `bytes` of pages left to be sent. */
u64 predict_downtime(const struct predict_path *path, u64 bytes);

#endif
