/*
 * predict: what dry runs predict, and what the same seeds' migrations then take
 * on an ideal link. A line each; fails when a time or an amount of bytes is off
 * by more than a half, or a downtime by more than 2.5 times: how many pages
 * the last round leaves is chance.
 */
#include <stdlib.h>

#include "tests/sim/world.h"

#define NEAR  150 /* percent */
#define ABOUT 250
#define LEFT  4	  /* pages by which last rounds differ by chance */
#define GRAIN 250 /* microseconds or bytes, which are not worth a word */

struct example {
	enum pattern pattern;
	u64 writes; /* per millisecond */
	const struct policy *policy;
	bool noise;
	u64 rate;
	u64 bandwidth; /* of the network */
	u32 frame_size;
};

static const struct example examples[] = {
	{PATTERN_IDLE, 0, &policy_classic, true, 10000000, 0, 1514},
	{PATTERN_IDLE, 0, &policy_classic, false, 0, 0, 1514},
	{PATTERN_IDLE, 0, &policy_stop_and_copy, true, 2000000, 0, 9014},
	{PATTERN_UNIFORM, 1, &policy_classic, true, 10000000, 0, 1514},
	{PATTERN_UNIFORM, 2, &policy_classic, true, 10000000, 0, 1514},
	{PATTERN_UNIFORM, 5, &policy_classic, true, 20000000, 0, 9014},
	{PATTERN_UNIFORM, 10, &policy_classic, true, 20000000, 0, 1514},
	{PATTERN_UNIFORM, 20, &policy_classic, true, 20000000, 0, 1514},
	{PATTERN_UNIFORM, 5, &policy_fixed, true, 20000000, 0, 9014},
	{PATTERN_UNIFORM, 1, &policy_downtime, true, 10000000, 0, 1514},
	{PATTERN_UNIFORM, 20, &policy_downtime, true, 20000000, 0, 1514},
	{PATTERN_UNIFORM, 1, &policy_classic, true, 0, 5000000, 1514},
	{PATTERN_UNIFORM, 5, &policy_fixed, true, 0, 20000000, 1514},
	{PATTERN_IDLE, 0, &policy_stop_and_copy, true, 0, 1000000, 1514},
	{PATTERN_UNIFORM, 1, &policy_classic, true, 90000000, 10000000, 1514},
	{PATTERN_HOT, 5, &policy_classic, true, 10000000, 0, 1514},
	{PATTERN_HOT, 5, &policy_classic, false, 10000000, 0, 9014},
	{PATTERN_SEQUENTIAL, 10, &policy_classic, true, 10000000, 0, 1514},
	{PATTERN_SEQUENTIAL, 50, &policy_fixed, true, 10000000, 0, 1514},
};

static struct world world;

static void play(const struct scenario *scenario)
{
	world_run(&world, scenario);
	if (world.wrong == NULL)
		return;
	printf("wrong: %s\n", world.wrong);
	exit(1);
}

static bool within(unsigned percent, u64 grain, u64 predicted, u64 taken)
{
	u64 more = mig_max(predicted, taken), less = mig_min(predicted, taken);

	return more - less <= grain || more * 100 <= percent * less;
}

static bool compare(const struct example *example, u64 seed)
{
	const struct report *report = &world.source.report;
	struct prediction told;
	struct scenario scenario;
	bool good;
	u64 chance;

	scenario_plain(&scenario, seed);
	scenario.pattern = example->pattern;
	scenario.writes = example->writes;
	scenario.noise = example->noise;
	scenario.diligent = true;
	scenario.state_size = SIM_STATE;
	scenario.faults.bandwidth = example->bandwidth;
	scenario.source.policy = example->policy;
	scenario.source.params.rounds = 8;
	scenario.source.rate = example->rate;
	scenario.source.link.frame_size = scenario.target.link.frame_size =
		example->frame_size;
	scenario.source.dry_run = true;
	play(&scenario);
	told = report->prediction;
	chance = GRAIN + predict_time(LEFT * MIG_PAGE, told.bandwidth);
	if (world.source.code != MIG_DRY)
		return false;
	scenario.source.dry_run = false;
	play(&scenario);
	good = world.source.code == told.code &&
	       within(NEAR, GRAIN, told.total, report->total) &&
	       within(ABOUT, chance, told.downtime, report->downtime) &&
	       within(NEAR, GRAIN, told.bytes, report->bytes);
	printf("%s: pattern %u, %llu writes/ms, %s, seed %llu: code %llu/%u "
	       "total %llu/%llu, downtime %llu/%llu, bytes %llu/%llu, "
	       "rounds %llu/%u, %llu bytes/s, rtt %llu\n",
	       good ? "near" : "FAR", example->pattern,
	       (unsigned long long)example->writes, example->policy->name,
	       (unsigned long long)seed, (unsigned long long)told.code,
	       world.source.code, (unsigned long long)told.total,
	       (unsigned long long)report->total,
	       (unsigned long long)told.downtime,
	       (unsigned long long)report->downtime,
	       (unsigned long long)told.bytes,
	       (unsigned long long)report->bytes,
	       (unsigned long long)told.rounds, report->rounds,
	       (unsigned long long)told.bandwidth,
	       (unsigned long long)told.round_trip);
	return good;
}

int main(void)
{
	unsigned far = 0;

	world_init(&world);
	for (unsigned i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		for (u64 seed = 1; seed <= 4; seed++)
			far += !compare(&examples[i], seed);
	printf("%u predictions are far from what was taken\n", far);
	return far != 0;
}
