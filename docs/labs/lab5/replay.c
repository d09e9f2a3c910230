/*
 * checks [--rounds] TRACE...: plays the migration of recorded guests by the
 * policy of lab 5 and by the classic one. A line of JSON for each; --rounds:
 * also one for each round, as the policy saw it. `checks --fuzz`: the policy
 * against figures that nobody ever measured.
 *
 * The same steps as migrate/predict.c, but what the guest writes is known page
 * by page: what is to be sent next is what was written during the round, once
 * each. A guest that is throttled goes through its trace more slowly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/predict.h"

extern const struct policy policy_lab;

/* --- traces */

struct step {
	u64 us;
	u32 count, *pages;
};

struct trace {
	char name[32];
	u64 pages, us; /* of all steps */
	u32 steps;
	struct step step[1024];
};

static _Noreturn void die(const char *what, const char *name)
{
	fprintf(stderr, "replay: %s: %s\n", name, what);
	exit(2);
}

static void add_run(struct step *step, u64 first, u64 more, u64 pages,
		    const char *name)
{
	if (first + more >= pages)
		die("a page beyond the end", name);
	step->pages =
		realloc(step->pages, (step->count + more + 1) * sizeof(u32));
	if (step->pages == NULL)
		die("no memory", name);
	for (u64 i = 0; i <= more; i++)
		step->pages[step->count++] = (u32)(first + i);
}

/* record.py tells what a line is made of. */
static void read_step(struct trace *trace, char *line)
{
	struct step *step = &trace->step[trace->steps++];
	u64 at = 0;

	step->us = strtoull(line, &line, 10);
	trace->us += step->us;
	while (*line == ' ') {
		u64 first = at + strtoull(line, &line, 10);
		u64 more = *line == '+' ? strtoull(line + 1, &line, 10) : 0;

		add_run(step, first, more, trace->pages, trace->name);
		at = first + more + 1;
	}
}

static void read_trace(struct trace *trace, const char *path)
{
	const char *name = strrchr(path, '/');
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	*trace = (struct trace){0};
	snprintf(trace->name, sizeof(trace->name), "%s",
		 name != NULL ? name + 1 : path);
	trace->name[strcspn(trace->name, ".")] = 0;
	if (file == NULL || getline(&line, &size, file) < 0 ||
	    sscanf(line, "pages %llu", (unsigned long long *)&trace->pages) !=
		    1)
		die("no trace", path);
	while (trace->steps < 1024 && getline(&line, &size, file) > 0)
		read_step(trace, line);
	if (trace->us == 0)
		die("no steps", path);
	free(line);
	fclose(file);
}

static void free_trace(struct trace *trace)
{
	for (u32 i = 0; i < trace->steps; i++)
		free(trace->step[i].pages);
}

/* --- the guest, as it was */

struct guest {
	const struct trace *trace;
	u64 now; /* of its own time, microseconds; beyond the end it begins anew
		  */
	u8 *seen;
};

/* When in its step a page was written: nobody knows, so all along it. */
static u64 moment(u32 page, u64 us)
{
	return (page * 2654435761u >> 16) * us >> 16;
}

static u64 written(struct guest *guest, u64 duration)
{
	u64 from = guest->now, to = from + duration, count = 0;
	u64 begin = from / guest->trace->us * guest->trace->us;

	memset(guest->seen, 0, guest->trace->pages);
	for (u32 i = 0; begin < to; i = (i + 1) % guest->trace->steps) {
		const struct step *step = &guest->trace->step[i];

		for (u32 j = 0; begin + step->us > from && j < step->count;
		     j++) {
			u32 page = step->pages[j];
			u64 when = begin + moment(page, step->us);

			if (when < from || when >= to || guest->seen[page])
				continue;
			guest->seen[page] = 1;
			count++;
		}
		begin += step->us;
	}
	guest->now = to;
	return count;
}

/* --- a migration of it */

struct network {
	const char *name;
	struct predict_path path;
};

/* The guests are small and slow, as emulated ones are: so are the links. */
static const struct network networks[] = {
	{"fast", {25000000, 25000000, 500, 65536}},
	{"slow", {6000000, 6000000, 2000, 65536}},
};

static const struct policy_params params = {
	.rounds = 30, .threshold = 64, .downtime = 100000, .hardest = 20};

#define PAGE_BYTES 4160u /* and what stands around it */

struct result {
	u64 first; /* round's duration, which no policy can do without */
	u64 total, downtime, stolen, bytes;
	u32 rounds;
	bool gave_up;
};

static u64 per_second(u64 amount, u64 duration)
{
	return amount * 1000000 / duration;
}

static void say_round(const struct round_stats *r)
{
	printf("  {\"round\": %u, \"pages\": %llu, \"ms\": %llu, "
	       "\"throttle\": %u, \"remaining\": %llu, \"dirty_rate\": %llu, "
	       "\"predicted\": %llu}\n",
	       r->round, (unsigned long long)r->pages,
	       (unsigned long long)r->duration / 1000, r->throttle,
	       (unsigned long long)r->remaining,
	       (unsigned long long)r->dirty_rate,
	       (unsigned long long)r->predicted);
}

