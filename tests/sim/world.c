#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 2000000

/* --- what the source is called back for --- */

static void harvest(void *context, u64 *bitmap)
{
	struct world *world = context;

	guest_catch_up(world);
	for (unsigned i = 0; i < bits_words(world->scenario.pages); i++) {
		bitmap[i] |= world->guest.dirty[i];
		world->guest.dirty[i] = 0;
	}
}

static u64 stop(void *context)
{
	struct world *world = context;

	if (world->guest.runs)
		guest_last_words(world);
	world->guest.runs = false;
	world->guest.stopped_at = world->now;
	return world->now;
}

static void resume(void *context)
{
	struct world *world = context;

	if (world->released)
		world_wrong(world, "the source resumes what it released");
	world->guest.runs = true;
	world->guest.wrote_at = world->now;
}

static void throttle(void *context, unsigned percent)
{
	struct world *world = context;

	world->guest.percent = percent;
}

static size_t save(void *context, u8 *to, size_t room)
{
	struct world *world = context;

	if (world->scenario.state_size > room)
		return 0;
	/* It changes from one stop to the next. */
	if (world->scenario.state_size != 0)
		world->state[0]++;
	memcpy(to, world->state, world->scenario.state_size);
	return world->scenario.state_size;
}

static void release(void *context)
{
	struct world *world = context;

	world->released = true;
	if (world->guest.runs)
		world_wrong(world, "the source releases a running guest");
	if (!world->crashed && !world->target_runs)
		world_wrong(world, "released, and nobody runs it");
}

static const u8 *source_page(void *context, u64 page)
{
	struct world *world = context;

	/* The guest goes on while it is being copied. */
	guest_catch_up(world);
	return world->memory[0] + page * MIG_PAGE;
}

static void fill_random(void *context, u8 *to, size_t size)
{
	struct world *world = context;

	for (size_t i = 0; i < size; i++)
		to[i] = (u8)(sim_random(&world->random) >> 32);
}

static const struct source_ops source_ops = {
	harvest, stop,	  resume,      throttle,
	save,	 release, source_page, fill_random,
};

/* --- and the target --- */

static unsigned describe(void *context, const char *vm, u64 pages)
{
	struct world *world = context;

	memset(world->memory[1], 0, pages * MIG_PAGE);
	return MIG_OK;
}

static u64 have(void *context, const struct requirement *requirement)
{
	struct world *world = context;

	return world->scenario.unmet && requirement->index == 7
		       ? 0
		       : requirement->value;
}

static unsigned load(void *context, const u8 *state, size_t size)
{
	struct world *world = context;

	if (size != world->scenario.state_size ||
	    memcmp(state, world->state, size) != 0)
		world_wrong(world, "the state that is loaded is another");
	check_stood(world);
	return MIG_OK;
}

static void run(void *context)
{
	struct world *world = context;

	if (world->target_runs)
		world_wrong(world, "the target runs it twice");
	world->target_runs = true;
	check_takeover(world);
}

static void discard(void *context)
{
	struct world *world = context;

	if (world->target_runs)
		world_wrong(world, "the target discards what it runs");
}

static u8 *target_page(void *context, u64 page)
{
	struct world *world = context;

	if (world->scenario.source.dry_run)
		world_wrong(world, "a dry run touches the target's memory");
	if (page >= world->scenario.pages)
		world_wrong(world, "a page beyond the guest's memory");
	return world->memory[1] + page * MIG_PAGE;
}

static const struct target_ops target_ops = {
	describe, have,	       load,	    run,
	discard,  target_page, fill_random, forward_arrived,
};

/* --- time --- */

void world_init(struct world *world)
{
	memset(world, 0, sizeof(*world));
	net_init(&world->net);
}

static u8 *grow(u8 *memory, size_t *room, size_t need)
{
	if (*room >= need)
		return memory;
	free(memory);
	*room = need;
	return calloc(1, need);
}

void world_talk(struct world *world)
{
	size_t size;

	while (world->source_up &&
	       (size = source_output(&world->source, world->now,
				     world->frame)) != 0)
		net_send(&world->net, world->now, 0, world->frame,
			 (unsigned)size);
	while (world->target_up &&
	       (size = target_output(&world->target, world->now,
				     world->frame)) != 0)
		net_send(&world->net, world->now, 1, world->frame,
			 (unsigned)size);
}

