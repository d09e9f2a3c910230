/*
 * explore: every way that the commit can go, in the C code itself.
 *
 *	explore [DROPS REPEATS TICKS DEATHS CRASHES ORDERS]
 *
 * A small guest is copied; then, from the moment it stops, each possible next
 * thing is tried: any frame under way arrives, is lost or comes twice, in any
 * order; either host's clock goes on by itself, until its next timer or until
 * the session dies; either host crashes; an operator cancels or discards. How
 * often each may happen is bounded, the order is not. States are told apart by
 * everything that decides what comes next, but for the time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/source.h"
#include "migrate/target.h"
#include "tests/sim/world.h"

#define WAY_FRAMES 4
#define DEPTH	   120
#define SEEN_BITS  24
#define HEAL_EVERY 8

enum budget { DROPS, REPEATS, TICKS, DEATHS, CRASHES, ORDERS, BUDGETS };

struct way {
	unsigned to, size;
	u8 frame[WIRE_FRAME_MIN];
};

/* All that changes; copied whole for each branch. */
struct point {
	struct source source;
	struct target target;
	u8 source_memory[28672], target_memory[8192];
	u8 memory[2][MIG_PAGE];
	u64 clock[2], random;
	bool up[2], guest_runs, target_runs, released;
	struct way way[WAY_FRAMES];
	unsigned ways, left[BUDGETS];
};

static struct scenario scenario;
static struct point *stack;
static struct point *here; /* the one that the callbacks mean */
static u64 *seen;
static u64 states, steps, healed, deepest, ends[32];
static const char *wrong;

static void fail(const char *what)
{
	if (wrong == NULL)
		wrong = what;
}

/* --- the hosts --- */

static void harvest(void *context, u64 *bitmap)
{
}

static u64 stop(void *context)
{
	here->guest_runs = false;
	return here->clock[0];
}

static void resume(void *context)
{
	if (here->released)
		fail("the source resumes what it released");
	here->guest_runs = true;
}

static void throttle(void *context, unsigned percent)
{
}

static size_t save(void *context, u8 *to, size_t room)
{
	memset(to, 7, 32);
	return 32;
}

static void release(void *context)
{
	here->released = true;
}

static const u8 *source_page(void *context, u64 page)
{
	return here->memory[0];
}

static void fill_random(void *context, u8 *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (u8)(sim_random(&here->random) >> 32);
}

static unsigned describe(void *context, const char *vm, u64 pages)
{
	return MIG_OK;
}

static u64 have(void *context, const struct requirement *requirement)
{
	return requirement->value;
}

static unsigned load(void *context, const u8 *state, size_t size)
{
	return MIG_OK;
}

static void run(void *context)
{
	if (memcmp(here->memory[0], here->memory[1], MIG_PAGE) != 0)
		fail("the target's memory differs");
	here->target_runs = true;
}

static void discard(void *context)
{
}

static u8 *target_page(void *context, u64 page)
{
	return here->memory[1];
}

static const struct source_ops source_ops = {
	harvest, stop,	  resume,      throttle,
	save,	 release, source_page, fill_random,
};
static const struct target_ops target_ops = {
	describe, have, load, run, discard, target_page, fill_random, NULL,
};

/* Of the ring of frames only the first few are ever used here. */
static void copy(struct point *to, const struct point *from)
{
	size_t used = offsetof(struct point, source.sender.flight[8]);
	size_t rest = offsetof(struct point, source.sender.flight_first);

	if (from->source.sender.flight_first +
		    from->source.sender.flight_count >
	    8)
		fail("more frames than are copied");
	memcpy(to, from, used);
	memcpy((u8 *)to + rest, (const u8 *)from + rest, sizeof(*to) - rest);
}

