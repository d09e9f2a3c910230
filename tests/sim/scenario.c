/* What a seed means. */
#include <string.h>

#include "tests/sim/world.h"

static const u8 macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static const struct requirement requirements[] = {
	{CLASS_CPUID, RULE_BITS, 1, 7, 0, 0x20, "avx2"},
	{CLASS_MSR, RULE_EQUAL, 0, 0x1b, 0, 0xfee00900, "apic base"},
	{CLASS_RECORD, RULE_LEAST, 0, 7, 0, 3, "uart"},
};

static void link_plain(struct link_config *link, unsigned host,
		       const char *name)
{
	memset(link, 0, sizeof(*link));
	memcpy(link->name, name, strlen(name));
	memcpy(link->mac, macs[host], 6);
	memset(link->psk, 0x5a, sizeof(link->psk));
	link->frame_size = WIRE_FRAME_MIN;
	link->features = (1u << CODECS) - 1;
	link->timers = link_timers_default;
	link->timers.give_up = 20000000;
	link->timers.orphan = 30000000;
}

void scenario_plain(struct scenario *scenario, u64 seed)
{
	struct source_config *source = &scenario->source;

	memset(scenario, 0, sizeof(*scenario));
	scenario->seed = seed;
	scenario->pages = SIM_PAGES;
	scenario->fill = 100;
	scenario->state_size = 2000;
	scenario->faults.delay = 50;
	scenario->crash_at = scenario->order_at = UINT64_MAX;
	scenario->ends_at = 400000000;
	link_plain(&source->link, 0, "alpha");
	link_plain(&scenario->target.link, 1, "beta");
	memset(source->target_mac, 0xff, 6);
	memcpy(source->target, "beta", 4);
	memcpy(source->vm, "guest", 5);
	source->pages = scenario->pages;
	source->state_room = SIM_STATE;
	source->policy = &policy_classic;
	source->params = (struct policy_params){
		.rounds = 30, .threshold = 4, .downtime = 3000, .hardest = 20};
	source->requirement = requirements;
	source->requirements = 3;
	scenario->target.pages_max = SIM_PAGES;
	scenario->target.state_room = SIM_STATE;
	scenario->target.credit = 64;
}

static bool one_in(u64 *random, u64 n)
{
	return sim_below(random, n) == 0;
}

static void draw_faults(struct net_faults *faults, u64 *random)
{
	static const unsigned drops[] = {0, 10, 50, 100, 300, 600};

	faults->delay = sim_below(random, 300);
	if (one_in(random, 8))
		return;
	faults->heals_at = 1000 + sim_below(random, 1000000);
	faults->drop = drops[sim_below(random, 6)];
	faults->repeat = (unsigned)sim_below(random, 3) * 100;
	faults->corrupt = (unsigned)sim_below(random, 3) * 10;
	faults->truncate = (unsigned)sim_below(random, 3) * 10;
	faults->late = (unsigned)sim_below(random, 3) * 50;
	faults->jitter = sim_below(random, 3) * sim_below(random, 1000);
	faults->lateness = sim_below(random, 50000);
	if (!one_in(random, 4))
		return;
	faults->heals_at = 90000000;
	for (unsigned i = 0; i < 1 + sim_below(random, 2); i++) {
		faults->cut[i] = sim_below(random, 30000);
		faults->cut_for[i] = one_in(random, 4)
					     ? sim_below(random, 60000000)
					     : sim_below(random, 8000000);
	}
}

static void draw_events(struct scenario *scenario, u64 *random)
{
	if (one_in(random, 4)) {
		scenario->crash =
			one_in(random, 2) ? CRASH_SOURCE : CRASH_TARGET;
		scenario->crash_at = sim_below(random, 400);
		scenario->reboots_after = sim_below(random, 6000000);
	}
	if (one_in(random, 8)) {
		scenario->order =
			one_in(random, 2) ? ORDER_CANCEL : ORDER_DISCARD;
		scenario->order_at = sim_below(random, 400);
	}
	scenario->unmet = one_in(random, 32);
	scenario->source.dry_run = one_in(random, 32);
}

static void draw_link(struct scenario *scenario, u64 *random)
{
	static const u32 sizes[] = {1514, 1514, 1600, 4114, 9014, 65014};
	struct link_config *source = &scenario->source.link;
	struct link_config *target = &scenario->target.link;

	source->frame_size = sizes[sim_below(random, 6)];
	target->frame_size = sizes[sim_below(random, 6)];
	source->features =
		(u32)sim_below(random, 32) | 1u << CODEC_RAW | 1u << CODEC_ZERO;
	target->features = source->features | (u32)sim_below(random, 32);
	if (one_in(random, 32))
		source->security = target->security =
			(u8)(1 + sim_below(random, 2));
	scenario->target.credit = (u16)(1 + sim_below(random, WINDOW_SPAN));
	scenario->source.rate =
		one_in(random, 4) ? 1000000 << sim_below(random, 8) : 0;
	scenario->source.cache_lines = (u32)sim_below(random, 3) * 16;
}

void scenario_draw(struct scenario *scenario, u64 seed)
{
	static const struct policy *const policies[] = {
		&policy_classic, &policy_downtime, &policy_fixed,
		&policy_stop_and_copy};
	u64 random = seed * 0x2545f4914f6cdd1du + 1;

	scenario_plain(scenario, seed);
	scenario->pages =
		1 + sim_below(&random, one_in(&random, 8) ? SIM_PAGES : 24);
	scenario->source.pages = scenario->pages;
	scenario->fill = (unsigned)sim_below(&random, 101);
	scenario->pattern = (enum pattern)sim_below(&random, PATTERNS);
	scenario->writes = 1 + sim_below(&random, 20);
	if (scenario->pattern == PATTERN_STORM)
		scenario->writes = 500;
	scenario->state_size = 1 + (u32)sim_below(&random, 4000);
	scenario->source.policy = policies[sim_below(&random, 4)];
	scenario->source.params.rounds = 1 + (u32)sim_below(&random, 6);
	draw_faults(&scenario->faults, &random);
	draw_events(scenario, &random);
	draw_link(scenario, &random);
	/* So short that attempts fail, and their answers come too late. */
	if (one_in(&random, 8))
		scenario->source.link.timers.stopped_max =
			sim_below(&random, 20000);
	scenario->forwards = one_in(&random, 4);
	if (scenario->forwards)
		scenario->target.guest_frame = FORWARD_FRAME_MAX;
}
