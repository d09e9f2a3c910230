/*
 * Goes on until the downtime that the measured rates predict is short enough.
 * When a round did not shrink it by a tenth, the guest is slowed down; when it
 * is as slow as allowed, or the rounds are used up, it gives up rather than
 * break its word.
 */
#include "migrate/policy.h"

#define STEP 20 /* percent of full speed taken away at once */

static bool shrinks(const struct round_stats *last,
		    const struct round_stats *now)
{
	return last == NULL ||
	       now->predicted < last->predicted - last->predicted / 10;
}

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	unsigned slower = now->throttle > STEP ? now->throttle - STEP : 0;

	if (now->round == 0)
		return (struct policy_answer){POLICY_ROUND, 0};
	if (now->predicted <= params->downtime)
		return (struct policy_answer){POLICY_STOP, 0};
	if (now->round >= params->rounds)
		return (struct policy_answer){POLICY_GIVE_UP, 0};
	if (shrinks(last, now))
		return (struct policy_answer){POLICY_ROUND, 0};
	if (slower >= params->hardest && slower != 0)
		return (struct policy_answer){POLICY_THROTTLE, slower};
	return (struct policy_answer){POLICY_ROUND, 0};
}

const struct policy policy_downtime = {"downtime", decide};
