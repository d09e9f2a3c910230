/*
 * Inside the service, and which file does what:
 *
 *	channel.c   the NIC
 *	options.c   how to say how
 *	service.c   the loop: frames in, frames out, time
 *	outgoing.c  the VM that leaves
 *	incoming.c  the VMs that arrive, or have
 *	needs.c     what a VM asks of its next host, and what this one has
 *	tell.c      what people and programs are told
 *	trace.c     what a trace tells
 *	operator.c  what people and programs say
 */
#ifndef MIGRATION_PARTS_H
#define MIGRATION_PARTS_H

#include "migrate/forward.h"
#include "migrate/source.h"
#include "migrate/target.h"
#include "migration/migration.h"

struct vm;

/* Microseconds, the state machines' clock. */
u64 migration_now(void);
/* The same for both ends; `security` and `codecs` may be the operator's. */
void migration_link(struct link_config *link, unsigned security,
		    unsigned codecs);
bool migration_may_speak(unsigned security); /* there is a key, or no need */
bool migration_shows_keys(void);
/*
 * Both ends may be this host, by `both-ends`: its source then has an address of
 * its own, and what arrives a name of its own.
 */
bool migration_is_here(const char *host);
bool migration_to_itself(const char *host);
void migration_other_end(u8 mac[6]);
/*
 * The libraries below are compiled for user land: they use SSE, whose registers
 * may hold a guest's, and look for a canary at FS:0x28. To be called before
 * they are, and after whatever may have let a guest run on this CPU meanwhile,
 * since we may be called back from them.
 */
void migration_take_cpu(void);
void migration_random(void *context, u8 *to, size_t size);

/* --- outgoing.c */

/* When what happened at the end of a migration, in nanoseconds; 0: not yet. */
struct handover {
	u64 stop, stopped; /* the command to stop, nothing runs any more */
	u64 saved;	   /* the state was taken */
	u64 pages;	   /* the last page had arrived, */
	u64 prepare;	   /* and the state with it */
	u64 commit, done;
};

struct outgoing {
	bool active;
	struct vm *vm;
	struct source *source;
	struct source_config config;
	enum dirty_way way;
	bool tracking, frozen;
	u8 *memory;
	struct requirement *needs;
	struct handover at;
	struct dirty_stats dirty;
	enum source_state seen; /* when it was looked at last */
	bool told;		/* its end */
	u32 told_rounds, told_sessions, traced_rounds;
	u64 traced_until; /* TSC, of the last of them */
	u64 began;
	u64 told_at;	 /* ns, of the last word on how it goes */
	u64 told_bytes;	 /* that had been sent then */
	u32 passed;	 /* of a frame that is being passed on */
	const char *why; /* it cannot go on for a reason of ours */
};

extern struct outgoing outgoing;

err_t outgoing_start(struct vm *vm, const char *host,
		     const struct migration_options *options);
/* States that changed, times, ends. */
void outgoing_look(void);
bool outgoing_busy(void);
bool outgoing_untold(void); /* busy, or its end has not been told */
bool outgoing_is_for(const u8 *frame, u32 size);

/* --- incoming.c */

#define INCOMING_KEPT 4 /* that have ended; their sources may still ask */

#define HUSH_NS (50 * NS_PER_MS) /* no text while the guest stands, at most */

struct incoming {
	struct target *target;
	struct target_config config;
	u8 *memory;
	struct vm *vm;
	char why[128]; /* it could not be built */
	bool built;    /* from its state, at least once */
	bool hushed;   /* no text until the source knows that the guest runs */
	enum target_state seen;
	char vm_name[WIRE_NAME];
	char peer[WIRE_NAME];			  /* its name, or its address */
	u64 began, loaded_at, restore_ns, run_ns; /* ns */
};

/* The first one listens or is at work; the others have ended. */
extern struct incoming *incoming[1 + INCOMING_KEPT];

err_t incoming_listen(void);
void incoming_look(void);
bool incoming_busy(void);
void incoming_make_room(const u8 *frame, u32 size);
bool incoming_is_for(const struct incoming *in, const u8 *frame, u32 size);

/* --- needs.c */

#define NEEDS_MAX 256

unsigned needs_of(const struct vm *vm, struct requirement *needs, unsigned max);
u64 needs_have(const struct requirement *need);

/* --- tell.c */

void tell_outgoing(const struct outgoing *out, const char *change);
void tell_keys(const struct outgoing *out);
void tell_round(const struct outgoing *out);
void tell_progress(const struct outgoing *out);
void tell_done(const struct outgoing *out);
void tell_failed(const struct outgoing *out);
void tell_dry(const struct outgoing *out);
void tell_incoming(const struct incoming *in, const char *change);

#endif
