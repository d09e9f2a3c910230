/*
 * Frames for a guest on the move, with the real switch and ports that only
 * count: what is held comes in order, to the guest or to where it went.
 *
 * links: kernel/net/away.c kernel/net/switch.c
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/time.h"
#include "mm/heap.h"
#include "net/away.h"
#include "net/switch.h"
#include "test.h"
#include "vm/vm.h"

static u64 clock_ns = NS_PER_S;

u64 now_ns(void)
{
	return clock_ns;
}

void *kmalloc(size_t size)
{
	return malloc(size);
}

void *kzalloc(size_t size)
{
	return calloc(1, size);
}

void kfree(void *ptr)
{
	free(ptr);
}

/* --- ports, and the guest's is one of them */

enum { GUEST, OTHER, UPLINK, BOXES };
enum { GUEST_ADDRESS = 7, OTHER_ADDRESS, OUTSIDE_ADDRESS };

struct box {
	struct net_port port; /* first */
	unsigned room;	      /* for so many frames */
	unsigned got;
	u32 number[AWAY_FRAMES + 8]; /* of each frame that came */
	u8 newest[60];
};

static struct box box[BOXES];
static struct vm vm;
static u32 next_number;
static const u8 everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void note(struct box *b, const u8 *frame)
{
	memcpy(b->newest, frame, sizeof(b->newest));
	memcpy(&b->number[b->got++], frame + 14, 4);
}

static bool deliver(struct net_port *port, const struct net_piece *piece,
		    unsigned count, u32 size)
{
	struct box *b = (struct box *)port;
	u8 frame[1514];
	u32 at = 0;

	if (!b->room)
		return false;
	b->room--;
	for (unsigned i = 0; i < count; at += piece[i++].size)
		memcpy(frame + at, piece[i].at, piece[i].size);
	CHECK_EQ(at, size);
	note(b, frame);
	return true;
}

/* Where passed frames go: the last box is as good as any other. */
static struct box beyond;

static bool pass(void *context, const void *frame, u32 size)
{
	CHECK(context == &beyond);
	if (!beyond.room)
		return false;
	beyond.room--;
	note(&beyond, frame);
	return true;
}

static void plug(unsigned i)
{
	box[i].room = 1000000;
	box[i].port = (struct net_port){.name = "box", .deliver = deliver};
	CHECK_EQ(switch_add(&box[i].port), E_OK);
	if (i == GUEST)
		vm.net = &box[i].port;
}

static void unplug_guest(void)
{
	vm.net = NULL;
	switch_remove(&box[GUEST].port);
}

static void send_bytes(unsigned from, unsigned source, const u8 *to)
{
	u8 frame[60] = {0};
	struct net_piece piece[2] = {{frame, 20, 0}, {frame + 20, 40, 0}};

	memcpy(frame, to, 6);
	memcpy(frame + 6, "\x52\x54\0\0\0", 5);
	frame[11] = (u8)source;
	memcpy(frame + 14, &next_number, 4);
	next_number++;
	switch_input(&box[from].port, piece, 2, sizeof(frame));
}

static void send(unsigned from, unsigned source, unsigned destination)
{
	u8 to[6] = {0x52, 0x54, 0, 0, 0, (u8)destination};

	send_bytes(from, source, to);
}

static void begin(void)
{
	for (unsigned i = 0; i < BOXES; i++)
		plug(i);
	vm.config.net = true;
	memcpy(vm.config.mac, "\x52\x54\0\0\0\x07", 6);
	beyond.room = 1000000;
	/* All have been heard. */
	send_bytes(GUEST, GUEST_ADDRESS, everybody);
	send_bytes(OTHER, OTHER_ADDRESS, everybody);
	send_bytes(UPLINK, OUTSIDE_ADDRESS, everybody);
	next_number = 0;
	for (unsigned i = 0; i < BOXES; i++)
		box[i].got = 0;
}

static void check_numbers(const struct box *b, unsigned from, unsigned count)
{
	CHECK_EQ(b->got, count);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(b->number[i], from + i);
}

static struct away_stats stats(void)
{
	struct away_stats s;

	away_stats(&vm, &s);
	return s;
}

static void outside_sends(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		send(i % 2 ? UPLINK : OTHER,
		     i % 2 ? OUTSIDE_ADDRESS : OTHER_ADDRESS, GUEST_ADDRESS);
}

