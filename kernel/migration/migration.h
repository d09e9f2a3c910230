/*
 * Live migration as this host's service: the state machines of migrate/ on one
 * side; VMs, their dirty pages, the NIC and the operator on the other. One VM
 * may leave and one may arrive at a time. All of it runs on the first CPU, a
 * burst at a time between the guests' turns.
 */
#ifndef MIGRATION_MIGRATION_H
#define MIGRATION_MIGRATION_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/dirty.h"

struct vm;
struct answer;

#define MIGRATION_KEY_MAX      65
#define HOST_NAME_MAX	       24
#define MIGRATION_DOWNTIME_MAX 60000 /* ms */
#define MIGRATION_ROUNDS_MAX   64
#define MIGRATION_CACHE_MAX    MIB(512)

/* How a VM is to move; the configuration's, or as the operator asks. */
struct migration_options {
	unsigned policy;   /* place in migration_policies */
	unsigned downtime; /* ms that the downtime policy aims at */
	unsigned rounds;   /* at most */
	unsigned dirty;	   /* enum dirty_way; DIRTY_OFF: the best there is */
	unsigned security; /* enum wire_security */
	unsigned codecs;   /* bits of enum page_codec */
	u64 limit;	   /* bytes per second, 0: none */
	u64 cache;	   /* bytes, of the delta codec */
	bool dry_run;
};

extern const char *const migration_policies[];
extern const char *const migration_securities[];
extern const char *const migration_ways[]; /* best, wp, dbit, pml */

enum migration_listen { LISTEN_AUTO, LISTEN_NO, LISTEN_YES };

/* The section [migrate]. */
struct migration_config {
	char key[MIGRATION_KEY_MAX];
	unsigned listen;  /* auto: when there is a key, or none is needed */
	unsigned buffers; /* for frames to be sent; 0: 4 MiB of them */
	bool show_keys;	  /* the log has each session's, for captures */
	bool both_ends;	  /* this host may be both: see to_itself() */
	struct migration_options options;
};

/* The bits that "all", "none" or "word,lz4" says; false: it says none. */
bool migration_codecs(const char *text, size_t size, unsigned *codecs);

void migration_init(const struct migration_config *config, const char *host);

/*
 * The first CPU's turn. True: there is more to do at once. Guests that share
 * the CPU get it back after a bounded time.
 */
bool migration_poll(void);
u64 migration_wake(void); /* host TSC by which to call again, ~0: never */

/* One leaves, or arrives, or has not been told of yet. */
bool migration_busy(void);

/* The VM is being taken apart: whatever moves it ends. */
void migration_forget(struct vm *vm);

/* --- the operator's words; each says what was wrong */

void migration_start(struct answer *a, struct vm *vm, const char *host,
		     const struct migration_options *options);
const struct migration_options *migration_defaults(void);
void migration_status(struct answer *a);
void migration_cancel(struct answer *a);
/* Until none is busy, or for so many seconds; 0: however long it takes. */
void migration_wait(struct answer *a, u64 seconds);
/* In doubt: the source's resume and release, the target's run and discard. */
void migration_in_doubt(struct answer *a);
void migration_force_source(struct answer *a, bool resume);
void migration_force_target(struct answer *a, bool run);

#endif
