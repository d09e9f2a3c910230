/* The page channel's sending half: what becomes of frames, and when to send. */
#include "migrate/sender_fill.h"

#define BURST_FRAMES 4
#define BURST_TIME   200

size_t sender_memory(u64 pages, u32 cache_lines)
{
	return (size_t)bits_words(pages) * 8 + MIG_PAGE +
	       codec_memory(cache_lines) + (size_t)pages * PAGE_HASH_BYTES + 8;
}

void sender_init(struct sender *sender, u64 pages, u32 features,
		 u32 cache_lines, u8 *memory)
{
	memset(sender, 0, sizeof(*sender));
	sender->pages = pages;
	sender->todo = (u64 *)(void *)memory;
	memset(sender->todo, 0, (size_t)bits_words(pages) * 8);
	memory += bits_words(pages) * 8;
	sender->open_content = memory;
	sender->zero_hash = hash_page(memset(memory, 0, MIG_PAGE));
	memory += MIG_PAGE;
	codec_init(&sender->codec, features, cache_lines, memory);
	sender->hashes = memory + codec_memory(cache_lines);
	sender->sum = hash_fill(sender->hashes, pages, sender->zero_hash);
}

void sender_count(struct sender *sender)
{
	sender->todo_left = 0;
	for (u64 i = 0; i < bits_words(sender->pages); i++)
		sender->todo_left += bits_count(sender->todo[i]);
}

bool sender_sent_all(const struct sender *sender)
{
	return sender->todo_left == 0 && sender->again_count == 0 &&
	       sender->open_offset == 0;
}

bool sender_resolved_all(const struct sender *sender)
{
	return sender_sent_all(sender) && sender->unresolved == 0;
}

static void want(struct sender *sender, u32 page)
{
	if (!is_todo(sender, page)) {
		bits_set(sender->todo, page);
		sender->todo_left++;
	}
}

/* --- what becomes of frames --- */

/* What was lost is wanted again: the raw bytes alone, or the pages. */
static void part_lost(struct sender *sender, const struct part *part)
{
	u32 slot;

	for (u32 i = 0; i < part_pages(part); i++)
		codec_forget(&sender->codec, part->page + i);
	if (part->codec != CODEC_RAW || sender->again_count == WINDOW_SPAN) {
		for (u32 i = 0; i < part_pages(part); i++)
			want(sender, part->page + i);
		return;
	}
	slot = (sender->again_first + sender->again_count++) % WINDOW_SPAN;
	sender->again[slot] = *part;
}

static void resolve(struct sender *sender, struct flight *flight, bool received)
{
	flight->resolved = true;
	sender->unresolved--;
	if (!received)
		sender->counts.frames_lost++;
	for (unsigned i = 0; i < flight->count; i++) {
		const struct part *part = &flight->part[i];

		for (u32 j = 0; j < part_pages(part); j++)
			--*flying(sender, part->page + j);
		if (!received)
			part_lost(sender, part);
	}
}

static void drop_resolved(struct sender *sender)
{
	while (sender->flight_count != 0 &&
	       sender->flight[sender->flight_first].resolved) {
		sender->flight_first = (sender->flight_first + 1) % WINDOW_SPAN;
		sender->flight_count--;
	}
}

void sender_resolve(struct sender *sender, u64 now,
		    const struct control *control)
{
	u32 before = sender->unresolved;

	for (u32 i = 0; i < sender->flight_count; i++) {
		struct flight *flight =
			&sender->flight[(sender->flight_first + i) %
					WINDOW_SPAN];
		u64 behind = control->highest - flight->number;

		if (flight->number > control->highest)
			break;
		if (flight->resolved)
			continue;
		if (behind < WINDOW_BITS && bits_test(control->bitmap, behind))
			resolve(sender, flight, true);
		else if (behind >= WINDOW_REORDER)
			resolve(sender, flight, false);
	}
	drop_resolved(sender);
	if (sender->unresolved != before)
		sender->progress_at = now;
}

void sender_session(struct sender *sender, u64 now)
{
	for (u32 i = 0; i < sender->flight_count; i++) {
		struct flight *flight =
			&sender->flight[(sender->flight_first + i) %
					WINDOW_SPAN];

		if (!flight->resolved)
			resolve(sender, flight, false);
	}
	drop_resolved(sender);
	sender->progress_at = now;
}

/* --- when to send --- */

static u64 burst(const struct sender *sender, const struct link *link)
{
	return mig_max((u64)BURST_FRAMES * link->frame_size,
		       sender->rate * BURST_TIME / 1000000);
}