/* Pointers into a point move with it. */
static void settle_in(struct point *point)
{
	ptrdiff_t by = (u8 *)point - (u8 *)here;

	here = point;
	if (by == 0)
		return;
#define MOVE(pointer) (pointer) = (void *)((u8 *)(pointer) + by)
	MOVE(point->source.sender.todo);
	MOVE(point->source.sender.hashes);
	MOVE(point->source.sender.open_content);
	/* `open` is NULL or the guest's page, which is one of ours. */
	if (point->source.sender.open != NULL)
		MOVE(point->source.sender.open);
	MOVE(point->source.sender.codec.cache);
	MOVE(point->source.sender.codec.lz4_state);
	MOVE(point->source.sender.codec.encoded);
	MOVE(point->source.saved);
	MOVE(point->target.receiver_memory);
	MOVE(point->target.receiver.hashes);
	MOVE(point->target.receiver.touched);
	MOVE(point->target.receiver.stale);
	MOVE(point->target.receiver.scratch);
	MOVE(point->target.saved);
#undef MOVE
}

/* What is sent when too much is under way is lost. */
static void send(unsigned to, const u8 *frame, size_t size)
{
	struct way *way;

	if (here->ways == WAY_FRAMES)
		return;
	way = &here->way[here->ways++];
	way->to = to;
	way->size = (unsigned)size;
	memcpy(way->frame, frame, size);
}

static void talk(void)
{
	static u8 frame[WIRE_FRAME_MAX];
	size_t size;

	while (here->up[0] &&
	       (size = source_output(&here->source, here->clock[0], frame)))
		send(1, frame, size);
	while (here->up[1] &&
	       (size = target_output(&here->target, here->clock[1], frame)))
		send(0, frame, size);
}

static void arrive(unsigned which, bool stays)
{
	struct way way = here->way[which];

	if (!stays) {
		here->ways--;
		memmove(&here->way[which], &here->way[which + 1],
			(here->ways - which) * sizeof(way));
	}
	if (way.to == 0 && here->up[0])
		source_input(&here->source, here->clock[0], way.frame,
			     way.size);
	if (way.to == 1 && here->up[1])
		target_input(&here->target, here->clock[1], way.frame,
			     way.size);
	talk();
}

/* --- what must hold --- */

static bool crashed(void)
{
	return here->left[CRASHES] != scenario.seed;
}

static void check(void)
{
	const struct source *source = &here->source;
	bool source_holds = here->up[0] && !here->released;
	bool target_holds =
		here->up[1] && (here->target.state == TARGET_PREPARED ||
				here->target.state == TARGET_RUNNING);

	if (here->guest_runs && here->target_runs)
		fail("two hosts run the VM");
	if (here->up[0] && source->state == SOURCE_IN_DOUBT && here->guest_runs)
		fail("the source runs what it may have given");
	/* A host that falls takes what it has with it. */
	if (crashed())
		return;
	if (!source_holds && !target_holds)
		fail("nobody holds the VM");
	if (here->released && !here->target_runs)
		fail("released, and nobody runs it");
}

static u64 mix_in(u64 h, u64 value)
{
	return hash_mix(h ^ value) + 1;
}

static u64 link_key(u64 h, const struct link *link)
{
	h = mix_in(h, link->up);
	h = mix_in(h, (u64)link->tx_last << 32 | link->tx_acked);
	h = mix_in(h, (u64)link->tx_sent << 32 | link->rx_last);
	for (unsigned i = 0; i < RECORD_WINDOW; i++)
		h = mix_in(h, link->early[i].size);
	return mix_in(h, link->owes);
}

/* Frames by what is in them; their numbers only say what was sent when. */
static u64 way_key(const struct way *way)
{
	/* All of a HELLO but its type is random. */
	if (link_is_hello(way->frame, way->size))
		return hash_mix(way->to << 8 | way->frame[WIRE_BODY]);
	return hash_check(way->to, way->frame + WIRE_BODY,
			  get_u16(way->frame + WIRE_ETHERNET + 2));
}

