/*
 * A dry run, after the target said READY: looks at a sample of the pages and
 * watches what the guest writes, for a second in all, and predicts from that
 * what a migration would take. Nothing is sent of what it sees.
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
	u64 wait = source->link.round_trip +
		   (credit < ACK_FRAMES ? ACK_DELAY : 0);

	return credit * source->link.frame_size * 1000000 / mig_max(wait, 1);
}

static u64 bandwidth(const struct source *source)
{
	u64 rate = source->config->rate;

	return rate == 0 ? window(source) : mig_min(window(source), rate);
}

static void conclude(struct source *source, u64 now)
{
	struct predict_input *input = &source->dry.input;

	input->policy = source->config->policy;
	input->params = source->config->params;
	input->pages = source->config->pages;
	input->path = (struct predict_path){
		.bandwidth = bandwidth(source),
		.link = window(source),
		.round_trip = source->link.round_trip,
		.state_bytes = source->config->state_room,
	};
	predict(input, &source->report.prediction);
	source_abort(source, now, MIG_DRY);
}

void source_dry_begin(struct source *source, u64 now)
{
	struct sender *sender = &source->sender;

	source->ops->harvest(source->context, sender->todo);
	memset(sender->todo, 0, (size_t)bits_words(sender->pages) * 8);
	source->dry.input.asking = now - source->began_at;
	source->dry.input.points = 0;
	sample(source, &source->dry.input);
	source->dry.began_at = now;
	source->dry.next_at = now + FIRST_LOOK;
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