TEST(held_then_delivered_in_order)
{
	begin();
	CHECK_EQ(away_hold(&vm), E_OK);
	outside_sends(5);
	CHECK_EQ(box[GUEST].got, 0);
	CHECK(!away_poll());
	away_back(&vm);
	check_numbers(&box[GUEST], 0, 5);
	CHECK_EQ(stats().held, 5);
	CHECK_EQ(stats().delivered, 5);
	CHECK_EQ(stats().lost, 0);
	/* And then it is as it was. */
	CHECK(!away_poll());
	CHECK(!vm.net->stand_in);
	CHECK_EQ(away_wait_ns(), ~0ULL);
	outside_sends(1);
	check_numbers(&box[GUEST], 0, 6);
	CHECK_EQ(stats().held, 5);
}

TEST(new_frames_wait_behind_held_ones)
{
	begin();
	away_hold(&vm);
	outside_sends(6);
	box[GUEST].room = 2;
	away_back(&vm);
	check_numbers(&box[GUEST], 0, 2);
	CHECK(away_poll());
	CHECK_EQ(away_wait_ns(), 0);
	box[GUEST].room = 1;
	outside_sends(1);
	check_numbers(&box[GUEST], 0, 3);
	box[GUEST].room = 100;
	CHECK(!away_poll());
	check_numbers(&box[GUEST], 0, 7);
	CHECK_EQ(stats().lost, 0);
}

TEST(broadcasts_are_held_too)
{
	begin();
	away_hold(&vm);
	send_bytes(OTHER, OTHER_ADDRESS, everybody);
	CHECK_EQ(box[UPLINK].got, 1);
	CHECK_EQ(box[GUEST].got, 0);
	away_back(&vm);
	check_numbers(&box[GUEST], 0, 1);
}

TEST(beyond_the_bound_frames_are_lost_and_counted)
{
	begin();
	away_hold(&vm);
	outside_sends(AWAY_FRAMES + 3);
	CHECK_EQ(stats().held, AWAY_FRAMES);
	CHECK_EQ(stats().lost, 3);
	away_back(&vm);
	check_numbers(&box[GUEST], 0, AWAY_FRAMES);
}

TEST(bytes_are_bounded_as_well)
{
	static u8 large[60000] = {0x52, 0x54, 0, 0, 0, GUEST_ADDRESS,
				  0x52, 0x54, 0, 0, 0, OTHER_ADDRESS};
	struct net_piece piece = {large, sizeof(large), 0};

	begin();
	away_hold(&vm);
	for (unsigned i = 0; i < 100; i++)
		switch_input(&box[OTHER].port, &piece, 1, sizeof(large));
	CHECK_EQ(stats().held, AWAY_BYTES / sizeof(large));
	CHECK_EQ(stats().lost, 100 - AWAY_BYTES / sizeof(large));
	away_forget(&vm);
	CHECK_EQ(stats().lost, 100);
}

TEST(a_guest_that_takes_nothing_is_not_waited_for)
{
	begin();
	away_hold(&vm);
	outside_sends(4);
	box[GUEST].room = 0;
	away_back(&vm);
	clock_ns += AWAY_PATIENCE_NS - 1;
	CHECK(away_poll());
	clock_ns += 1;
	CHECK(!away_poll());
	CHECK_EQ(stats().lost, 4);
	CHECK(!vm.net->stand_in);
}

static void leave(void)
{
	begin();
	away_hold(&vm);
	outside_sends(4);
	unplug_guest();
	away_gone(&vm, pass, &beyond);
}

TEST(gone_what_was_held_and_what_comes_is_passed)
{
	leave();
	check_numbers(&beyond, 0, 4);
	outside_sends(4);
	check_numbers(&beyond, 0, 8);
	CHECK_EQ(stats().passed, 8);
	CHECK_EQ(stats().lost, 0);
	/* Nobody else has seen them, and others' are not passed. */
	CHECK_EQ(box[OTHER].got + box[UPLINK].got, 0);
	send_bytes(OTHER, OTHER_ADDRESS, everybody);
	send(OTHER, OTHER_ADDRESS, 99);
	CHECK_EQ(beyond.got, 8);
	CHECK_EQ(box[UPLINK].got, 2);
}