static u64 key(void)
{
	const struct source *source = &here->source;
	const struct target *target = &here->target;
	u64 h = 1, ways = 0;

	h = mix_in(h, (u64)source->state << 32 | (u64)source->search << 16 |
			      source->step);
	h = mix_in(h, (u64)source->attempt << 32 | source->saved_sent);
	h = mix_in(h, source->sender.unresolved);
	h = mix_in(h, (u64)source->code << 8 | source->heard.state);
	h = link_key(h, &source->link);
	h = mix_in(h, (u64)target->state << 32 | target->say);
	h = mix_in(h, (u64)target->attempt << 32 | target->requirements);
	h = mix_in(h, (u64)target->code << 32 | target->saved_size);
	h = link_key(h, &target->link);
	h = mix_in(h, here->guest_runs | here->target_runs << 1 |
			      here->released << 2 | here->up[0] << 3 |
			      here->up[1] << 4);
	for (unsigned i = 0; i < here->ways; i++)
		ways += way_key(&here->way[i]);
	h = mix_in(h, ways);
	for (unsigned i = 0; i < BUDGETS; i++)
		h = mix_in(h, here->left[i]);
	return h | 1;
}

static bool is_new(u64 key)
{
	u64 mask = ((u64)1 << SEEN_BITS) - 1, at = key >> 20 & mask;

	for (; seen[at] != 0; at = (at + 1) & mask)
		if (seen[at] == key)
			return false;
	if (states > mask / 2) {
		fail("too many states for the table");
		return false;
	}
	seen[at] = key;
	return true;
}

/* --- what may happen --- */

static void tick(unsigned host)
{
	u64 *clock = &here->clock[host];
	u64 wake = host == 0 ? source_wake(&here->source, *clock)
			     : target_wake(&here->target, *clock);

	if (wake != UINT64_MAX)
		*clock = wake;
	talk();
}

static void die(unsigned host)
{
	here->clock[host] += link_timers_default.dead;
	talk();
}

static void crash(unsigned host)
{
	here->up[host] = false;
	if (host == 0) {
		here->guest_runs = false;
		return;
	}
	/* It comes back, and has forgotten everything. */
	here->target_runs = false;
	here->up[1] = true;
	target_init(&here->target, &scenario.target, &target_ops, NULL,
		    here->target_memory);
}

enum {
	ARRIVE,
	DROP = ARRIVE + WAY_FRAMES,
	REPEAT = DROP + WAY_FRAMES,
	TICK = REPEAT + WAY_FRAMES,
	DIE = TICK + 2,
	CRASH = DIE + 2,
	CANCEL = CRASH + 2,
	DISCARD,
	CHOICES
};

static bool spend(enum budget budget)
{
	if (here->left[budget] == 0)
		return false;
	here->left[budget]--;
	return true;
}

/* False: it cannot happen here. */
static bool happen(unsigned choice)
{
	if (choice < TICK) {
		unsigned which = choice % WAY_FRAMES;

		if (which >= here->ways)
			return false;
		if (choice < DROP) {
			arrive(which, false);
		} else if (choice < REPEAT) {
			if (!spend(DROPS))
				return false;
			here->way[which] = here->way[--here->ways];
		} else {
			if (!spend(REPEATS))
				return false;
			arrive(which, true);
		}
		return true;
	}
	if (choice < DIE) {
		if (!here->up[choice - TICK] || !spend(TICKS))
			return false;
		tick(choice - TICK);
		return true;
	}
	if (choice < CRASH) {
		if (!here->up[choice - DIE] || !spend(DEATHS))
			return false;
		die(choice - DIE);
	} else if (choice < CANCEL) {
		if (!here->up[choice - CRASH] || !spend(CRASHES))
			return false;
		crash(choice - CRASH);
	} else if (!spend(ORDERS)) {
		return false;
	} else if (choice == CANCEL) {
		return here->up[0] &&
		       source_cancel(&here->source, here->clock[0]);
	} else {
		return target_discard(&here->target);
	}
	return true;
}

static bool both_ended(void)
{
	return (!here->up[0] || source_ended(&here->source)) &&
	       (target_ended(&here->target) ||
		here->target.state == TARGET_LISTENING);
}

/*
 * From here on nothing goes wrong any more: does it end, or wait in a state
 * with a name? Only a crash of the other may leave a doubt.
 */
