/*
 * The radix tree behind EPT and NPT: four levels of 512 entries, leaves at the
 * lowest three. Entries are changed with single 64-bit atomic stores, since the
 * hardware of another CPU may be walking, and setting A and D bits, meanwhile.
 */
#include "vm/slpt.h"

#include "lib/string.h"
#include "mm/pages.h"

#define LEVELS	      4
#define ENTRIES	      512u
#define ADDRESS	      0x000ffffffffff000ULL
#define SHIFT(l)      (PAGE_SHIFT + 9 * (l))
#define LEVEL_SIZE(l) (1ULL << SHIFT(l))
#define GPA_LIMIT     (1ULL << SHIFT(LEVELS))

static unsigned index_at(u64 gpa, unsigned level)
{
	return (gpa >> SHIFT(level)) & (ENTRIES - 1);
}

static bool is_present(const struct slpt *slpt, u64 entry)
{
	return entry & (slpt->format->read | slpt->format->exec);
}

static bool is_leaf(const struct slpt *slpt, u64 entry, unsigned level)
{
	return level == 0 || (entry & slpt->format->large);
}

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & ADDRESS);
}

static u64 load(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* Every narrowing goes through here. */
static void note_narrowing(struct slpt *slpt, u64 gpa, const char *what)
{
	slpt->last_gpa = gpa;
	slpt->last_change = what;
	__atomic_fetch_add(&slpt->narrowed, 1, __ATOMIC_SEQ_CST);
}

static u64 rights_to_bits(const struct slpt_format *f, u32 rights)
{
	u64 bits = 0;

	if (rights & SLPT_READ)
		bits |= f->read;
	if (rights & SLPT_WRITE)
		bits |= f->write;
	bits |= rights & SLPT_EXEC ? f->exec : f->no_exec;
	return bits;
}

static u32 bits_to_rights(const struct slpt_format *f, u64 entry)
{
	bool exec = f->exec ? entry & f->exec : !(entry & f->no_exec);

	return (entry & f->read ? SLPT_READ : 0) |
	       (entry & f->write ? SLPT_WRITE : 0) | (exec ? SLPT_EXEC : 0);
}

static u64 make_leaf(const struct slpt *slpt, u64 hpa, u32 rights,
		     unsigned level)
{
	const struct slpt_format *f = slpt->format;

	return hpa | f->leaf | rights_to_bits(f, rights) |
	       (level ? f->large : 0);
}

err_t slpt_init(struct slpt *slpt, const struct slpt_format *format)
{
	memset(slpt, 0, sizeof(*slpt));
	slpt->format = format;
	slpt->root = page_alloc_zeroed(0);
	slpt->pages = 1;
	return slpt->root ? E_OK : E_NOMEM;
}

static void free_table(struct slpt *slpt, u64 phys, unsigned level)
{
	const u64 *table = phys_to_virt(phys);

	for (unsigned i = 0; level && i < ENTRIES; i++)
		if (is_present(slpt, table[i]) &&
		    !is_leaf(slpt, table[i], level))
			free_table(slpt, table[i] & ADDRESS, level - 1);
	page_free(phys, 0);
	slpt->pages--;
}

void slpt_free_retired(struct slpt *slpt)
{
	while (slpt->retired_count)
		page_free(slpt->retired[--slpt->retired_count], 0);
}

void slpt_free(struct slpt *slpt)
{
	slpt_free_retired(slpt);
	if (slpt->root)
		free_table(slpt, slpt->root, LEVELS - 1);
	slpt->root = 0;
}

/* Turns a leaf into a table of 512 smaller leaves with the same A and D. */
static err_t split(struct slpt *slpt, u64 *entry, unsigned level)
{
	const struct slpt_format *f = slpt->format;
	u64 old = load(entry), seen, keep, step = LEVEL_SIZE(level - 1);
	u64 phys = page_alloc(0);
	u64 *table;

	if (!phys)
		return E_NOMEM;
	table = phys_to_virt(phys);
	do {
		seen = old;
		keep = old & ~f->large;
		if (level > 1)
			keep |= f->large;
		for (unsigned i = 0; i < ENTRIES; i++)
			table[i] = keep + i * step;
		/* The hardware may set A or D while we copy: then again. */
	} while (!__atomic_compare_exchange_n(entry, &old, phys | f->table,
					      false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST) &&
		 old != seen);
	slpt->pages++;
	slpt->splits++;
	return E_OK;
}

/*
 * The entry for gpa at `level`. With `create`, missing tables are made and
 * larger leaves on the way are split; otherwise NULL where the way ends.
 */
static u64 *find_entry(struct slpt *slpt, u64 gpa, unsigned level, bool create)
{
	u64 *table = phys_to_virt(slpt->root);

	for (unsigned l = LEVELS - 1; l > level; l--) {
		u64 *entry = &table[index_at(gpa, l)];
		u64 value = load(entry);

		if (is_present(slpt, value) && is_leaf(slpt, value, l)) {
			if (!create || split(slpt, entry, l))
				return NULL;
		} else if (!is_present(slpt, value)) {
			u64 phys = create ? page_alloc_zeroed(0) : 0;

			if (!phys)
				return NULL;
			slpt->pages++;
			__atomic_store_n(entry, phys | slpt->format->table,
					 __ATOMIC_RELEASE);
		}
		table = table_of(load(entry));
	}
	return &table[index_at(gpa, level)];
}

static unsigned leaf_level(const struct slpt *slpt, u64 gpa, u64 hpa, u64 size,
			   u64 max_leaf)
{
	unsigned level = slpt->format->max_level;

	while (level &&
	       (LEVEL_SIZE(level) > max_leaf || LEVEL_SIZE(level) > size ||
		((gpa | hpa) & (LEVEL_SIZE(level) - 1))))
		level--;
	return level;
}

static bool valid_range(u64 gpa, u64 size)
{
	return !((gpa | size) & PAGE_MASK) && gpa + size >= gpa &&
	       gpa + size <= GPA_LIMIT;
}

err_t slpt_map(struct slpt *slpt, u64 gpa, u64 hpa, u64 size, u32 rights,
	       u64 max_leaf)
{
	if (!valid_range(gpa, size) || (hpa & ~ADDRESS) || !rights)
		return E_INVALID;
	while (size) {
		unsigned level = leaf_level(slpt, gpa, hpa, size, max_leaf);
		u64 *entry = find_entry(slpt, gpa, level, true);
		u64 step = LEVEL_SIZE(level), old;

		if (!entry)
			return E_NOMEM;
		old = __atomic_exchange_n(entry,
					  make_leaf(slpt, hpa, rights, level),
					  __ATOMIC_SEQ_CST);
		if (is_present(slpt, old)) {
			note_narrowing(slpt, gpa, "remapped");
			if (!is_leaf(slpt, old, level))
				free_table(slpt, old & ADDRESS, level - 1);
		}
		gpa += step;
		hpa += step;
		size -= step;
	}
	return E_OK;
}

/* The present leaf that holds gpa and its level; NULL when there is none. */
static u64 *find_leaf(const struct slpt *slpt, u64 gpa, unsigned *level)
{
	u64 *table = phys_to_virt(slpt->root);

	for (unsigned l = LEVELS - 1;; l--) {
		u64 *entry = &table[index_at(gpa, l)];
		u64 value = load(entry);

		*level = l;
		if (!is_present(slpt, value))
			return NULL;
		if (is_leaf(slpt, value, l))
			return entry;
		table = table_of(value);
	}
}

/*
 * Takes every leaf in the range out, or gives it these rights; splits leaves
 * that reach beyond it, unless they have those rights already.
 */
static err_t change_leaves(struct slpt *slpt, u64 gpa, u64 size, u32 rights,
			   bool unmap)
{
	u64 end = gpa + size;

	if (!valid_range(gpa, size))
		return E_INVALID;
	while (gpa < end) {
		unsigned level;
		u64 *entry = find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level), start = gpa & ~(step - 1), old;

		if (!entry ||
		    (!unmap &&
		     bits_to_rights(slpt->format, load(entry)) == rights)) {
			gpa = start + step;
			continue;
		}
		if (start < gpa || start + step > end) {
			err_t err = split(slpt, entry, level);

			if (err)
				return err;
			continue;
		}
		old = load(entry);
		while (!__atomic_compare_exchange_n(
			entry, &old,
			unmap ? 0
			      : (old & ~rights_to_bits(slpt->format, SLPT_RWX) &
				 ~slpt->format->no_exec) |
					rights_to_bits(slpt->format, rights),
			false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		if (unmap || (bits_to_rights(slpt->format, old) & ~rights))
			note_narrowing(slpt, gpa,
				       unmap ? "unmapped" : "rights taken");
		gpa = start + step;
	}
	return E_OK;
}

err_t slpt_unmap(struct slpt *slpt, u64 gpa, u64 size)
{
	return change_leaves(slpt, gpa, size, 0, true);
}

err_t slpt_protect(struct slpt *slpt, u64 gpa, u64 size, u32 rights)
{
	if (!rights)
		return E_INVALID;
	return change_leaves(slpt, gpa, size, rights, false);
}

static void describe(const struct slpt *slpt, u64 gpa, u64 entry,
		     unsigned level, struct slpt_leaf *leaf)
{
	const struct slpt_format *f = slpt->format;
	u64 size = LEVEL_SIZE(level);

	leaf->gpa = gpa & ~(size - 1);
	leaf->hpa = entry & ADDRESS & ~(size - 1);
	leaf->size = size;
	leaf->rights = bits_to_rights(f, entry);
	leaf->accessed = entry & f->accessed;
	leaf->dirty = entry & f->dirty;
}

bool slpt_lookup(const struct slpt *slpt, u64 gpa, struct slpt_leaf *leaf)
{
	unsigned level;
	const u64 *entry;

	if (gpa >= GPA_LIMIT)
		return false;
	entry = find_leaf(slpt, gpa, &level);
	if (entry)
		describe(slpt, gpa, load(entry), level, leaf);
	return entry;
}

err_t slpt_split(struct slpt *slpt, u64 gpa, u64 size, u64 leaf_size)
{
	u64 end = gpa + size;

	if (!valid_range(gpa, size))
		return E_INVALID;
	while (gpa < end) {
		unsigned level;
		u64 *entry = find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level);
		err_t err;

		if (entry && step > leaf_size) {
			err = split(slpt, entry, level);
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
	entry = find_entry(slpt, gpa, level, false);
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
		describe(slpt, gpa, entry, level, &leaf);
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
		u64 *entry = find_leaf(slpt, gpa, &level);
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

struct harvest {
	slpt_found found;
	void *context;
	u64 count;
};

static bool harvest_leaf(struct slpt *slpt, u64 *entry, u64 gpa, unsigned level,
			 void *context)
{
	struct harvest *h = context;

	if (!take(entry, slpt->format->dirty))
		return false;
	h->count++;
	if (h->found)
		h->found(h->context, gpa, LEVEL_SIZE(level));
	return true;
}

u64 slpt_harvest_dirty(struct slpt *slpt, u64 gpa, u64 size, slpt_found found,
		       void *context)
{
	struct harvest h = {found, context, 0};

	if (slpt->format->dirty && valid_range(gpa, size))
		each_leaf(slpt, gpa, gpa + size, ~0u, harvest_leaf, &h);
	return h.count;
}
