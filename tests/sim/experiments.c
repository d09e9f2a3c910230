/*
 * experiments: figures of the protocol, a line each: figure NAME VALUE UNIT.
 *
 *	experiments            all but the next
 *	experiments pages N    N pages through both ends, for callgrind
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

static struct world world;

static void figure(const char *name, double value, const char *unit)
{
	printf("figure wire.%s %.2f %s\n", name, value, unit);
}

static void need(bool holds, const char *what)
{
	if (holds)
		return;
	printf("wrong: %s\n", what);
	exit(1);
}

/* All pages incompressible, the guest at rest, one pass. */
static void full(struct scenario *scenario)
{
	scenario_plain(scenario, 1);
	scenario->noise = true;
	scenario->source.link.features =
		1u << CODEC_ZERO | 1u << CODEC_RAW | 1u << CODEC_WORD;
	scenario->target.credit = WINDOW_SPAN;
}

static const struct source *play(const struct scenario *scenario)
{
	world_run(&world, scenario);
	need(world.wrong == NULL, world.wrong);
	need(world.source.state == SOURCE_DONE, "it did not end well");
	return &world.source;
}

static void goodput(const char *name, u32 frame_size, u8 security)
{
	struct scenario scenario;
	const struct source *source;

	full(&scenario);
	scenario.source.link.frame_size = scenario.target.link.frame_size =
		frame_size;
	scenario.source.link.security = scenario.target.link.security =
		security;
	source = play(&scenario);
	figure(name,
	       100.0 * SIM_PAGES * MIG_PAGE /
		       (double)source->sender.counts.bytes,
	       "percent");
}

static double bytes_with(const struct net_faults *faults, u32 frame_size)
{
	struct scenario scenario;
	double sum = 0;

	for (u64 seed = 1; seed <= 20; seed++) {
		full(&scenario);
		scenario.seed = seed;
		scenario.source.link.frame_size =
			scenario.target.link.frame_size = frame_size;
		scenario.source.rate = 125000000;
		if (faults != NULL)
			scenario.faults = *faults;
		play(&scenario);
		sum += (double)world.net.counts[0].bytes;
	}
	return sum / 20;
}

static void faults(void)
{
	struct net_faults loss = {.drop = 300,
				  .delay = 50,
				  .jitter = 200,
				  .heals_at = UINT64_MAX};
	struct net_faults corruption = {
		.corrupt = 10, .delay = 50, .heals_at = UINT64_MAX};
	double plain = bytes_with(NULL, 1514), jumbo = bytes_with(NULL, 9014);

	figure("loss-30.1500", bytes_with(&loss, 1514) / plain, "times");
	figure("loss-30.9000", bytes_with(&loss, 9014) / jumbo, "times");
	figure("corruption-1.1500", bytes_with(&corruption, 1514) / plain,
	       "times");
}

static void partition(void)
{
	struct net_faults cut = {.delay = 50,
				 .cut = {1800},
				 .cut_for = {60000000},
				 .heals_at = UINT64_MAX};
	struct scenario scenario;
	const struct source *source;

	full(&scenario);
	scenario.source.rate = 125000000;
	scenario.source.link.timers.give_up = 300000000;
	scenario.target.link.timers.orphan = 600000000;
	scenario.faults = cut;
	source = play(&scenario);
	need(source->report.sessions == 2, "the link was not cut");
	figure("partition-60s.pages-again",
	       (double)(source->report.pages - SIM_PAGES), "pages");
	figure("partition-60s.parts-again", (double)source->report.parts_again,
	       "parts");
	figure("partition-60s.after", (double)source->report.total / 1e6 - 60,
	       "seconds");
}

static void memory_cost(void)
{
	struct scenario scenario;
	u64 gib = (u64)1 << 18;
	size_t source[2], target[2];

	full(&scenario);
	for (unsigned i = 0; i < 2; i++) {
		scenario.source.pages = scenario.target.pages_max =
			(i + 1) * gib;
		source[i] = source_memory(&scenario.source);
		target[i] = target_memory(&scenario.target);
	}
	figure("memory.source-per-gib", (double)(source[1] - source[0]) / 1024,
	       "KiB");
	figure("memory.target-per-gib", (double)(target[1] - target[0]) / 1024,
	       "KiB");
	figure("memory.source-fixed",
	       (double)(sizeof(struct source) + 2 * source[0] - source[1]) /
		       1024,
	       "KiB");
	figure("memory.target-fixed",
	       (double)(sizeof(struct target) + 2 * target[0] - target[1]) /
		       1024,
	       "KiB");
}

/* Many migrations of incompressible pages: what callgrind counts. */
static void pages(u64 count)
{
	struct scenario scenario;

	full(&scenario);
	scenario.source.link.frame_size = scenario.target.link.frame_size =
		WIRE_FRAME_MAX;
	for (u64 i = 0; i < count; i += SIM_PAGES)
		play(&scenario);
}

int main(int argc, char **argv)
{
	world_init(&world);
	if (argc == 3 && strcmp(argv[1], "pages") == 0) {
		pages(strtoull(argv[2], NULL, 0));
		return 0;
	}
	goodput("goodput.1500", 1514, WIRE_CLEAR);
	goodput("goodput.9000", 9014, WIRE_CLEAR);
	goodput("goodput.65000", 65014, WIRE_CLEAR);
	goodput("goodput.1500.encrypt", 1514, WIRE_ENCRYPT);
	goodput("goodput.9000.encrypt", 9014, WIRE_ENCRYPT);
	faults();
	partition();
	memory_cost();
	return 0;
}