static void heal(void)
{
	here->clock[0] = here->clock[1] =
		mig_max(here->clock[0], here->clock[1]);
	for (unsigned i = 0; i < 4000 && !both_ended(); i++) {
		if (here->ways != 0) {
			arrive(0, false);
		} else {
			/* One time for both, so that neither runs away. */
			u64 wake = mig_min(
				here->up[0] ? source_wake(&here->source,
							  here->clock[0])
					    : UINT64_MAX,
				target_wake(&here->target, here->clock[1]));

			if (wake == UINT64_MAX)
				break;
			here->clock[0] = here->clock[1] = wake;
			talk();
		}
		check();
	}
	healed++;
	if (!crashed() && !both_ended()) {
		fail("it does not resolve itself");
		printf("source %s, target %s\n",
		       mig_state_text(source_state(&here->source)),
		       mig_state_text(here->target.state));
	}
	if (here->up[0])
		ends[here->source.state]++;
	ends[here->target.state]++;
}

static void explore(unsigned depth)
{
	struct point *point = &stack[depth];

	deepest = mig_max(deepest, depth);
	if (states++ % HEAL_EVERY == 0) {
		copy(&stack[depth + 1], point);
		settle_in(&stack[depth + 1]);
		heal();
	}
	for (unsigned i = 0; i < CHOICES && wrong == NULL; i++) {
		if (depth + 2 == DEPTH)
			return;
		/* `here` says where the pointers of the copy point to. */
		copy(&stack[depth + 1], point);
		here = point;
		settle_in(&stack[depth + 1]);
		if (!happen(i))
			continue;
		steps++;
		check();
		if (wrong != NULL)
			printf("depth %u, choice %u\n", depth, i);
		else if (is_new(key()))
			explore(depth + 1);
	}
}

/* Everything goes well until the guest is to stop. */
static void begin(void)
{
	here = &stack[0];
	memset(here, 0, sizeof(*here));
	here->up[0] = here->up[1] = here->guest_runs = true;
	here->clock[0] = here->clock[1] = 1000;
	memset(here->memory[0], 0x5c, MIG_PAGE);
	if (source_memory(&scenario.source) > sizeof(here->source_memory) ||
	    target_memory(&scenario.target) > sizeof(here->target_memory)) {
		fprintf(stderr, "explore: too little memory\n");
		exit(2);
	}
	source_init(&here->source, &scenario.source, &source_ops, NULL,
		    here->source_memory);
	target_init(&here->target, &scenario.target, &target_ops, NULL,
		    here->target_memory);
	source_begin(&here->source, here->clock[0]);
	talk();
	while (here->source.state < SOURCE_STOPPED) {
		if (here->ways != 0)
			arrive(0, false);
		else
			here->clock[1] = here->clock[0] += 1000;
		talk();
	}
}

int main(int argc, char **argv)
{
	static const unsigned usual[BUDGETS] = {1, 0, 2, 1, 1, 1};

	scenario_plain(&scenario, 1);
	scenario.source.pages = scenario.target.pages_max = 1;
	scenario.source.state_room = scenario.target.state_room = 64;
	scenario.source.requirements = 0;
	scenario.source.policy = &policy_stop_and_copy;
	stack = calloc(DEPTH, sizeof(*stack));
	seen = calloc((size_t)1 << SEEN_BITS, sizeof(*seen));
	begin();
	for (unsigned i = 0; i < BUDGETS; i++)
		here->left[i] = i + 1 < (unsigned)argc
					? (unsigned)atoi(argv[i + 1])
					: usual[i];
	scenario.seed = here->left[CRASHES];
	explore(0);
	printf("%llu states, %llu steps, depth %llu, %llu healed: %llu done, "
	       "%llu failed, %llu source in doubt, %llu target prepared\n",
	       (unsigned long long)states, (unsigned long long)steps,
	       (unsigned long long)deepest, (unsigned long long)healed,
	       (unsigned long long)ends[SOURCE_DONE],
	       (unsigned long long)ends[SOURCE_FAILED],
	       (unsigned long long)ends[SOURCE_IN_DOUBT],
	       (unsigned long long)ends[TARGET_PREPARED]);
	if (wrong != NULL)
		printf("wrong: %s\n", wrong);
	return wrong != NULL;
}