static void play_round(struct guest *guest, const struct predict_path *path,
		       struct round_stats *r, struct result *result)
{
	r->round++;
	r->pages = r->remaining;
	r->bytes = r->pages * PAGE_BYTES;
	r->bandwidth = path->bandwidth;
	r->duration = mig_max(1, predict_time(r->bytes, path->bandwidth));
	r->remaining = written(guest, r->duration * r->throttle / 100);
	r->dirty_rate = per_second(r->remaining, r->duration);
	r->predicted = predict_downtime(path, r->remaining * PAGE_BYTES);
	r->least = predict_downtime(path, 0);
	if (result->rounds++ == 0)
		result->first = r->duration;
	result->total += r->duration;
	result->stolen += r->duration * (100 - r->throttle) / 100;
	result->bytes += r->bytes;
}

static struct result play(const struct trace *trace,
			  const struct predict_path *path,
			  const struct policy *policy, bool say)
{
	struct round_stats now = {.remaining = trace->pages, .throttle = 100};
	struct round_stats last;
	struct guest guest = {trace, 0, malloc(trace->pages)};
	struct result result = {0};

	if (guest.seen == NULL)
		die("no memory", trace->name);
	for (;;) {
		struct policy_answer answer = policy_decide(
			policy, &params, now.round < 2 ? NULL : &last, &now);

		result.gave_up = answer.action == POLICY_GIVE_UP;
		if (result.gave_up || answer.action == POLICY_STOP)
			break;
		last = now;
		if (answer.action == POLICY_THROTTLE)
			now.throttle = mig_max(mig_min(answer.percent, 100), 1);
		play_round(&guest, path, &now, &result);
		if (say)
			say_round(&now);
	}
	free(guest.seen);
	if (result.gave_up)
		return result;
	result.downtime = predict_downtime(path, now.remaining * PAGE_BYTES);
	result.bytes += now.remaining * PAGE_BYTES;
	result.total += result.downtime;
	return result;
}

static void compare(const struct trace *trace, const struct network *network,
		    bool say)
{
	const struct policy *const policies[] = {&policy_classic, &policy_lab};

	for (unsigned i = 0; i < 2; i++) {
		struct result r = play(trace, &network->path, policies[i], say);

		printf("{\"trace\": \"%s\", \"network\": \"%s\", "
		       "\"policy\": \"%s\", \"rounds\": %u, "
		       "\"first\": %llu, \"total\": %llu, "
		       "\"downtime\": %llu, \"stolen\": %llu, "
		       "\"bytes\": %llu, \"gave_up\": %s}\n",
		       trace->name, network->name, i == 0 ? "classic" : "lab",
		       r.rounds, (unsigned long long)r.first,
		       (unsigned long long)r.total,
		       (unsigned long long)r.downtime,
		       (unsigned long long)r.stolen,
		       (unsigned long long)r.bytes,
		       r.gave_up ? "true" : "false");
	}
}

/* --- figures that nobody measured */

static u64 any(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	/* Of every size, and often nothing. */
	return x % 8 == 0 ? 0 : x >> (x >> 3) % 64;
}

static void any_round(struct round_stats *r, u32 round)
{
	*r = (struct round_stats){
		.round = round,
		.pages = any(),
		.bytes = any(),
		.duration = any(),
		.zero_pages = any(),
		.resent = any(),
		.remaining = any(),
		.dirty_rate = any(),
		.bandwidth = any(),
		.predicted = any(),
		.least = any(),
		.throttle = 1 + (unsigned)(any() % 100),
	};
}

static bool same(struct policy_answer a, struct policy_answer b)
{
	return a.action == b.action &&
	       (a.action != POLICY_THROTTLE || a.percent == b.percent);
}

/* Whatever it was told: an answer, twice the same, and an end. */
static int fuzz(void)
{
	for (unsigned i = 0; i < 300000; i++) {
		struct policy_params p = {(u32)any() % 65, any(), any(),
					  1 + (unsigned)(any() % 100)};
		struct round_stats last, now;
		struct policy_answer a, b;
		u32 round = (u32)(any() % POLICY_ROUNDS);

		any_round(&last, round - 1);
		any_round(&now, round);
		a = policy_lab.decide(&p, round < 2 ? NULL : &last, &now);
		b = policy_lab.decide(&p, round < 2 ? NULL : &last, &now);
		if (!same(a, b) || (unsigned)a.action > POLICY_GIVE_UP) {
			printf("round %u: two answers to one question\n",
			       round);
			return 1;
		}
		if (a.action == POLICY_THROTTLE &&
		    (a.percent < p.hardest || a.percent > 100)) {
			printf("round %u: throttled to %u%%, less than the "
			       "%u%% that are allowed\n",
			       round, a.percent, p.hardest);
			return 1;
		}
		if (round >= p.rounds && round != 0 &&
		    (a.action == POLICY_ROUND || a.action == POLICY_THROTTLE)) {
			printf("round %u of %u: it goes on\n", round, p.rounds);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct trace trace;
	bool say = false;

	if (argc > 1 && !strcmp(argv[1], "--fuzz"))
		return fuzz();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--rounds")) {
			say = true;
			continue;
		}
		read_trace(&trace, argv[i]);
		for (unsigned n = 0; n < 2; n++)
			compare(&trace, &networks[n], say);
		free_trace(&trace);
	}
	return 0;
}
