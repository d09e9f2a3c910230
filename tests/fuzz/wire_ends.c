/*
 * Both ends in the middle of a migration, and a peer that holds the keys and
 * says whatever the input says: frames of two bytes of length, a byte of whom
 * and what, and their body. Nothing it says may make the ends break a promise.
 */
#include <stdlib.h>

#include "tests/sim/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct scenario scenario;

/* The frames go on for so many steps, then the input speaks. */
static void begin(unsigned steps)
{
	if (world.net.free_count == 0 && world.net.count == 0)
		world_init(&world);
	scenario_plain(&scenario, 1);
	scenario.pages = scenario.source.pages = 2;
	scenario.source.rate = 10000000;
	scenario.target.guest_frame = 5000;
	world_begin(&world, &scenario);
	while (steps-- != 0 && world_step(&world))
		;
}

static void say(unsigned to, u8 kind, const u8 *body, size_t size)
{
	struct link *from = to == 0 ? &world.target.link : &world.source.link;
	u8 *frame = world.frame;

	memcpy(frame + WIRE_BODY, body, size);
	size = link_seal(from, world.now, kind, frame, (u16)size);
	if (to == 0)
		source_input(&world.source, world.now, frame, size);
	else
		target_input(&world.target, world.now, frame, size);
	world_talk(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u8 kinds[] = {WIRE_PAGES, WIRE_CONTROL, WIRE_GUEST,
				   WIRE_CONTROL};

	if (size < 2)
		return 0;
	begin(data[0] % 64);
	data++;
	size--;
	while (size >= 3) {
		size_t length = mig_min(get_u16(data) % 1460, size - 3);
		u8 what = data[2];

		say(what & 1, kinds[what >> 1 & 3], data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
	/* A liar may get the VM lost, but not run twice by these two. */
	if (world.source.state == SOURCE_IN_DOUBT && world.guest.runs)
		abort();
	return 0;
}
