/*
 * Two hosts, a guest that writes its memory, and the network between them, in
 * one process and from one seed. What must never be is checked after each step,
 * what must be in the end at the end; the first violation is kept in `wrong`.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "migrate/source.h"
#include "migrate/target.h"
#include "tests/sim/net.h"

#define SIM_PAGES    64
#define SIM_STATE    8192
#define SIM_FORWARDS 64 /* frames for the guest that are passed on */

enum pattern {
	PATTERN_IDLE,
	PATTERN_UNIFORM,
	PATTERN_HOT,
	PATTERN_SEQUENTIAL,
	PATTERN_BURST,
	PATTERN_STORM,
	PATTERNS
};

enum crash { CRASH_NONE, CRASH_SOURCE, CRASH_TARGET };
enum order { ORDER_NONE, ORDER_CANCEL, ORDER_DISCARD };

/* What a seed means; experiments fill it themselves. */
struct scenario {
	u64 seed;
	u64 pages;
	enum pattern pattern;
	u64 writes;    /* per millisecond */
	unsigned fill; /* percent of pages that are not zero */
	bool noise;    /* and those are incompressible, and stay so */
	bool diligent; /* the guest makes up for all writes it is late with */
	enum crash crash;
	enum order order;
	u64 crash_at, reboots_after, order_at; /* steps; microseconds; steps */
	u32 state_size;
	bool unmet;    /* the last requirement is not met */
	bool forwards; /* frames for the guest reach the source */
	struct net_faults faults;
	struct source_config source;
	struct target_config target;
	u64 ends_at; /* at the latest */
};

struct guest {
	u8 *memory; /* SIM_PAGES pages, of the source or of the target */
	u64 dirty[SIM_PAGES / 64];
	u64 random, wrote_at, place, stopped_at;
	bool runs;
	unsigned percent;
};

struct world {
	struct scenario scenario;
	struct net net;
	u64 now, steps, random;
	u8 memory[2][SIM_PAGES * MIG_PAGE];
	u8 state[SIM_STATE];
	struct guest guest; /* at the source */
	bool source_up, target_up, target_runs, released, crashed;
	bool last_hope; /* the source crashed, and the target was prepared */
	u64 reboot_at;
	struct source source;
	struct target target;
	u8 *source_memory, *target_memory;
	size_t source_room, target_room;
	u32 forwarded; /* and which of them have come out */
	bool arrived[SIM_FORWARDS];
	u64 forward_random;
	bool trace;
	const char *wrong; /* NULL: all is well */
	u8 frame[WIRE_FRAME_MAX];
};

/* scenario.c: a scenario of everything, from a seed. */
void scenario_draw(struct scenario *scenario, u64 seed);
/* A quiet link, a guest at rest, a policy that copies once. */
void scenario_plain(struct scenario *scenario, u64 seed);

void world_init(struct world *world);
void world_run(struct world *world, const struct scenario *scenario);
/* The same in parts; a step returns whether there may be another. */
void world_begin(struct world *world, const struct scenario *scenario);
bool world_step(struct world *world);
void world_talk(struct world *world);

/* guest.c */
void guest_start(struct world *world);
void guest_catch_up(struct world *world);
void guest_last_words(struct world *world);

/* forward.c */
void forward_step(struct world *world);
void forward_arrived(void *context, const u8 *frame, size_t size);
void forward_check(struct world *world);

/* check.c */
void check_step(struct world *world);
void check_end(struct world *world);
void check_takeover(struct world *world);
void check_stood(struct world *world);
void world_wrong(struct world *world, const char *what);

#endif
