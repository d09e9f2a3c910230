/*
 * Second-level page tables: guest physical to host physical, for EPT and NPT
 * alike. The two formats differ in which bit means what; that is a table
 * (struct slpt_format), the walking is one piece of code.
 *
 * The flush ledger: every narrowing (an entry loses a right, a mapping or an
 * A/D bit) raises `narrowed`. A CPU that flushes the guest's translations in
 * hardware notes in the vCPU up to which narrowing it has seen. Entering a
 * guest with an older note is a bug that emulators hide; the run loop catches
 * it before every entry.
 */
#ifndef VM_SLPT_H
#define VM_SLPT_H

#include "lib/error.h"
#include "lib/types.h"

#define SLPT_READ  1u
#define SLPT_WRITE 2u
#define SLPT_EXEC  4u
#define SLPT_RWX   7u

/* How one vendor writes an entry. Masks are or-ed in; 0 where it has none. */
struct slpt_format {
	const char *name;
	u64 table;    /* a non-leaf entry's fixed bits */
	u64 leaf;     /* a leaf's fixed bits (memory type, ...) */
	u64 large;    /* leaf at a level above the lowest */
	u64 read;     /* set: may read (all of these: present) */
	u64 write;    /* set: may write */
	u64 exec;     /* set: may execute */
	u64 no_exec;  /* set: may not execute */
	u64 accessed; /* 0: not available */
	u64 dirty;
	unsigned max_level; /* of a leaf: 0 4K, 1 2M, 2 1G */
};

#define SLPT_RETIRED 32

struct slpt {
	const struct slpt_format *format;
	u64 root;		   /* physical */
	u64 pages;		   /* tables in use, for `info` */
	u64 splits;		   /* of large leaves, so far */
	u64 merges;		   /* into large leaves */
	u64 retired[SLPT_RETIRED]; /* tables that only stale walks can reach */
	unsigned retired_count;
	u64 narrowed; /* ledger: narrowings so far */
	u64 last_gpa; /* ... and where and what the last one was */
	const char *last_change;
};

/* A page's translation as it stands. */
struct slpt_leaf {
	u64 gpa, hpa; /* of the leaf's start */
	u64 size;
	u32 rights; /* SLPT_* */
	bool accessed, dirty;
};

err_t slpt_init(struct slpt *slpt, const struct slpt_format *format);
void slpt_free(struct slpt *slpt);

/*
 * Maps [gpa, gpa+size) to hpa, all multiples of 4 KiB, with the largest leaves
 * that alignment and max_leaf (a size: 4K, 2M, 1G) allow. What is mapped there
 * already is replaced (a narrowing). Replacing frees tables that the hardware
 * may be walking: only while no vCPU of the VM is in the guest.
 */
err_t slpt_map(struct slpt *slpt, u64 gpa, u64 hpa, u64 size, u32 rights,
	       u64 max_leaf);
err_t slpt_unmap(struct slpt *slpt, u64 gpa, u64 size);

/* Sets the rights of what is mapped in the range; splits leaves as needed. */
err_t slpt_protect(struct slpt *slpt, u64 gpa, u64 size, u32 rights);

bool slpt_lookup(const struct slpt *slpt, u64 gpa, struct slpt_leaf *leaf);

/* Splits every leaf in the range down to size (4K or 2M), keeping A and D. */
err_t slpt_split(struct slpt *slpt, u64 gpa, u64 size, u64 leaf_size);

/*
 * Tries to merge 512 leaves of equal rights back into one at gpa: a narrowing,
 * after whose flush slpt_free_retired() gives back the table. No more than
 * SLPT_RETIRED of them wait for that; then nothing is merged.
 */
bool slpt_merge(struct slpt *slpt, u64 gpa, u64 leaf_size);
void slpt_free_retired(struct slpt *slpt);

/* Calls visit for every leaf in order; stops early when it returns false. */
typedef bool (*slpt_visit)(void *context, const struct slpt_leaf *leaf);
void slpt_walk(const struct slpt *slpt, slpt_visit visit, void *context);

/* How leaves are made to show writes. None of these splits or merges. */
enum slpt_watching {
	SLPT_WATCH_NONE,  /* everything may be written */
	SLPT_WATCH_RIGHT, /* nothing may */
	SLPT_WATCH_DIRTY, /* no D is set; large leaves may not be written */
};

/*
 * Does that to the leaves in [gpa, end), also to those that reach beyond it; no
 * more than `budget` entries. Where to go on: `end` when all is done.
 */
u64 slpt_watch(struct slpt *slpt, u64 gpa, u64 end, enum slpt_watching watching,
	       unsigned budget);

/* Nothing changes, but counts as a narrowing: all CPUs are to flush. */
void slpt_forget(struct slpt *slpt);

/*
 * Harvests D bits: for every leaf in the range that is dirty, clears D
 * (atomically) and calls found, if any. Returns how many; a narrowing if any.
 */
typedef void (*slpt_found)(void *context, u64 gpa, u64 size);
u64 slpt_harvest_dirty(struct slpt *slpt, u64 gpa, u64 size, slpt_found found,
		       void *context);

#endif
