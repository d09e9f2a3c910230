/*
 * sim: plays migrations from seeds and says which went wrong.
 *
 *	sim FIRST COUNT           seeds FIRST to FIRST+COUNT-1
 *	sim --first-wrong FIRST COUNT   stops at the first that goes wrong
 *	sim --trace SEED          one seed, step by step
 *	sim --capture FILE SEED   one seed, its frames into a pcap file
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/world.h"

struct totals {
	u64 done, failed, doubt, crashed, frames, faults, wrong;
};

static struct world world;

static void add(struct totals *totals)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct net_counts *counts = &world.net.counts[i];

		totals->frames += counts->frames;
		totals->faults += counts->dropped + counts->repeated +
				  counts->corrupted + counts->truncated +
				  counts->cut;
	}
	totals->crashed += world.crashed;
	if (!world.source_up)
		return;
	totals->done += world.source.state == SOURCE_DONE;
	totals->failed += world.source.state == SOURCE_FAILED;
	totals->doubt += world.source.state == SOURCE_IN_DOUBT;
}

static int play(u64 seed)
{
	struct scenario scenario;

	scenario_draw(&scenario, seed);
	world_run(&world, &scenario);
	if (world.wrong == NULL)
		return 0;
	printf("seed %llu: %s (step %llu, source %s: %s, target %s: %s)\n",
	       (unsigned long long)seed, world.wrong,
	       (unsigned long long)world.steps,
	       mig_state_text(source_state(&world.source)),
	       mig_error_text(world.source.code),
	       mig_state_text(world.target.state),
	       mig_error_text(world.target.code));
	return 1;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int play_many(u64 first, u64 count, u64 most_wrong)
{
	struct totals totals = {0};
	double began = seconds();

	for (u64 seed = first; seed < first + count; seed++) {
		totals.wrong += (u64)play(seed);
		add(&totals);
		if (totals.wrong == most_wrong)
			break;
	}
	printf("%llu migrations: %llu done, %llu failed, %llu in doubt, "
	       "%llu crashes, %llu frames, %llu faults, %.0f per second, "
	       "%llu wrong\n",
	       (unsigned long long)count, (unsigned long long)totals.done,
	       (unsigned long long)totals.failed,
	       (unsigned long long)totals.doubt,
	       (unsigned long long)totals.crashed,
	       (unsigned long long)totals.frames,
	       (unsigned long long)totals.faults,
	       (double)count / (seconds() - began),
	       (unsigned long long)totals.wrong);
	return totals.wrong != 0;
}

static u64 number(const char *text)
{
	char *end;
	u64 value = strtoull(text, &end, 0);

	if (*text == 0 || *end != 0) {
		fprintf(stderr, "sim: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	int wrong;

	world_init(&world);
	if (argc == 4 && strcmp(argv[1], "--capture") == 0) {
		net_capture(&world.net, argv[2]);
		wrong = play(number(argv[3]));
		fclose(world.net.capture);
		return wrong;
	}
	if (argc == 3 && strcmp(argv[1], "--trace") == 0) {
		world.trace = true;
		return play(number(argv[2]));
	}
	if (argc == 3)
		return play_many(number(argv[1]), number(argv[2]), 5);
	if (argc == 4 && strcmp(argv[1], "--first-wrong") == 0)
		return play_many(number(argv[2]), number(argv[3]), 1);
	fprintf(stderr, "usage: sim FIRST COUNT | --trace SEED | "
			"--capture FILE SEED\n");
	return 2;
}
