/*
 * Goes on until the downtime that the measured rates predict is short enough,
 * and then as long as each round makes it shorter still: what was allowed is
 * not what is wanted. When a round did not shrink it by a tenth, the guest is
 * slowed down; when it is as slow as allowed, or the rounds are used up, it
 * gives up rather than break its word.
 */
#include "migrate/policy.h"

#define STEP 20 /* percent of full speed taken away at once; then halves */

static bool shrinks(const struct round_stats *last,
		    const struct round_stats *now)
{
	return last == NULL ||
	       now->predicted < last->predicted - last->predicted / 10;
}

/* Slower writing helps only where the pages are what takes long. */
static bool pages_matter(const struct round_stats *now)
{
	return now->predicted - now->least > now->predicted / 2;
}

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	unsigned slower =
		now->throttle > STEP ? now->throttle - STEP : now->throttle / 2;

	if (now->round == 0)
		return (struct policy_answer){POLICY_ROUND, 0};
	if (now->predicted <= params->downtime &&
	    (!shrinks(last, now) || !pages_matter(now) ||
	     now->round >= params->rounds))
		return (struct policy_answer){POLICY_STOP, 0};
	if (now->round >= params->rounds)
		return (struct policy_answer){POLICY_GIVE_UP, 0};
	if (shrinks(last, now) || !pages_matter(now))
		return (struct policy_answer){POLICY_ROUND, 0};
	if (slower >= params->hardest && slower != 0)
		return (struct policy_answer){POLICY_THROTTLE, slower};
	return (struct policy_answer){POLICY_ROUND, 0};
}

const struct policy policy_downtime = {"downtime", decide};