void world_begin(struct world *world, const struct scenario *scenario)
{
	world->scenario = *scenario;
	world->now = 1000;
	world->steps = 0;
	world->random = scenario->seed ^ 0x776f726cu;
	world->source_up = world->target_up = true;
	world->target_runs = world->released = world->crashed = false;
	world->last_hope = false;
	world->reboot_at = UINT64_MAX;
	world->forwarded = 0;
	world->forward_random = scenario->seed ^ 0x666f7277u;
	memset(world->arrived, 0, sizeof(world->arrived));
	world->wrong = NULL;
	net_reset(&world->net, scenario->seed ^ 0x6e6574u);
	world->net.faults = scenario->faults;
	guest_start(world);
	world->guest.wrote_at = world->now;
	world->source_memory = grow(world->source_memory, &world->source_room,
				    source_memory(&world->scenario.source));
	world->target_memory = grow(world->target_memory, &world->target_room,
				    target_memory(&world->scenario.target));
	source_init(&world->source, &world->scenario.source, &source_ops, world,
		    world->source_memory);
	target_init(&world->target, &world->scenario.target, &target_ops, world,
		    world->target_memory);
	source_begin(&world->source, world->now);
	world_talk(world);
}

static void crash(struct world *world)
{
	world->crashed = true;
	if (world->scenario.crash == CRASH_SOURCE) {
		world->last_hope = world->source.state == SOURCE_IN_DOUBT &&
				   world->target.state == TARGET_PREPARED;
		world->source_up = false;
		world->guest.runs = false;
		return;
	}
	world->target_up = world->target_runs = false;
	world->reboot_at = world->now + world->scenario.reboots_after;
}

/* It has forgotten everything. */
static void reboot(struct world *world)
{
	world->reboot_at = UINT64_MAX;
	world->target_up = true;
	target_init(&world->target, &world->scenario.target, &target_ops, world,
		    world->target_memory);
}

static void happen(struct world *world)
{
	const struct scenario *scenario = &world->scenario;

	if (world->steps == scenario->crash_at && scenario->crash != CRASH_NONE)
		crash(world);
	if (world->now >= world->reboot_at)
		reboot(world);
	if (world->steps != scenario->order_at)
		return;
	if (scenario->order == ORDER_CANCEL && world->source_up)
		source_cancel(&world->source, world->now);
	if (scenario->order == ORDER_DISCARD && world->target_up)
		target_discard(&world->target);
}

static void arrive(struct world *world)
{
	unsigned to, size;
	u8 *frame = net_take(&world->net, &to, &size);

	if (to == 0 && world->source_up)
		source_input(&world->source, world->now, frame, size);
	if (to == 1 && world->target_up)
		target_input(&world->target, world->now, frame, size);
}

static u64 next(const struct world *world)
{
	u64 at = mig_min(net_next(&world->net), world->reboot_at);

	if (world->source_up)
		at = mig_min(at, source_wake(&world->source, world->now));
	if (world->target_up)
		at = mig_min(at, target_wake(&world->target, world->now));
	return at;
}

static bool settled(const struct world *world)
{
	bool source = !world->source_up || source_ended(&world->source);
	bool target = !world->target_up || target_ended(&world->target) ||
		      world->target.state == TARGET_LISTENING;

	return source && target && world->reboot_at == UINT64_MAX;
}

static void show(const struct world *world, const char *what)
{
	printf("%10llu step %llu %s: source %s, target %s\n",
	       (unsigned long long)world->now, (unsigned long long)world->steps,
	       what,
	       world->source_up ? mig_state_text(source_state(&world->source))
				: "down",
	       world->target_up ? mig_state_text(world->target.state) : "down");
}

bool world_step(struct world *world)
{
	u64 at = next(world);

	if (at > world->scenario.ends_at || settled(world))
		return false;
	world->now = mig_max(at, world->now);
	if (net_next(&world->net) <= world->now)
		arrive(world);
	happen(world);
	world_talk(world);
	forward_step(world);
	check_step(world);
	if (world->trace)
		show(world, "then");
	if (++world->steps > STEPS_MAX)
		world_wrong(world, "it does not end");
	return world->wrong == NULL;
}

/*
 * The migration is over, and now and then a frame still reaches the source:
 * less often than a session lives in silence.
 */
static void forward_tail(struct world *world)
{
	u64 end = world->now + 12000000, frame_at = world->now, at;

	if (!world->scenario.forwards || !settled(world) || !world->source_up)
		return;
	while (world->wrong == NULL) {
		at = mig_min(next(world), frame_at);
		if (at > end)
			break;
		world->now = mig_max(at, world->now);
		if (net_next(&world->net) <= world->now)
			arrive(world);
		world_talk(world);
		if (world->now < frame_at)
			continue;
		forward_step(world);
		frame_at =
			world->now + sim_below(&world->forward_random, 5000000);
		if (frame_at > end - 1000000)
			frame_at = UINT64_MAX;
	}
}

void world_run(struct world *world, const struct scenario *scenario)
{
	world_begin(world, scenario);
	while (world_step(world))
		;
	forward_tail(world);
	if (world->wrong == NULL)
		check_end(world);
}
