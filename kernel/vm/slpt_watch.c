/*
 * The tree's large leaves, split and merged, and its leaves made to show that
 * they are written: what dirty tracking makes of slpt.c.
 */
#include "vm/slpt_tree.h"

err_t slpt_split(struct slpt *slpt, u64 gpa, u64 size, u64 leaf_size)
{
	u64 end = gpa + size;

	if (!valid_range(gpa, size))
		return E_INVALID;
	while (gpa < end) {
		unsigned level;
		u64 *entry = slpt_find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level);
		err_t err;

		if (entry && step > leaf_size) {
			err = slpt_split_leaf(slpt, entry, level);
			if (err)
				return err;
			continue;
		}
		gpa = (gpa & ~(step - 1)) + step;
	}
	return E_OK;
}

/* Do 512 entries make up one leaf? A and D of all of them are gathered. */
static bool mergeable(const struct slpt *slpt, const u64 *table, unsigned level,
		      u64 *merged)
{
	u64 seen = slpt->format->accessed | slpt->format->dirty;
	u64 step = LEVEL_SIZE(level - 1), first = table[0] & ~seen;

	if (!is_present(slpt, first) || !is_leaf(slpt, first, level - 1) ||
	    (first & ADDRESS & (LEVEL_SIZE(level) - 1)))
		return false;
	*merged = first | slpt->format->large;
	for (unsigned i = 0; i < ENTRIES; i++) {
		if ((table[i] & ~seen) != first + i * step)
			return false;
		*merged |= table[i] & seen;
	}
	return true;
}

/*
 * The old translations stay right (same memory, same rights), but processors
 * may go on walking the small table, and writing A and D bits to it, until they
 * have flushed: a narrowing, and the table is freed later.
 */
bool slpt_merge(struct slpt *slpt, u64 gpa, u64 leaf_size)
{
	unsigned level = leaf_size == LEVEL_SIZE(2) ? 2 : 1;
	u64 *entry, old, merged;

	if (leaf_size != LEVEL_SIZE(level) || level > slpt->format->max_level ||
	    (gpa & (leaf_size - 1)) || gpa >= GPA_LIMIT ||
	    slpt->retired_count == SLPT_RETIRED)
		return false;
	entry = slpt_find_entry(slpt, gpa, level, false);
	if (!entry)
		return false;
	old = load(entry);
	if (!is_present(slpt, old) || is_leaf(slpt, old, level) ||
	    !mergeable(slpt, table_of(old), level, &merged))
		return false;
	__atomic_store_n(entry, merged, __ATOMIC_SEQ_CST);
	note_narrowing(slpt, gpa, "merged");
	slpt->retired[slpt->retired_count++] = old & ADDRESS;
	slpt->pages--;
	slpt->merges++;
	return true;
}

void slpt_free_retired(struct slpt *slpt)
{
	while (slpt->retired_count)
		page_free(slpt->retired[--slpt->retired_count], 0);
}

static bool walk_table(const struct slpt *slpt, u64 phys, u64 gpa,
		       unsigned level, slpt_visit visit, void *context)
{
	const u64 *table = phys_to_virt(phys);

	for (unsigned i = 0; i < ENTRIES; i++, gpa += LEVEL_SIZE(level)) {
		u64 entry = load(&table[i]);
		struct slpt_leaf leaf;

		if (!is_present(slpt, entry))
			continue;
		if (!is_leaf(slpt, entry, level)) {
			if (!walk_table(slpt, entry & ADDRESS, gpa, level - 1,
					visit, context))
				return false;
			continue;
		}
		slpt_describe(slpt, gpa, entry, level, &leaf);
		if (!visit(context, &leaf))
			return false;
	}
	return true;
}

void slpt_walk(const struct slpt *slpt, slpt_visit visit, void *context)
{
	walk_table(slpt, slpt->root, 0, LEVELS - 1, visit, context);
}

/* --- watching for writes */

/* True: the entry was narrowed. */
typedef bool (*leaf_action)(struct slpt *slpt, u64 *entry, u64 gpa,
			    unsigned level, void *context);

/*
 * Every leaf from gpa on, after at most `budget` entries; where it stopped.
 * Within a table it goes on without coming down from the root again.
 */
static u64 each_leaf(struct slpt *slpt, u64 gpa, u64 end, unsigned budget,
		     leaf_action act, void *context)
{
	u64 narrowed_at = ~0ULL;

	while (gpa < end && budget) {
		unsigned level;
		u64 *entry = slpt_find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level);

		gpa &= ~(step - 1);
		do {
			if (entry && act(slpt, entry++, gpa, level, context))
				narrowed_at = gpa;
			gpa += step;
			budget--;
		} while (entry && gpa < end && budget && index_at(gpa, level) &&
			 is_present(slpt, load(entry)) &&
			 is_leaf(slpt, load(entry), level));
	}
	if (narrowed_at != ~0ULL)
		note_narrowing(slpt, narrowed_at, "watched for writes");
	return MIN(gpa, end);
}

/* Takes bits from an entry that other processors' walks may be changing. */
static bool take(u64 *entry, u64 bits)
{
	if (!(load(entry) & bits))
		return false;
	__atomic_fetch_and(entry, ~bits, __ATOMIC_SEQ_CST);
	return true;
}

static bool watch_leaf(struct slpt *slpt, u64 *entry, u64 gpa, unsigned level,
		       void *context)
{
	const struct slpt_format *f = slpt->format;
	enum slpt_watching watching = *(const enum slpt_watching *)context;

	if (watching == SLPT_WATCH_NONE) {
		__atomic_fetch_or(entry, f->write, __ATOMIC_SEQ_CST);
		return false;
	}
	return take(entry, watching == SLPT_WATCH_RIGHT || level
				   ? f->write | f->dirty
				   : f->dirty);
}

u64 slpt_watch(struct slpt *slpt, u64 gpa, u64 end, enum slpt_watching watching,
	       unsigned budget)
{
	return each_leaf(slpt, gpa, end, budget, watch_leaf, &watching);
}

void slpt_forget(struct slpt *slpt)
{
	note_narrowing(slpt, 0, "to be forgotten");
}

/* How many of these entries, one behind the other, have none of the bits. */
static unsigned without(const u64 *entry, unsigned n, u64 bits)
{
	unsigned i = 0;

	while (n - i >= 4 && !((load(entry + i) | load(entry + i + 1) |
				load(entry + i + 2) | load(entry + i + 3)) &
			       bits))
		i += 4;
	while (i < n && !(load(entry + i) & bits))
		i++;
	return i;
}

/* Most pages were not written: a loop that calls nobody for them. */
u64 slpt_harvest_dirty(struct slpt *slpt, u64 gpa, u64 size, slpt_found found,
		       void *context)
{
	u64 end = gpa + size, dirty = slpt->format->dirty, count = 0, last = 0;

	if (!dirty || !valid_range(gpa, size))
		return 0;
	while (gpa < end) {
		unsigned level, n = 1;
		u64 *entry = slpt_find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level);

		gpa &= ~(step - 1);
		if (entry && level == 0)
			n = (unsigned)MIN(ENTRIES - index_at(gpa, 0),
					  (end - gpa) >> PAGE_SHIFT);
		for (unsigned i = 0; entry && i < n; i++) {
			i += without(entry + i, n - i, dirty);
			if (i == n || !is_present(slpt, load(entry + i)))
				continue;
			(void)take(entry + i, dirty);
			last = gpa + i * step;
			if (found)
				found(context, last, step);
			count++;
		}
		gpa += n * step;
	}
	if (count)
		note_narrowing(slpt, last, "watched for writes");
	return count;
}
