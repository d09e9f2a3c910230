/* What must hold at each step, and what must be in the end. */
#include <string.h>

#include "tests/sim/world.h"

void world_wrong(struct world *world, const char *what)
{
	if (world->wrong == NULL)
		world->wrong = what;
}

void check_step(struct world *world)
{
	if (world->guest.runs && world->target_runs)
		world_wrong(world, "two hosts run the VM");
	if (world->source_up && world->source.state == SOURCE_IN_DOUBT &&
	    world->guest.runs)
		world_wrong(world, "the source runs what it may have given");
	if (world->source_up && !world->released &&
	    world->source.state != SOURCE_IN_DOUBT && !world->guest.runs &&
	    world->source.state != SOURCE_STOPPED &&
	    world->source.state != SOURCE_PREPARING)
		world_wrong(world, "the source forgot to resume the guest");
	if (world->source_up && world->target_up &&
	    world->source.state == SOURCE_COPYING && world->target_runs)
		world_wrong(world, "the target runs before the commit");
}

/* The target's word to the guest's clocks: right, but for the network's doing.
 */
void check_stood(struct world *world)
{
	const struct net_faults *faults = &world->scenario.faults;
	u64 stood = world->now - world->guest.stopped_at;
	u64 said = world->target.stood;
	u64 trip = 2 * (faults->delay + faults->jitter + faults->lateness);

	if (said > stood + mig_max(trip, world->source.link.round_trip))
		world_wrong(world, "it did not stand still for so long");
	if (faults->drop + faults->late + faults->corrupt + faults->truncate +
			    faults->cut_for[0] + faults->cut_for[1] ==
		    0 &&
	    faults->bandwidth == 0 && stood > said + trip)
		world_wrong(world, "it stood still for longer");
}

/* The target runs it: with every byte, and before it can change one. */
void check_takeover(struct world *world)
{
	size_t size = world->scenario.pages * MIG_PAGE;

	if (memcmp(world->memory[0], world->memory[1], size) != 0)
		world_wrong(world, "the target's memory differs");
	if (world->target.saved_size != world->scenario.state_size ||
	    memcmp(world->target.saved, world->state,
		   world->scenario.state_size) != 0)
		world_wrong(world, "the target's state differs");
	if (world->source_up &&
	    world->target.certificate != world->source.certificate)
		world_wrong(world, "the certificates differ");
}

static void check_done(struct world *world)
{
	if (!world->released)
		world_wrong(world, "done, and not released");
	if (!world->crashed && !world->target_runs)
		world_wrong(world, "done, and the target does not run it");
}

static void check_failed(struct world *world)
{
	if (!world->guest.runs)
		world_wrong(world, "failed, and the guest does not run");
	if (world->target_up && world->target.state != TARGET_DISCARDED &&
	    world->target.state != TARGET_LISTENING &&
	    world->target.state != TARGET_RECEIVING &&
	    world->target.state != TARGET_ASKED)
		world_wrong(world, "failed, and the target still waits");
	if (world->scenario.faults.drop == 0 &&
	    world->source.code == MIG_DIFFERS)
		world_wrong(world, "the hashes differ for no reason");
}

/* Without a crash, a network that heals ends every doubt. */
static void check_source(struct world *world)
{
	switch (world->source.state) {
	case SOURCE_DONE:
		check_done(world);
		break;
	case SOURCE_FAILED:
		check_failed(world);
		break;
	case SOURCE_IN_DOUBT:
		if (!world->crashed)
			world_wrong(world, "in doubt for ever");
		break;
	default:
		world_wrong(world, "the source has not ended");
	}
	if (world->source.code == MIG_MALFORMED ||
	    world->source.code == MIG_RECORD ||
	    world->source.code == MIG_DIFFERS)
		world_wrong(world, "it failed by its own mistake");
}

/* A source that is gone: its target waits in a named state, or has ended. */
static void check_orphan(struct world *world)
{
	if (!world->crashed)
		world_wrong(world, "the source is down without a crash");
	if (world->target.state == TARGET_RECEIVING)
		world_wrong(world, "an orphan keeps its memory for ever");
	if (world->last_hope && world->target.state == TARGET_DISCARDED &&
	    world->scenario.order != ORDER_DISCARD)
		world_wrong(world, "nobody holds the VM any more");
}

static void check_statistics(struct world *world)
{
	const struct link_counts *counts = &world->source.link.counts;
	const struct sender_counts *sent = &world->source.sender.counts;
	const struct report *report = &world->source.report;
	u64 pages = 0;

	/* HELLOs are the network's to count alone. */
	if (counts->tx_bytes > world->net.counts[0].bytes ||
	    counts->tx_frames > world->net.counts[0].frames ||
	    sent->bytes > counts->tx_bytes)
		world_wrong(world, "more was counted than sent");
	if (!source_ended(&world->source))
		return;
	for (u32 i = 0; i < report->rounds; i++)
		pages += report->round[i].pages;
	if (report->pages < pages || report->bytes != sent->bytes ||
	    report->frames_lost > report->frames)
		world_wrong(world, "the report does not add up");
	if (world->source.state == SOURCE_DONE &&
	    report->pages < world->scenario.pages)
		world_wrong(world, "fewer pages than the guest has");
}

/* What had no fault must have gone well. */
static void check_success(struct world *world)
{
	const struct scenario *scenario = &world->scenario;

	if (scenario->faults.heals_at != 0 || scenario->unmet ||
	    scenario->crash != CRASH_NONE || scenario->order != ORDER_NONE ||
	    scenario->source.dry_run ||
	    scenario->source.link.timers.stopped_max < 1000000 ||
	    scenario->source.policy == &policy_downtime)
		return;
	if (world->source.state != SOURCE_DONE)
		world_wrong(world, "it failed without a fault");
}

static void check_dry(struct world *world)
{
	const struct source *source = &world->source;

	if (world->target_runs)
		world_wrong(world, "a dry run moved the VM");
	if (source->sender.counts.frames != 0)
		world_wrong(world, "a dry run sends pages");
	if (world->source_up && source->code == MIG_DRY &&
	    source->report.prediction.total == 0)
		world_wrong(world, "a dry run predicts nothing");
}

void check_end(struct world *world)
{
	if (world->source_up) {
		check_source(world);
		check_statistics(world);
	} else {
		check_orphan(world);
	}
	if (world->scenario.unmet && world->target_runs)
		world_wrong(world, "a refused VM runs");
	if (world->scenario.source.dry_run)
		check_dry(world);
	check_success(world);
	forward_check(world);
}