/* Bytes per second become bytes that may be sent now. */
static void earn(struct sender *sender, const struct link *link, u64 now)
{
	u64 most = burst(sender, link), passed = now - sender->allowance_at;

	/* Longer than it takes to earn the most, and no overflow. */
	if (passed >= 1000000 || sender->rate == 0) {
		sender->allowance = most;
		sender->allowance_at = now;
		return;
	}
	/* What the division would lose is earned later. */
	if (sender->rate * passed < 1000000)
		return;
	sender->allowance = mig_min(
		most, sender->allowance + sender->rate * passed / 1000000);
	sender->allowance_at = now;
}

static bool window_open(const struct sender *sender, const struct link *link,
			unsigned credit)
{
	u64 next = link->tx_number[WIRE_PAGES] + 1;

	if (sender->flight_count == 0)
		return credit != 0;
	return sender->unresolved < credit &&
	       sender->flight_count < WINDOW_SPAN &&
	       next - sender->flight[sender->flight_first].number < WINDOW_SPAN;
}

static const struct flight *newest(const struct sender *sender)
{
	return &sender->flight[(sender->flight_first + sender->flight_count -
				1) %
			       WINDOW_SPAN];
}

static bool probe_due(const struct sender *sender, const struct link *link,
		      u64 now)
{
	return sender->unresolved != 0 &&
	       now - sender->progress_at >= link_resend(link);
}

/*
 * Its acknowledgement resolves all that is under way. The next one counts on by
 * one: were each as far ahead, those that a slow target finds behind what it
 * has received, and has yet to tell, would shift that out of its bitmap.
 */
static size_t probe(struct sender *sender, struct link *link, u64 now,
		    u8 *frame)
{
	u64 ahead = newest(sender)->number + WINDOW_REORDER - 1;
	u64 *last = &link->tx_number[WIRE_PAGES];

	sender->progress_at = now;
	sender->counts.probes++;
	*last = mig_max(*last, ahead);
	return link_seal(link, now, WIRE_PAGES, frame, 0);
}

static struct flight *next_flight(struct sender *sender)
{
	struct flight *flight =
		&sender->flight[(sender->flight_first + sender->flight_count) %
				WINDOW_SPAN];

	flight->count = 0;
	return flight;
}

static void fly(struct sender *sender, struct flight *flight,
		const struct link *link, u64 now)
{
	flight->number = link->tx_number[WIRE_PAGES];
	flight->sent_at = now;
	flight->resolved = false;
	if (sender->unresolved++ == 0)
		sender->progress_at = now;
	sender->flight_count++;
}

/* The last frame has gone out: an empty one is answered at once. */
static size_t ask_ack(struct sender *sender, struct link *link, u64 now,
		      u8 *frame)
{
	struct flight *flight;

	if (sender->asked || sender->unresolved == 0 ||
	    !window_open(sender, link, WINDOW_SPAN))
		return 0;
	flight = next_flight(sender);
	sender->asked = true;
	link_seal(link, now, WIRE_PAGES, frame, 0);
	fly(sender, flight, link, now);
	sender->counts.frames++;
	sender->counts.bytes += WIRE_FRAME_SHORT;
	return WIRE_FRAME_SHORT;
}

size_t sender_output(struct sender *sender, struct link *link, u64 now,
		     unsigned credit, u8 *frame)
{
	struct filling filling;
	struct flight *flight;
	size_t size;

	if (probe_due(sender, link, now))
		return probe(sender, link, now, frame);
	if (sender_sent_all(sender))
		return ask_ack(sender, link, now, frame);
	earn(sender, link, now);
	if (!window_open(sender, link, credit) ||
	    (sender->rate != 0 && sender->allowance < link->frame_size)) {
		codec_waits(&sender->codec, now);
		return 0;
	}
	flight = next_flight(sender);
	filling.body = frame + WIRE_BODY;
	filling.room = link->frame_size - WIRE_BODY - link->tag_size;
	filling.used = 0;
	filling.flight = flight;
	filling.hashes.count = 0;
	sender_fill(sender, &filling);
	if (flight->count == 0)
		return 0;
	size = link_seal_pages(link, now, frame, (u16)filling.used,
			       &filling.hashes);
	fly(sender, flight, link, now);
	codec_goes_on(&sender->codec);
	sender->asked = false;
	sender->allowance -= mig_min(sender->allowance, size);
	sender->counts.frames++;
	sender->counts.bytes += size;
	return size;
}

u64 sender_wake(const struct sender *sender, const struct link *link,
		unsigned credit, u64 now)
{
	u64 wake = UINT64_MAX;

	if (sender->unresolved != 0)
		wake = sender->progress_at + link_resend(link);
	if (sender_sent_all(sender) || !window_open(sender, link, credit))
		return wake;
	if (sender->rate == 0)
		return wake;
	return mig_min(
		wake, now + 1 + (u64)link->frame_size * 1000000 / sender->rate);
}
