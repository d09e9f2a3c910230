/*
 * Frames for the guest that reach the source after the stop: what comes out at
 * the target is what went in, once, and all of it if the network loses nothing.
 */
#include <string.h>

#include "tests/sim/world.h"

/* Each has a number, and bytes that follow from it. */
static u32 make_frame(u64 seed, u32 number, u8 *frame)
{
	u64 random = seed ^ ((u64)number << 32) ^ 0x6c65747465u;
	u32 size = 14 + (u32)sim_below(&random, 1500);

	if (sim_below(&random, 8) == 0)
		size += (u32)sim_below(&random, FORWARD_FRAME_MAX - 1514);
	for (u32 i = 0; i < size; i += 8) {
		u64 word = sim_random(&random);

		memcpy(frame + i, &word, mig_min(8, size - i));
	}
	put_u32(frame, number);
	return size;
}

static void send_frame(struct world *world)
{
	static u8 frame[FORWARD_FRAME_MAX];
	struct link *link = &world->source.link;
	u32 size = make_frame(world->scenario.seed, world->forwarded, frame);
	u32 done = 0;
	size_t n;

	while ((n = forward_output(link, world->now, frame, size, &done,
				   world->frame)) != 0)
		net_send(&world->net, world->now, 0, world->frame, (unsigned)n);
	if (done == size)
		world->forwarded++;
}

/* While the guest stands still, and after it has gone. */
void forward_step(struct world *world)
{
	if (!world->scenario.forwards || !world->source_up ||
	    world->guest.runs || !world->source.link.up ||
	    world->forwarded == SIM_FORWARDS)
		return;
	world->source.forwards = true;
	if (sim_below(&world->forward_random, 2) == 0)
		send_frame(world);
}

void forward_arrived(void *context, const u8 *frame, size_t size)
{
	static u8 wanted[FORWARD_FRAME_MAX];
	struct world *world = context;
	u32 number = size < 4 ? UINT32_MAX : get_u32(frame);

	if (number > world->forwarded || number >= SIM_FORWARDS) {
		world_wrong(world, "a guest's frame that nobody sent");
		return;
	}
	if (make_frame(world->scenario.seed, number, wanted) != size ||
	    memcmp(frame, wanted, size) != 0)
		world_wrong(world, "a guest's frame has been altered");
	if (world->arrived[number])
		world_wrong(world, "a guest's frame comes twice");
	world->arrived[number] = true;
}

void forward_check(struct world *world)
{
	const struct scenario *scenario = &world->scenario;

	if (scenario->faults.heals_at != 0 || scenario->crash != CRASH_NONE ||
	    world->source.state != SOURCE_DONE)
		return;
	for (u32 i = 0; i < world->forwarded; i++)
		if (!world->arrived[i])
			world_wrong(world, "a guest's frame is lost");
	if (scenario->forwards && world->forwarded == 0)
		world_wrong(world, "no guest's frame was passed on");
}
