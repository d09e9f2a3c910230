/*
 * Stops before anything is copied: the longest downtime and the fewest bytes.
 * The engine asks before the first round too, as round 0.
 */
#include "migrate/policy.h"

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	return (struct policy_answer){POLICY_STOP, 0};
}

const struct policy policy_stop_and_copy = {"stop-and-copy", decide};