TEST(gone_the_port_may_vanish_while_frames_are_held)
{
	begin();
	away_hold(&vm);
	outside_sends(2);
	unplug_guest();
	outside_sends(2);
	CHECK(!away_poll());
	CHECK_EQ(box[OTHER].got + box[UPLINK].got, 0);
	away_gone(&vm, pass, &beyond);
	check_numbers(&beyond, 0, 4);
}

TEST(gone_a_guest_that_was_never_heard_is_known_by_its_address)
{
	for (unsigned i = 0; i < BOXES; i++)
		plug(i);
	vm.config.net = true;
	memcpy(vm.config.mac, "\x52\x54\0\0\0\x07", 6);
	beyond.room = 100;
	away_hold(&vm);
	outside_sends(1);
	unplug_guest();
	away_gone(&vm, pass, &beyond);
	outside_sends(1);
	check_numbers(&beyond, 0, 2);
	CHECK_EQ(box[OTHER].got + box[UPLINK].got, 0);
}

TEST(gone_no_room_is_not_lost)
{
	begin();
	away_hold(&vm);
	outside_sends(3);
	unplug_guest();
	beyond.room = 1;
	away_gone(&vm, pass, &beyond);
	outside_sends(1);
	check_numbers(&beyond, 0, 1);
	CHECK(away_poll());
	beyond.room = 10;
	CHECK(!away_poll());
	check_numbers(&beyond, 0, 4);
}

TEST(gone_heard_elsewhere)
{
	leave();
	CHECK(!away_poll());
	/* The target's announcement comes in. */
	send_bytes(UPLINK, GUEST_ADDRESS, everybody);
	CHECK_EQ(beyond.got, 4);
	CHECK_EQ(box[OTHER].got, 1);
	/* From here it goes there; from there it was on its way here. */
	send(OTHER, OTHER_ADDRESS, GUEST_ADDRESS);
	CHECK_EQ(box[UPLINK].got, 1);
	CHECK_EQ(beyond.got, 4);
	send(UPLINK, OUTSIDE_ADDRESS, GUEST_ADDRESS);
	CHECK_EQ(beyond.got, 5);
	CHECK_EQ(box[UPLINK].got, 1);
	/* But not for long. */
	CHECK(!away_poll());
	CHECK(away_passes(&vm));
	CHECK_EQ(away_wait_ns(), AWAY_SETTLE_NS);
	clock_ns += AWAY_SETTLE_NS;
	CHECK(!away_poll());
	CHECK(!away_passes(&vm));
	send(UPLINK, OUTSIDE_ADDRESS, GUEST_ADDRESS);
	CHECK_EQ(beyond.got, 5);
	CHECK_EQ(box[UPLINK].port.stats.filtered, 1);
}

/* The announcement may be here before word of the commit is. */
TEST(heard_elsewhere_while_held)
{
	begin();
	away_hold(&vm);
	send_bytes(UPLINK, GUEST_ADDRESS, everybody);
	send(UPLINK, OUTSIDE_ADDRESS, GUEST_ADDRESS);
	send(OTHER, OTHER_ADDRESS, GUEST_ADDRESS);
	unplug_guest();
	away_gone(&vm, pass, &beyond);
	check_numbers(&beyond, 0, 2);
	CHECK_EQ(box[UPLINK].got, 1);
}

TEST(gone_not_for_ever)
{
	leave();
	clock_ns += AWAY_SECONDS * NS_PER_S - 1;
	CHECK(!away_poll());
	outside_sends(1);
	CHECK_EQ(beyond.got, 5);
	CHECK_EQ(away_wait_ns(), 1);
	clock_ns += 1;
	CHECK(!away_poll());
	CHECK(!away_passes(&vm));
	/* Nobody knows the address now. */
	send(OTHER, OTHER_ADDRESS, GUEST_ADDRESS);
	CHECK_EQ(beyond.got, 5);
	CHECK_EQ(box[UPLINK].got, 1);
}

