/*
 * When to stop the guest. A policy is one pure function from what was measured
 * to what to do next; a new one is one new file in policy/ and a line here.
 * Every policy ends within its rounds, and round POLICY_ROUNDS ends them all.
 */
#ifndef MIGRATE_POLICY_H
#define MIGRATE_POLICY_H

#include "migrate/types.h"

#define POLICY_ROUNDS 64

struct policy_params {
	u32 rounds;	  /* at most so many */
	u64 threshold;	  /* classic: pages that may remain */
	u64 downtime;	  /* downtime: microseconds aimed at */
	unsigned hardest; /* downtime: throttle to no less than this percent */
};

/* One round, as it was when it ended. */
struct round_stats {
	u32 round; /* from 1 */
	u64 pages, bytes, duration;
	u64 zero_pages, resent;
	u64 remaining;	/* pages to be sent next */
	u64 dirty_rate; /* pages per second during the round */
	u64 bandwidth;	/* bytes per second */
	u64 predicted;	/* downtime if the guest stopped now, */
	u64 least;	/* and if nothing remained */
	unsigned throttle;
};

enum policy_action {
	POLICY_ROUND,
	POLICY_STOP,
	POLICY_THROTTLE,
	POLICY_GIVE_UP
};

struct policy_answer {
	enum policy_action action;
	unsigned percent; /* POLICY_THROTTLE: of full speed; a round follows */
};

struct policy {
	const char *name;
	/* `last` is the round before, or NULL in the first. */
	struct policy_answer (*decide)(const struct policy_params *params,
				       const struct round_stats *last,
				       const struct round_stats *now);
};

extern const struct policy policy_classic, policy_downtime, policy_fixed,
	policy_stop_and_copy;

/* By name, or NULL. */
const struct policy *policy_find(const char *name);
/* The policy's answer within the bound of all policies. */
struct policy_answer policy_decide(const struct policy *policy,
				   const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now);

#endif
