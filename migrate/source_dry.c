/*
 * A dry run, after the target said READY: looks at a sample of the pages and
 * watches what the guest writes, for two seconds in all, sends a train of
 * fillers, and predicts from that what a migration would take. Nothing is sent
 * of what it sees.
 */
#include "migrate/source.h"

#define SAMPLES	   256
#define FIRST_LOOK 1000 /* microseconds; each next look waits twice as long */
#define ACK_FRAMES 16
#define ACK_DELAY  1000

/* What pages need in frames, headers and tags with them. */
static u64 framed(const struct source *source, u64 bytes)
{
	u64 head = WIRE_BODY + source->link.tag_size;
	u64 room = source->link.frame_size - head;

	return bytes + (bytes + room - 1) / room * head;
}

/* Pages evenly over the memory, encoded as they would be. */
static void sample(struct source *source, struct predict_input *input)
{
	struct sender *sender = &source->sender;
	u64 pages = source->config->pages, taken = 0, full = 0, sum = 0;
	u64 stride = (pages + SAMPLES - 1) / SAMPLES;
	struct page_record record;
	bool run = false;

	for (u64 page = 0; page < pages; page += stride, taken++) {
		/* As on a link that holds us. */
		sender->codec.spare = CODEC_SPARE_MAX;
		memcpy(sender->open_content,
		       sender->page(sender->context, page), MIG_PAGE);
		codec_encode(&sender->codec, (u32)page, sender->open_content,
			     source->link.frame_size - WIRE_BODY -
				     source->link.tag_size - PAGE_HEAD,
			     &record);
		if (record.codec == CODEC_ZERO) {
			sum += run ? 0 : PAGE_HEAD;
		} else {
			sum += PAGE_HEAD + record.size;
			full++;
		}
		run = record.codec == CODEC_ZERO;
	}
	input->first_bytes = framed(source, sum * pages / mig_max(taken, 1));
	input->page_bytes = framed(source, sum / mig_max(full, 1));
}

/* What the window allows: so many frames, then their acknowledgement. */
static u64 window(const struct source *source)
{
	u64 credit = mig_min(source->heard.credit, WINDOW_SPAN);
	u64 wait =
		source->link.round_trip + (credit < ACK_FRAMES ? ACK_DELAY : 0);

	return credit * source->link.frame_size * 1000000 / mig_max(wait, 1);
}

/*
 * The fillers left at once, so the time between their acknowledgements is what
 * one of them takes on the slowest part of the way.
 */
static u64 measured(const struct source *source)
{
	const struct source_dry *dry = &source->dry;
	u64 size =
		WIRE_BODY + CONTROL_HEAD + RECORD_SIZE + source->link.tag_size;
	u64 passed = dry->acked_at[1] - dry->acked_at[0];

	if (passed == 0)
		return UINT64_MAX;
	return (dry->acked[1] - dry->acked[0]) * size * 1000000 / passed;
}

static void find_path(const struct source *source, struct predict_path *path)
{
	u64 rate = source->config->rate;

	path->link = mig_min(window(source), measured(source));
	path->bandwidth = rate == 0 ? path->link : mig_min(path->link, rate);
	path->state_bytes = source->config->state_room;
}

static void conclude(struct source *source, u64 now)
{
	struct predict_input *input = &source->dry.input;

	input->policy = source->config->policy;
	input->params = source->config->params;
	input->pages = source->config->pages;
	find_path(source, &input->path);
	predict(input, &source->report.prediction);
	source_abort(source, now, MIG_DRY);
}

void source_dry_begin(struct source *source, u64 now)
{
	struct sender *sender = &source->sender;

	source->ops->harvest(source->context, sender->todo);
	memset(sender->todo, 0, (size_t)bits_words(sender->pages) * 8);
	memset(&source->dry, 0, sizeof(source->dry));
	source->dry.input.asking = now - source->began_at;
	source->dry.input.path.round_trip = source->link.round_trip;
	sample(source, &source->dry.input);
	source->dry.began_at = now;
	source->dry.next_at = now + FIRST_LOOK;
	source->dry.train = source->link.tx_last + 1;
	source->dry.resent = source->link.counts.records_resent;
}

/* There is room for one; in the end the whole window is fillers. */
void source_dry_say(struct source *source)
{
	static const u8 nothing[RECORD_DATA];

	if (source->dry.next_at == 0 || source->dry.said == RECORD_WINDOW)
		return;
	source->dry.said++;
	link_queue(&source->link, RECORD_FILLER, nothing, RECORD_DATA);
}

void source_dry_heard(struct source *source, u64 now)
{
	struct source_dry *dry = &source->dry;
	u32 acked = source->link.tx_acked - dry->train;

	if (dry->next_at == 0 || acked >= RECORD_WINDOW ||
	    source->link.counts.records_resent != dry->resent)
		return;
	if (dry->acked_at[0] == 0) {
		dry->acked[0] = acked;
		dry->acked_at[0] = now;
	}
	if (acked != dry->acked[1] || dry->acked_at[1] == 0) {
		dry->acked[1] = acked;
		dry->acked_at[1] = now;
	}
}

/* A new session asks again, and begins again. */
u64 source_dry_wake(const struct source *source)
{
	if (source->dry.next_at == 0 || source->state != SOURCE_ASKING ||
	    !source->link.up)
		return UINT64_MAX;
	return source->dry.next_at;
}

/* All that was written since the beginning, at doubling times. */
void source_dry_look(struct source *source, u64 now)
{
	struct predict_input *input = &source->dry.input;

	if (now < source_dry_wake(source))
		return;
	source->ops->harvest(source->context, source->sender.todo);
	sender_count(&source->sender);
	input->dirty[input->points++] = (struct dirty_point){
		now - source->dry.began_at, source->sender.todo_left};
	source->dry.next_at = now + (now - source->dry.began_at);
	if (input->points < DIRTY_POINTS)
		return;
	source->dry.next_at = 0;
	memset(source->sender.todo, 0,
	       (size_t)bits_words(source->sender.pages) * 8);
	sender_count(&source->sender);
	conclude(source, now);
}