TEST(it_returns)
{
	leave();
	box[GUEST].got = 0;
	plug(GUEST);
	CHECK_EQ(away_hold(&vm), E_OK);
	outside_sends(2);
	CHECK_EQ(beyond.got, 4);
	away_back(&vm);
	away_announce(&vm);
	check_numbers(&box[GUEST], 4, 2);
	outside_sends(1);
	CHECK_EQ(beyond.got, 4);
	check_numbers(&box[GUEST], 4, 3);
	clock_ns += NS_PER_S;
	away_poll();
	CHECK_EQ(away_wait_ns(), ~0ULL);
	/* No stand-in is left. */
	for (unsigned i = 0; i < BOXES; i++)
		CHECK(switch_port(i) != NULL);
	CHECK(!switch_port(BOXES));
}

TEST(it_is_started_here_again)
{
	leave();
	plug(GUEST);
	CHECK(!away_poll());
	outside_sends(1);
	CHECK_EQ(beyond.got, 4);
	CHECK_EQ(box[GUEST].got, 1);
	CHECK(!switch_port(BOXES));
}

TEST(restored_twice)
{
	begin();
	away_hold(&vm);
	outside_sends(1);
	unplug_guest();
	plug(GUEST);
	away_hold(&vm);
	outside_sends(1);
	CHECK(!switch_port(BOXES));
	away_back(&vm);
	check_numbers(&box[GUEST], 0, 2);
}

static void passed_on(u32 number)
{
	u8 frame[60] = {0x52, 0x54, 0, 0, 0, GUEST_ADDRESS,
			0x52, 0x54, 0, 0, 0, OTHER_ADDRESS};

	memcpy(frame + 14, &number, 4);
	away_input(&vm, frame, sizeof(frame));
}

TEST(input_waits_for_the_guest_to_run)
{
	begin();
	away_hold(&vm);
	passed_on(0);
	passed_on(1);
	CHECK_EQ(box[GUEST].got, 0);
	away_back(&vm);
	passed_on(2);
	check_numbers(&box[GUEST], 0, 3);
	away_poll();
	/* And when there is no room. */
	box[GUEST].room = 0;
	passed_on(3);
	next_number = 4;
	outside_sends(1);
	CHECK(away_poll());
	box[GUEST].room = 9;
	CHECK(!away_poll());
	check_numbers(&box[GUEST], 0, 5);
	CHECK(!vm.net->stand_in);
	/* What is no frame is dropped. */
	away_input(&vm, &vm, NETDEV_FRAME_MIN - 1);
	away_input(&vm, &vm, NETDEV_FRAME_MAX + 1);
	CHECK_EQ(box[GUEST].got, 5);
}

TEST(announcements)
{
	static const u64 at[] = {0, 50, 150, 300};
	u64 began = clock_ns;
	static const u8 rarp[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0,
		7,    0x80, 0x35, 0,	1,    8,    0,	  6,	4, 0, 3,
		0x52, 0x54, 0,	  0,	0,    7,    0,	  0,	0, 0, 0x52,
		0x54, 0,    0,	  0,	7,    0,    0,	  0,	0};

	begin();
	/* It was last heard outside, as at a target. */
	send_bytes(UPLINK, GUEST_ADDRESS, everybody);
	box[OTHER].got = box[GUEST].got = 0;
	away_hold(&vm);
	away_back(&vm);
	away_announce(&vm);
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		clock_ns = began + at[i] * NS_PER_MS - (i ? 1 : 0);
		away_poll();
		CHECK_EQ(box[UPLINK].got, i ? i : 1);
		if (i)
			CHECK_EQ(away_wait_ns(), 1);
		clock_ns = began + at[i] * NS_PER_MS;
		away_poll();
		CHECK_EQ(box[UPLINK].got, i + 1);
	}
	CHECK_EQ(away_wait_ns(), ~0ULL);
	CHECK_EQ(box[OTHER].got, ARRAY_LEN(at));
	CHECK(!memcmp(box[UPLINK].newest, rarp, sizeof(rarp)));
	/* Its address is here now. */
	next_number = 0;
	send(UPLINK, OUTSIDE_ADDRESS, GUEST_ADDRESS);
	CHECK_EQ(box[GUEST].got, 1);
}

TEST(a_guest_without_network)
{
	CHECK_EQ(away_hold(&vm), E_OK);
	away_back(&vm);
	away_gone(&vm, pass, &beyond);
	away_announce(&vm);
	passed_on(0);
	away_forget(&vm);
	CHECK(!away_poll());
	CHECK(!away_passes(&vm));
	CHECK_EQ(stats().held + stats().lost, 0);
}
