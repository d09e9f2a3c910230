#include "migrate/predict.h"

#include "migrate/error.h"
#include "migrate/wire.h"

#define SECOND 1000000u
/* The last page's and record's, PREPARE's and COMMIT's, docs/wire.md. */
#define HANDOVER_TRIPS 3

u64 predict_time(u64 bytes, u64 bandwidth)
{
	bandwidth = mig_max(bandwidth, 1);
	return bytes / bandwidth * SECOND +
	       bytes % bandwidth * SECOND / bandwidth;
}

/* State and pages share the link; the state also waits for its window. */
u64 predict_downtime(const struct predict_path *path, u64 bytes)
{
	u64 window = path->state_bytes / (RECORD_WINDOW * RECORD_DATA);
	u64 both = predict_time(bytes, path->bandwidth) +
		   predict_time(path->state_bytes, path->link);

	return mig_max(both, window * path->round_trip) +
	       HANDOVER_TRIPS * path->round_trip;
}

/* Pages written in so long: between two points, or on as it was at the last. */
static u64 dirtied(const struct predict_input *input, u64 duration)
{
	struct dirty_point from = {0, 0}, to = {1, 0};
	u64 pages;

	duration = mig_min(duration, UINT32_MAX); /* no product overflows */
	for (u32 i = 0; i < input->points; i++) {
		if (i != 0)
			from = to;
		to = input->dirty[i];
		if (duration <= to.after)
			break;
	}
	pages = (to.pages - from.pages) * (duration - from.after) /
		mig_max(to.after - from.after, 1);
	return mig_min(input->pages, from.pages + pages);
}

static u64 per_second(u64 amount, u64 duration)
{
	return amount * SECOND / mig_max(duration, 1);
}

/* Sends what remains while the guest writes on. */
static void play_round(const struct predict_input *input,
		       struct round_stats *round)
{
	u64 throttled;

	round->pages = round->remaining;
	round->bytes = round->round++ == 0 ? input->first_bytes
					   : round->pages * input->page_bytes;
	round->bandwidth = input->path.bandwidth;
	round->duration =
		mig_max(1, predict_time(round->bytes, round->bandwidth));
	throttled = round->duration * round->throttle / 100;
	round->remaining = dirtied(input, throttled);
	round->dirty_rate = per_second(round->remaining, round->duration);
	round->predicted = predict_downtime(
		&input->path, round->remaining * input->page_bytes);
	round->least = predict_downtime(&input->path, 0);
}

static void finish(const struct predict_input *input,
		   const struct round_stats *round,
		   struct prediction *prediction)
{
	u64 bytes = round->round == 0 ? input->first_bytes
				      : round->remaining * input->page_bytes;

	prediction->rounds = round->round;
	prediction->throttle = round->throttle;
	if (prediction->code != MIG_OK)
		return;
	prediction->downtime = predict_downtime(&input->path, bytes);
	prediction->bytes += bytes;
	prediction->total += prediction->downtime;
}

void predict(const struct predict_input *input, struct prediction *prediction)
{
	struct round_stats now = {.remaining = input->pages, .throttle = 100};
	struct round_stats last;
	struct policy_answer answer;

	*prediction = (struct prediction){
		.total = input->asking,
		.bandwidth = input->path.bandwidth,
		.round_trip = input->path.round_trip,
		.page_bytes = input->page_bytes,
		.dirty_rate = dirtied(input, SECOND),
	};
	for (;;) {
		answer = policy_decide(input->policy, &input->params,
				       now.round < 2 ? NULL : &last, &now);
		if (answer.action == POLICY_STOP)
			break;
		if (answer.action == POLICY_GIVE_UP) {
			prediction->code = MIG_POLICY;
			break;
		}
		last = now;
		if (answer.action == POLICY_THROTTLE)
			now.throttle = answer.percent;
		play_round(input, &now);
		prediction->bytes += now.bytes;
		prediction->total += now.duration;
	}
	finish(input, &now, prediction);
}
