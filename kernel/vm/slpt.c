/*
 * The radix tree behind EPT and NPT: four levels of 512 entries, leaves at the
 * lowest three. Here is what is mapped where, and with which rights.
 */
#include "lib/string.h"
#include "vm/slpt_tree.h"

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

void slpt_free(struct slpt *slpt)
{
	slpt_free_retired(slpt);
	if (slpt->root)
		free_table(slpt, slpt->root, LEVELS - 1);
	slpt->root = 0;
}

err_t slpt_split_leaf(struct slpt *slpt, u64 *entry, unsigned level)
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

u64 *slpt_find_entry(struct slpt *slpt, u64 gpa, unsigned level, bool create)
{
	u64 *table = phys_to_virt(slpt->root);

	for (unsigned l = LEVELS - 1; l > level; l--) {
		u64 *entry = &table[index_at(gpa, l)];
		u64 value = load(entry);

		if (is_present(slpt, value) && is_leaf(slpt, value, l)) {
			if (!create || slpt_split_leaf(slpt, entry, l))
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

err_t slpt_map(struct slpt *slpt, u64 gpa, u64 hpa, u64 size, u32 rights,
	       u64 max_leaf)
{
	if (!valid_range(gpa, size) || (hpa & ~ADDRESS) || !rights)
		return E_INVALID;
	while (size) {
		unsigned level = leaf_level(slpt, gpa, hpa, size, max_leaf);
		u64 *entry = slpt_find_entry(slpt, gpa, level, true);
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

u64 *slpt_find_leaf(const struct slpt *slpt, u64 gpa, unsigned *level)
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
		u64 *entry = slpt_find_leaf(slpt, gpa, &level);
		u64 step = LEVEL_SIZE(level), start = gpa & ~(step - 1), old;

		if (!entry ||
		    (!unmap &&
		     bits_to_rights(slpt->format, load(entry)) == rights)) {
			gpa = start + step;
			continue;
		}
		if (start < gpa || start + step > end) {
			err_t err = slpt_split_leaf(slpt, entry, level);

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

void slpt_describe(const struct slpt *slpt, u64 gpa, u64 entry, unsigned level,
		   struct slpt_leaf *leaf)
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
	entry = slpt_find_leaf(slpt, gpa, &level);
	if (entry)
		slpt_describe(slpt, gpa, load(entry), level, leaf);
	return entry;
}
