/* A given number of rounds, whatever they bring: for experiments. */
#include "migrate/policy.h"

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	bool stop = now->round >= params->rounds;

	return (struct policy_answer){stop ? POLICY_STOP : POLICY_ROUND, 0};
}

const struct policy policy_fixed = {"fixed", decide};
