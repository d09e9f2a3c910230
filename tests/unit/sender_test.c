/*
 * The page channel's two halves with a queue between them: what is sent twice
 * when the other end is slow, and when frames are lost.
 *
 *	links: migrate/sender.c migrate/sender_fill.c
 *	links: migrate/receiver.c migrate/link.c
 *	links: migrate/codec.c migrate/codec_delta.c migrate/codec_lz4.c
 *	links: migrate/wire.c migrate/hash.c migrate/crypto.c
 *	links: migrate/chacha.c migrate/chacha_wide.c migrate/poly1305.c
 *	libs: -lbearssl -llz4
 */
#include <stdlib.h>
#include <string.h>

#include "migrate/receiver.h"
#include "migrate/sender.h"
#include "tests/unit/test.h"

#define PAGES  600u
#define CREDIT 248 /* of a NIC with 256 receive buffers */
#define QUEUE  1024
#define RESEND 20000

static const struct link_config config = {
	.security = WIRE_CLEAR,
	.timers = {.resend = RESEND, .keepalive = 100000, .dead = 3000000}};
static struct link a, b;
static struct sender sender;
static struct receiver receiver;
static u8 *memory_a, *memory_b;
static u8 ours[PAGES][MIG_PAGE], theirs[PAGES][MIG_PAGE];
static const u8 zero[MIG_PAGE];
static u64 now;

/* Frames on their way: numbers count up. */
static struct {
	u8 bytes[WIRE_FRAME_MAX];
	size_t size;
} queue[QUEUE];
static unsigned queued, taken, credit;

static const u8 *source_page(void *context, u64 page)
{
	return ours[page];
}

static u8 *target_page(void *context, u64 page)
{
	return theirs[page];
}

static void begin(u32 frame_size, unsigned may_fly)
{
	for (unsigned i = 0; i < sizeof(ours) / 8; i++)
		((u64 *)ours)[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
	memset(theirs, 0, sizeof(theirs));
	now = 1;
	credit = may_fly;
	queued = taken = 0;
	link_init(&a, &config);
	link_init(&b, &config);
	a.frame_size = b.frame_size = frame_size;
	link_begin(&a, now);
	link_begin(&b, now);
	memory_a = calloc(1, sender_memory(PAGES, 0));
	memory_b = calloc(1, receiver_memory(PAGES));
	sender_init(&sender, PAGES, 0, 0, memory_a);
	sender.page = source_page;
	sender.zero_page = zero;
	receiver_init(&receiver, PAGES, memory_b);
	receiver.page = target_page;
	memset(sender.todo, 0xff, PAGES / 8);
	sender_count(&sender);
	sender_session(&sender, now);
}

static void end(void)
{
	free(memory_a);
	free(memory_b);
}

/* All that may go now goes. */
static void send(void)
{
	size_t size;

	while ((size = sender_output(&sender, &a, now, credit,
				     queue[queued % QUEUE].bytes)) != 0) {
		queue[queued++ % QUEUE].size = size;
		CHECK(queued - taken < QUEUE);
	}
}

static void take(bool lost)
{
	struct link_input input;
	unsigned i = taken++ % QUEUE;

	if (lost)
		return;
	CHECK(link_input(&b, now, queue[i].bytes, queue[i].size, &input));
	if (receiver_accept(&receiver, input.number))
		CHECK(receiver_apply(&receiver, input.body, input.length,
				     &input.hashes));
}

static void acknowledge(void)
{
	struct control head = {.highest = receiver.highest};

	memcpy(head.bitmap, receiver.bitmap, sizeof(head.bitmap));
	sender_resolve(&sender, now, &head);
}

static void check_arrived(void)
{
	CHECK(sender_resolved_all(&sender));
	CHECK(!memcmp(ours, theirs, sizeof(ours)));
	CHECK_EQ(receiver_hash(&receiver, 0, PAGES), sender.sum);
}

/* Nothing is lost, and yet no word comes for so many of its timers. */
static void move_slowly(unsigned timers)
{
	begin(WIRE_FRAME_MIN, CREDIT);
	do {
		send();
		for (unsigned i = 0; i < timers; i++) {
			now += RESEND;
			send();
		}
		while (taken != queued)
			take(false);
		acknowledge();
	} while (!sender_resolved_all(&sender));
	check_arrived();
}

TEST(a_target_in_time_gets_each_frame_once)
{
	move_slowly(0);
	CHECK_EQ(sender.counts.probes, 0);
	CHECK_EQ(sender.counts.frames_lost, 0);
	CHECK_EQ(receiver.applied, PAGES); /* though in parts */
	end();
}

TEST(a_slow_target_gets_each_frame_once)
{
	for (unsigned timers = 1; timers < 60; timers += 3) {
		move_slowly(timers);
		CHECK(sender.counts.probes >= timers);
		CHECK_EQ(sender.counts.frames_lost, 0);
		CHECK_EQ(sender.counts.parts_again, 0);
		end();
	}
}

/* A cable that holds less than the window; what does not fit is lost. */
TEST(what_a_short_cable_lost_is_sent_again)
{
	begin(WIRE_FRAME_MIN, CREDIT);
	do {
		unsigned first;

		send();
		first = taken;
		while (taken != queued)
			take(taken - first >= 92);
		acknowledge();
		now += RESEND;
	} while (!sender_resolved_all(&sender));
	check_arrived();
	CHECK(sender.counts.frames_lost > 0);
	end();
}

/* So that lost ones of these are not sent again as they were. */
static void write_pages(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		u64 page = hash_mix(now + i) % PAGES;

		ours[page][0]++;
		bits_set(sender.todo, page);
	}
	sender_count(&sender);
}

/* Next to pages that go for the first time, and to parts of them. */
TEST(whole_pages_that_are_sent_again_have_their_hashes)
{
	static const u32 sizes[] = {9014, WIRE_FRAME_MAX};

	for (unsigned i = 0; i < 2; i++) {
		begin(sizes[i], 5);
		do {
			send();
			while (taken != queued)
				take(hash_mix(taken) % 3 == 0);
			if (now < 50 * RESEND)
				write_pages(20);
			acknowledge();
			now += RESEND;
		} while (!sender_resolved_all(&sender));
		check_arrived();
		CHECK(sender.counts.parts_again > 0);
		CHECK_EQ(b.counts.dropped, 0);
		end();
	}
}

/* A probe is lost, and what went behind it: the next one voids that as well. */
TEST(a_probe_is_ahead_of_all_that_went_before)
{
	u64 last;

	begin(WIRE_FRAME_MIN, CREDIT);
	send();
	last = a.tx_number[WIRE_PAGES];
	CHECK_EQ(last, CREDIT);
	now += RESEND;
	send();
	CHECK_EQ(a.tx_number[WIRE_PAGES], last + WINDOW_REORDER);
	now += RESEND;
	send();
	CHECK_EQ(a.tx_number[WIRE_PAGES], last + WINDOW_REORDER + 1);
	for (unsigned i = 0; i < 16; i++)
		take(false);
	acknowledge();
	send(); /* 16 more, behind the probes */
	CHECK_EQ(a.tx_number[WIRE_PAGES], last + WINDOW_REORDER + 17);
	last = a.tx_number[WIRE_PAGES];
	while (taken != queued)
		take(true);
	now += RESEND;
	send();
	CHECK_EQ(a.tx_number[WIRE_PAGES], last + WINDOW_REORDER);
	take(false);
	acknowledge();
	CHECK_EQ(sender.unresolved, 0);
	CHECK_EQ(sender.counts.frames_lost, CREDIT);
	end();
}
