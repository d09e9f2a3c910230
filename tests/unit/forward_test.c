/*
 * The guest's frames on the link: in pieces, in any order, once.
 *
 * links: migrate/forward.c migrate/link.c migrate/wire.c migrate/crypto.c
 * links: migrate/chacha.c migrate/chacha_wide.c migrate/poly1305.c
 * links: migrate/hash.c
 * libs: -lbearssl
 */
#include <string.h>

#include "migrate/forward.h"
#include "tests/unit/test.h"

#define ROOM   (WIRE_FRAME_MIN - WIRE_BODY - GUEST_HEAD - WIRE_TAG_MAX)
#define FRAMES 100

static const struct link_config config = {.security = WIRE_AUTHENTICATE};
static struct link source, target;
static struct forward forward;
static u8 memory[FORWARD_PARTS * FORWARD_FRAME_MAX];

/* What is on the wire. */
static u8 wire[FRAMES][WIRE_FRAME_MIN];
static size_t wire_size[FRAMES];
static unsigned wires;

static u8 frame[FORWARD_FRAME_MAX + 1];
static const u8 *got;
static u32 got_size;

static void begin(void)
{
	link_init(&source, &config);
	link_init(&target, &config);
	source.frame_size = target.frame_size = WIRE_FRAME_MIN;
	link_begin(&source, 1);
	link_begin(&target, 1);
	forward_init(&forward, FORWARD_FRAME_MAX, memory);
}

static void fill(u8 seed)
{
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (u8)(seed + i * 7 + i / 251);
}

static void send(u8 seed, u32 size)
{
	u32 done = 0;
	size_t n;

	fill(seed);
	while ((n = forward_output(&source, 1, frame, size, &done,
				   wire[wires])) != 0) {
		CHECK(n <= WIRE_FRAME_MIN);
		wire_size[wires++] = n;
	}
	CHECK_EQ(done, size);
}

/* Whether the link takes it; got: what it completes. */
static bool arrive(unsigned i)
{
	struct link_input input;

	got = NULL;
	if (!link_input(&target, 1, wire[i], wire_size[i], &input))
		return false;
	CHECK_EQ(input.kind, WIRE_GUEST);
	got = forward_input(&forward, target.frame_size, input.body,
			    input.length, &got_size);
	return true;
}

static void check_got(u8 seed, u32 size)
{
	fill(seed);
	CHECK(got != NULL);
	CHECK_EQ(got_size, size);
	CHECK(!memcmp(got, frame, size));
}

TEST(sizes_around_a_piece)
{
	static const u32 sizes[] = {
		1,    14,	60,	      ROOM - 1, ROOM, ROOM + 1,
		1514, 2 * ROOM, 2 * ROOM + 1, 9014,	65535};
	unsigned next = 0;

	begin();
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		wires = next = 0;
		send((u8)i, sizes[i]);
		CHECK_EQ(wires, (sizes[i] + ROOM - 1) / ROOM);
		while (next < wires - 1) {
			CHECK(arrive(next++));
			CHECK(got == NULL);
		}
		CHECK(arrive(next));
		check_got((u8)i, sizes[i]);
	}
	CHECK_EQ(forward.malformed + forward.incomplete, 0);
}

TEST(pieces_in_any_order)
{
	begin();
	send(1, 3 * ROOM - 5);
	send(2, 2 * ROOM);
	CHECK_EQ(wires, 5);
	CHECK(arrive(4) && !got);
	CHECK(arrive(2) && !got);
	CHECK(arrive(0) && !got);
	CHECK(arrive(3));
	check_got(2, 2 * ROOM);
	CHECK(arrive(1));
	check_got(1, 3 * ROOM - 5);
}

TEST(a_replayed_frame_is_dropped)
{
	begin();
	send(1, 100);
	send(2, 100);
	CHECK(arrive(1));
	CHECK(!arrive(1));
	CHECK(arrive(0));
	check_got(1, 100);
	CHECK(!arrive(0));
	CHECK_EQ(target.counts.dropped, 2);
	/* And one that is too late to know. */
	wires = 1;
	for (unsigned i = 0; i < 66; i++)
		send(3, 100);
	CHECK(arrive(66));
	CHECK(!arrive(1));
	CHECK(arrive(3));
}

TEST(a_forged_frame_is_dropped)
{
	begin();
	send(1, 100);
	wire[0][40] ^= 1;
	CHECK(!arrive(0));
	wire[0][40] ^= 1;
	CHECK(arrive(0));
}

TEST(what_is_lost_is_forgotten)
{
	begin();
	for (u8 i = 0; i < FORWARD_PARTS + 1; i++)
		send(i, 2 * ROOM);
	for (unsigned i = 0; i < FORWARD_PARTS + 1; i++)
		CHECK(arrive(2 * i) && !got);
	CHECK_EQ(forward.incomplete, 1);
	for (unsigned i = FORWARD_PARTS; i > 0; i--) {
		CHECK(arrive(2 * i + 1));
		check_got((u8)i, 2 * ROOM);
	}
	/* The first one gave way. */
	CHECK(arrive(1) && !got);
	/* A new session's frames have the same numbers. */
	forward_session(&forward);
	link_begin(&source, 1);
	link_begin(&target, 1);
	wires = 0;
	send(9, 2 * ROOM);
	CHECK(arrive(1) && !got);
	CHECK(arrive(0));
	check_got(9, 2 * ROOM);
}

static void put(u32 id, u16 offset, u16 total, size_t size)
{
	u8 body[WIRE_FRAME_MIN] = {0};

	put_u32(body, id);
	put_u16(body + 4, offset);
	put_u16(body + 6, total);
	got = forward_input(&forward, WIRE_FRAME_MIN, body, size, &got_size);
	CHECK(got == NULL);
}

TEST(a_broken_peer_does_no_harm)
{
	begin();
	put(1, 0, 100, 7);
	put(1, 0, 0, GUEST_HEAD);
	put(1, 0, 100, GUEST_HEAD + 99);
	put(1, 0, 100, GUEST_HEAD + 101);
	put(1, 1, 3000, GUEST_HEAD + ROOM);
	put(1, ROOM, 2 * ROOM, GUEST_HEAD + ROOM - 1);
	put(1, 2 * ROOM, 2 * ROOM, GUEST_HEAD);
	put(1, 65535, 65535, GUEST_HEAD);
	/* The same piece twice is not two; another size is another frame. */
	put(2, 0, 2 * ROOM, GUEST_HEAD + ROOM);
	put(2, 0, 2 * ROOM, GUEST_HEAD + ROOM);
	put(2, ROOM, 2 * ROOM - 1, GUEST_HEAD + ROOM - 1);
	CHECK_EQ(forward.malformed, 8);
	forward_init(&forward, 1000, memory);
	put(3, 0, 1001, GUEST_HEAD + 1001);
	forward_init(&forward, 0, memory);
	put(3, 0, 10, GUEST_HEAD + 10);
}

TEST(nothing_goes_without_a_link)
{
	u32 done = 0;

	begin();
	CHECK_EQ(forward_output(&source, 1, frame, FORWARD_FRAME_MAX + 1, &done,
				wire[0]),
		 0);
	link_end(&source);
	CHECK_EQ(forward_output(&source, 1, frame, 100, &done, wire[0]), 0);
	CHECK_EQ(done, 0);
}
