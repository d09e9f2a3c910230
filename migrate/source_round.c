/* The source's rounds: what they cost, and what the policy makes of it. */
#include "migrate/source.h"

#define EMPTY_ROUND	   1000 /* microseconds */
#define LATENCY_FRAMES	   4	/* in a round trip, at least */
#define SIGNIFICANT_FRAMES 16	/* that make a round tell the bandwidth */

static void round_start(struct source *source, u64 now)
{
	const struct sender_counts *counts = &source->sender.counts;
	u8 data[RECORD_ROUND_SIZE];

	source->round_at = now;
	source->round_until =
		now + (source->sender.todo_left == 0 ? EMPTY_ROUND : 0);
	source->round_pages = counts->pages;
	source->round_bytes = counts->bytes;
	source->round_again = counts->parts_again;
	source->round_zero = source->sender.codec.count[CODEC_ZERO].pages;
	source->round.round++;
	put_u32(data, source->round.round);
	put_u32(data + 4, source->stopped);
	put_u64(data + 8, source->sender.todo_left);
	if (link_room(&source->link))
		link_queue(&source->link, RECORD_ROUND, data, sizeof(data));
}

static void harvest(struct source *source)
{
	source->ops->harvest(source->context, source->sender.todo);
	sender_count(&source->sender);
}

static u64 per_second(u64 amount, u64 duration)
{
	return amount * 1000000 / mig_max(duration, 1);
}

/*
 * What the last pages will get. A round of few pages says more about latency
 * than about the link, so it counts only where it was fast; and until a larger
 * one has told, a frame each quarter of a round trip is the least of what a
 * link that answers can do.
 */
static u64 expected_bandwidth(struct source *source)
{
	const struct round_stats *round = &source->round;
	const struct link *link = &source->link;
	bool tells = round->bytes >= SIGNIFICANT_FRAMES * (u64)link->frame_size;
	u64 rate = source->config->rate, expected;

	if (tells || round->bandwidth > source->bandwidth)
		source->bandwidth = round->bandwidth;
	source->bandwidth_told |= tells;
	expected = source->bandwidth;
	if (!source->bandwidth_told)
		expected =
			mig_max(expected, per_second((u64)LATENCY_FRAMES *
							     link->frame_size,
						     link->round_trip));
	return rate == 0 ? expected : mig_min(expected, rate);
}

/* Fills source->round with what the round that ends now was. */
static void measure(struct source *source, u64 now, u64 dirtied)
{
	const struct sender_counts *counts = &source->sender.counts;
	struct round_stats *round = &source->round;
	struct predict_path path = {
		.round_trip = source->link.round_trip,
		.state_bytes = source->config->state_room,
	};
	u64 page_cost;

	round->duration = now - source->round_at;
	round->pages = counts->pages - source->round_pages;
	round->bytes = counts->bytes - source->round_bytes;
	round->resent = counts->parts_again - source->round_again;
	round->zero_pages = source->sender.codec.count[CODEC_ZERO].pages -
			    source->round_zero;
	round->remaining = source->sender.todo_left;
	round->dirty_rate = per_second(dirtied, round->duration);
	round->bandwidth = per_second(round->bytes, round->duration);
	page_cost = round->bytes / mig_max(round->pages, 1);
	path.bandwidth = path.link = expected_bandwidth(source);
	round->predicted =
		predict_downtime(&path, round->remaining * page_cost);
	round->least = predict_downtime(&path, 0);
}

static void record_round(struct source *source)
{
	struct report *report = &source->report;

	if (report->rounds < REPORT_ROUNDS)
		report->round[report->rounds++] = source->round;
}

void source_stop(struct source *source, u64 now)
{
	source->stopped_at = source->ops->stop(source->context);
	source->stopped = true;
	source->state = SOURCE_STOPPED;
	source->attempt++;
	harvest(source);
	source->saved_size = (u32)source->ops->save(
		source->context, source->saved, source->config->state_room);
	source->saved_sent = 0;
	source->state_hash = hash_check(1, source->saved, source->saved_size);
	round_start(source, now);
}

static void obey(struct source *source, u64 now, struct policy_answer answer)
{
	switch (answer.action) {
	case POLICY_STOP:
		source_stop(source, now);
		return;
	case POLICY_GIVE_UP:
		source_cancel(source, now);
		source->code = MIG_POLICY;
		return;
	case POLICY_THROTTLE:
		source->round.throttle = answer.percent;
		source->ops->throttle(source->context, answer.percent);
		/* fall through */
	case POLICY_ROUND:
		round_start(source, now);
		return;
	}
}

/* Every page is to be sent once; what was written before does not matter. */
void source_round_first(struct source *source, u64 now)
{
	const struct source_config *config = source->config;
	u64 *todo = source->sender.todo;

	source->ops->harvest(source->context, todo);
	memset(todo, 0xff, (size_t)bits_words(config->pages) * 8);
	if (config->pages % 64 != 0)
		todo[config->pages / 64] = ((u64)1 << config->pages % 64) - 1;
	sender_count(&source->sender);
	source->round.throttle = 100;
	source->round.remaining = config->pages;
	obey(source, now,
	     policy_decide(config->policy, &config->params, NULL,
			   &source->round));
}

void source_round_next(struct source *source, u64 now)
{
	const struct round_stats *last = NULL;

	if (source->report.rounds != 0)
		last = &source->report.round[source->report.rounds - 1];
	harvest(source);
	measure(source, now, source->sender.todo_left);
	record_round(source);
	obey(source, now,
	     policy_decide(source->config->policy, &source->config->params,
			   last, &source->round));
}

void source_finish_report(struct source *source, u64 now)
{
	const struct sender *sender = &source->sender;
	struct report *report = &source->report;

	if (source->stopped) {
		measure(source, now, 0);
		record_round(source);
		report->downtime = source_stood(source, now);
	}
	report->policy = source->config->policy->name;
	report->total = now - source->began_at;
	report->pages = sender->counts.pages;
	report->bytes = sender->counts.bytes;
	report->frames = sender->counts.frames;
	report->frames_lost = sender->counts.frames_lost;
	report->parts_again = sender->counts.parts_again;
	report->probes = sender->counts.probes;
	report->records_resent = source->link.counts.records_resent;
	report->control_bytes =
		source->link.counts.tx_bytes - sender->counts.bytes;
	report->dropped = source->link.counts.dropped;
	report->state_bytes = source->saved_size;
	report->attempts = source->attempt;
	memcpy(report->codec, sender->codec.count, sizeof(report->codec));
	report->memory_hash = source->memory_hash;
	report->state_hash = source->state_hash;
	report->certificate = source->certificate;
	report->code = source->code;
}
