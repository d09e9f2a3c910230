/*
 * Lab 5: when to stop the guest. migrate/policy.h is the contract.
 *
 * The engine asks before the first round (round 0: nothing is sent yet,
 *`remaining` is the whole guest) and after each. You answer with
 *
 *	POLICY_ROUND	send what was written meanwhile, and ask again
 *	POLICY_STOP	stop the guest and send the rest: its downtime
 *	POLICY_THROTTLE	give the guest .percent of its time from now on, and go
 *on POLICY_GIVE_UP	the guest stays where it is
 *
 * The answer may depend on nothing but the arguments: no static variables.
 *After params->rounds rounds it must be POLICY_STOP or POLICY_GIVE_UP. Never
 *throttle to less than params->hardest percent.
 */
#include "migrate/policy.h"

/* TODO: this is the classic policy. Beat it. */
static struct policy_answer decide(const struct policy_params *params,
				   const struct round_stats *last,
				   const struct round_stats *now)
{
	bool stop = now->round != 0 && (now->remaining <= params->threshold ||
					now->round >= params->rounds);

	return (struct policy_answer){stop ? POLICY_STOP : POLICY_ROUND, 0};
}

extern const struct policy policy_lab;
const struct policy policy_lab = {"lab", decide};
