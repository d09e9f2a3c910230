/*
 * The link's clocks: what it makes of the time that answers take.
 *
 * links: migrate/link.c migrate/wire.c migrate/crypto.c
 * links: migrate/chacha.c migrate/chacha_wide.c migrate/poly1305.c
 * links: migrate/hash.c
 * libs: -lbearssl
 */
#include <string.h>

#include "migrate/link.h"
#include "tests/unit/test.h"

static const struct link_config config = {
	.security = WIRE_AUTHENTICATE,
	.timers = {.resend = 20000, .keepalive = 100000, .dead = 3000000}};
static struct link a, b;
static u64 now;

static void begin(void)
{
	now = 1;
	link_init(&a, &config);
	link_init(&b, &config);
	a.frame_size = b.frame_size = WIRE_FRAME_MIN;
	link_begin(&a, now);
	link_begin(&b, now);
}

static void carry(struct link *from, struct link *to)
{
	static u8 frame[WIRE_FRAME_MIN];
	struct link_input input;
	struct control head = {0};
	size_t size = link_output(from, now, &head, frame);

	CHECK(size != 0);
	CHECK(link_input(to, now, frame, size, &input));
}

/* A record goes, and its acknowledgement comes after `took`. */
static void answered_after(u64 took)
{
	enum record_verdict verdict;
	struct record record;

	link_queue(&a, RECORD_FILLER, "", 1);
	carry(&a, &b);
	CHECK(link_record(&b, &record, &verdict));
	now += took;
	carry(&b, &a);
	CHECK(link_quiet(&a));
	now += 1000;
}

TEST(the_first_answer_is_believed)
{
	begin();
	CHECK_EQ(a.round_trip, 0);
	answered_after(800);
	CHECK_EQ(a.round_trip, 800);
}

TEST(a_shorter_round_trip_counts_at_once)
{
	begin();
	answered_after(8000);
	answered_after(800);
	CHECK_EQ(a.round_trip, 800);
	/* A longer one bit by bit: the peer may have been busy. */
	answered_after(8000);
	CHECK_EQ(a.round_trip, (7 * 800 + 8000) / 8);
	answered_after(100);
	CHECK_EQ(a.round_trip, 100);
}

TEST(patience_takes_the_longer_at_once)
{
	u64 patience;

	begin();
	answered_after(800);
	CHECK_EQ(a.patience, 800);
	answered_after(16000);
	CHECK_EQ(a.patience, 16000);
	/* And forgets it slowly. */
	answered_after(800);
	CHECK_EQ(a.patience, (7 * 16000 + 800) / 8);
	patience = a.patience;
	answered_after(patience + 1);
	CHECK_EQ(a.patience, patience + 1);
}

/* Between the least and a keepalive, whatever the peer does. */
TEST(it_resends_when_patience_ends)
{
	begin();
	CHECK_EQ(link_resend(&a), 20000);
	answered_after(100);
	CHECK_EQ(link_resend(&a), 20000);
	answered_after(10000);
	CHECK_EQ(link_resend(&a), 30000);
	answered_after(90000);
	CHECK_EQ(link_resend(&a), 100000);
}

/* Of a record that was sent twice nobody knows which one was answered. */
TEST(what_was_sent_again_tells_no_time)
{
	struct control head = {0};
	static u8 frame[WIRE_FRAME_MIN];

	begin();
	answered_after(800);
	link_queue(&a, RECORD_FILLER, "", 1);
	CHECK(link_output(&a, now, &head, frame) != 0); /* is lost */
	now += link_resend(&a);
	carry(&a, &b);
	CHECK_EQ(a.counts.records_resent, 1);
	CHECK_EQ(a.round_trip, 800);
	CHECK_EQ(a.patience, 800);
}
