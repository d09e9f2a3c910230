/*
 * The second-level tree from inside, for the files that make it: slpt.c (what
 * is mapped, and how) and slpt_watch.c (large leaves, and watching for writes).
 * Entries are changed with single 64-bit atomic operations, since the hardware
 * of another CPU may be walking, and setting A and D bits, meanwhile.
 */
#ifndef VM_SLPT_TREE_H
#define VM_SLPT_TREE_H

#include "mm/pages.h"
#include "vm/slpt.h"

/* Level 0 is the lowest, whose entries are 4 KiB each. */
#define LEVELS	      4
#define ENTRIES	      512u
#define ADDRESS	      0x000ffffffffff000ULL
#define SHIFT(l)      (PAGE_SHIFT + 9 * (l))
#define LEVEL_SIZE(l) (1ULL << SHIFT(l))
#define GPA_LIMIT     (1ULL << SHIFT(LEVELS))

static inline unsigned index_at(u64 gpa, unsigned level)
{
	return (gpa >> SHIFT(level)) & (ENTRIES - 1);
}

static inline bool is_present(const struct slpt *slpt, u64 entry)
{
	return entry & (slpt->format->read | slpt->format->exec);
}

static inline bool is_leaf(const struct slpt *slpt, u64 entry, unsigned level)
{
	return level == 0 || (entry & slpt->format->large);
}

static inline u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & ADDRESS);
}

static inline u64 load(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static inline bool valid_range(u64 gpa, u64 size)
{
	return !((gpa | size) & PAGE_MASK) && gpa + size >= gpa &&
	       gpa + size <= GPA_LIMIT;
}

/* Every narrowing goes through here: the ledger's next line. */
static inline void note_narrowing(struct slpt *slpt, u64 gpa, const char *what)
{
	slpt->last_gpa = gpa;
	slpt->last_change = what;
	__atomic_fetch_add(&slpt->narrowed, 1, __ATOMIC_SEQ_CST);
}

/* The present leaf that holds gpa and its level; NULL when there is none. */
u64 *slpt_find_leaf(const struct slpt *slpt, u64 gpa, unsigned *level);

/*
 * The entry for gpa at `level`. With `create`, missing tables are made and
 * larger leaves on the way are split; otherwise NULL where the way ends.
 */
u64 *slpt_find_entry(struct slpt *slpt, u64 gpa, unsigned level, bool create);

/*
 * Turns a leaf into a table of 512 smaller leaves with the same rights, A and
 * D; E_NOMEM.
 */
err_t slpt_split_leaf(struct slpt *slpt, u64 *entry, unsigned level);

/* What an entry that is a leaf says. */
void slpt_describe(const struct slpt *slpt, u64 gpa, u64 entry, unsigned level,
		   struct slpt_leaf *leaf);

#endif
