#include "migrate/policy.h"

static const struct policy *const policies[] = {&policy_classic,
						&policy_downtime, &policy_fixed,
						&policy_stop_and_copy};

static bool same(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct policy *policy_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (same(policies[i]->name, name))
			return policies[i];
	return NULL;
}

struct policy_answer policy_decide(const struct policy *policy,
				   const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	struct policy_answer stop = {.action = POLICY_STOP};

	if (now->round >= POLICY_ROUNDS)
		return stop;
	return policy->decide(params, last, now);
}
