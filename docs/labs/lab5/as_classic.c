/*
 * In the kernel of lab 5 the policy called classic is the student's, so that
 * whatever can ask for classic can ask for it.
 */
#include "migrate/policy.h"

extern const struct policy policy_lab;

static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	return policy_lab.decide(params, last, now);
}

const struct policy policy_classic = {"classic", decide};
