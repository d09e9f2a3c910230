/* Stops when little remains, or when the rounds are used up. */
#include "migrate/policy.h"

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	bool stop = now->round != 0 && (now->remaining <= params->threshold ||
					now->round >= params->rounds);

	return (struct policy_answer){stop ? POLICY_STOP : POLICY_ROUND, 0};
}

const struct policy policy_classic = {"classic", decide};
