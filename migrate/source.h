/*
 * The source of a migration: a state machine that is told of frames and of the
 * time, and hands out frames. It calls back for memory, the dirty log and the
 * guest's life. Until it has handed out its first COMMIT the guest may run on
 * here whatever happens; from then on only the target's word decides
 * (docs/wire.md, "The commit").
 *
 * source.c and target.c have the same outline: set-up, the session, records in,
 * what the state does next, frames out, the operator.
 */
#ifndef MIGRATE_SOURCE_H
#define MIGRATE_SOURCE_H

#include "migrate/link.h"
#include "migrate/policy.h"
#include "migrate/predict.h"
#include "migrate/report.h"
#include "migrate/sender.h"

struct source_ops {
	/* Sets the bits of pages written since the last call, and forgets. */
	void (*harvest)(void *context, u64 *bitmap);
	/* Returns when: the clock has gone on since the source was told. */
	u64 (*stop)(void *context);
	void (*resume)(void *context);
	/* The guest is to have `percent` of its time. */
	void (*throttle)(void *context, unsigned percent);
	/* The stopped guest's canonical state; its size, 0: it has none. */
	size_t (*save)(void *context, u8 *to, size_t room);
	/* The VM is the target's; memory may be reused. */
	void (*release)(void *context);
	const u8 *(*page)(void *context, u64 page);
	void (*random)(void *context, u8 *to, size_t size);
};

struct source_config {
	struct link_config link;
	char target[WIRE_NAME]; /* empty: whoever listens */
	u8 target_mac[6];	/* all ones: find it */
	char vm[WIRE_NAME];
	u64 pages;
	const u8 *zero_page; /* NULL, or what page() returns for known zeroes */
	u32 state_room;	     /* bytes set aside for the state */
	u32 cache_lines;     /* of the delta codec, 4 KiB each */
	u64 rate;	     /* bytes per second, 0: unlimited */
	bool dry_run;
	const struct policy *policy;
	struct policy_params params;
	const struct requirement *requirement;
	u32 requirements;
};

/* What a dry run has seen so far. */
struct source_dry {
	u64 began_at, next_at; /* next_at 0: it does not watch */
	u32 train, said;       /* the first filler's sequence, how many */
	u32 acked[2];	       /* the first and the last that was, */
	u64 acked_at[2];       /* and when */
	u64 resent;	       /* records before, to see that none was lost */
	struct predict_input input;
};

enum source_search { SEARCH_NONE, SEARCH_SEEK, SEARCH_OFFER };

struct source {
	const struct source_config *config;
	const struct source_ops *ops;
	void *context;
	enum source_state state; /* never SEEKING or OFFERING: see search */
	enum source_search search;
	struct link link;
	struct sender sender;

	u8 migration[16], secret[32];
	struct hello offer;
	u8 offer_body[HELLO_SIZE];
	u64 search_at, lost_at, began_at, stopped_at;
	bool had_session, copying_began, stopped, prepared_once, unknown;
	bool forwards; /* the caller's: keep the session after DONE */

	u32 step; /* of what is being said in this state */
	u32 attempt;
	u8 *saved;
	u32 saved_size, saved_sent;
	u64 memory_hash, state_hash, certificate;
	u64 low, high; /* DIFFERS: the first wrong page lies in [low, high) */

	struct control heard; /* the target's last head */
	bool heard_any;
	struct round_stats round;
	u64 bandwidth;	     /* of the latest round that tells it, */
	bool bandwidth_told; /* if there was one */
	u64 round_until;     /* a round without pages is not over at once */
	u64 round_at, round_pages, round_bytes, round_again, round_zero;
	struct report report;
	struct source_dry dry;
	struct requirement refused;
	u64 refused_have;
	unsigned code;
};

/* Memory for everything; frames need config.link.frame_size more at output. */
size_t source_memory(const struct source_config *config);
void source_init(struct source *source, const struct source_config *config,
		 const struct source_ops *ops, void *context, u8 *memory);
void source_begin(struct source *source, u64 now);

/* The frame is deciphered in place. */
void source_input(struct source *source, u64 now, u8 *frame, size_t size);
/* The next frame that is due, or 0. Called until it gives 0. */
size_t source_output(struct source *source, u64 now, u8 *frame);
/* When to call source_output() next if no frame comes before. */
u64 source_wake(const struct source *source, u64 now);

/* False: too late, the target may have the VM. */
bool source_cancel(struct source *source, u64 now);
/*
 * IN_DOUBT only, by an operator who knows that the target does not run the VM
 * (resume) or that it does (not resume).
 */
bool source_force(struct source *source, u64 now, bool resume);

/* For how long the guest has stood still: `now` may be of before that. */
static inline u64 source_stood(const struct source *source, u64 now)
{
	return mig_max(now, source->stopped_at) - source->stopped_at;
}

/* As the specification names it, with SEEKING and OFFERING. */
enum source_state source_state(const struct source *source);
bool source_ended(const struct source *source);

/* source_round.c: rounds, their statistics, the policy's answer. */
void source_round_first(struct source *source, u64 now);
void source_round_next(struct source *source, u64 now);
void source_stop(struct source *source, u64 now);
void source_finish_report(struct source *source, u64 now);

/* source_dry.c: from READY to the prediction. */
void source_dry_begin(struct source *source, u64 now);
void source_dry_say(struct source *source);
void source_dry_heard(struct source *source, u64 now);
void source_dry_look(struct source *source, u64 now);
u64 source_dry_wake(const struct source *source);

/* source_say.c: queues the next record that the state asks for. */
void source_say(struct source *source, u64 now);

/* source_session.c: finding the target. */
size_t source_search_output(struct source *source, u64 now, u8 *frame);
void source_search_input(struct source *source, u64 now, const u8 *frame,
			 size_t size);
void source_search_start(struct source *source, u64 now);
void source_session_up(struct source *source, u64 now);

/* source.c: the ends; the guest runs on after the first two. */
void source_abort(struct source *source, u64 now, unsigned code);
void source_fail(struct source *source, u64 now, unsigned code);
void source_done(struct source *source, u64 now);

#endif
