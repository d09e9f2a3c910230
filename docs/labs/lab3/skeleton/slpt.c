/*
 * Lab 3: second-level page tables. This file takes the place of
 * kernel/vm/slpt.c.
 *
 * The tree has four levels of 512 entries. Level 0 is the lowest: its entries
 * map 4 KiB each, those of level 1 2 MiB, of level 2 1 GiB, of level 3 512 GiB.
 * An entry is not present, or a leaf (it maps memory), or it names the table
 * below. kernel/vm/slpt_tree.h has what reads entries: index_at(),
 * is_present(), is_leaf(), table_of(), load(), valid_range(), note_narrowing(),
 * LEVEL_SIZE(). kernel/vm/slpt.h is the contract that the rest of the kernel
 * relies on.
 *
 * Which bit means what differs between EPT and NPT; slpt->format tells. Nothing
 * here may know a bit by its number.
 */
#include "lib/string.h"
#include "vm/slpt_tree.h"

/* --- entries ------------------------------------------------------------- */

/*
 * TODO 1: the bits of an entry that give these rights (SLPT_READ and its kin).
 *
 * f->read, f->write and f->exec are set to allow. f->no_exec is set to
 * *forbid*. A format has f->exec (EPT) or f->no_exec (NPT); the one it lacks is
 * 0.
 */
static u64 rights_to_bits(const struct slpt_format *f, u32 rights)
{
	return 0;
}

/* TODO 1: the other way round. */
static u32 bits_to_rights(const struct slpt_format *f, u64 entry)
{
	return 0;
}

/*
 * TODO 1: a leaf at this level: address, the format's fixed bits for leaves,
 * rights, and f->large if the level is not the lowest.
 */
static u64 make_leaf(const struct slpt *slpt, u64 hpa, u32 rights,
		     unsigned level)
{
	return 0;
}

/* --- the tree's life: given ----------------------------------------------- */

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

/* --- walking -------------------------------------------------------------- */

/*
 * TODO 2: walk from the root (slpt->root, a physical address: phys_to_virt())
 * down to the leaf that holds gpa. *level is the level at which the walk ended,
 * also when it ended at an entry that is not present (then the answer is NULL).
 * Read each entry once, with load(): the hardware may be setting bits in it.
 */
u64 *slpt_find_leaf(const struct slpt *slpt, u64 gpa, unsigned *level)
{
	*level = 0;
	return NULL;
}

/*
 * TODO 2: what a leaf says. leaf->gpa and leaf->hpa are those of its start; gpa
 * may lie anywhere in it. accessed and dirty are false where the format has no
 * such bits.
 */
void slpt_describe(const struct slpt *slpt, u64 gpa, u64 entry, unsigned level,
		   struct slpt_leaf *leaf)
{
	memset(leaf, 0, sizeof(*leaf));
}

/* TODO 2: with both of them. Beyond GPA_LIMIT there is nothing. */
bool slpt_lookup(const struct slpt *slpt, u64 gpa, struct slpt_leaf *leaf)
{
	return false;
}

/* --- mapping -------------------------------------------------------------- */

/*
 * TODO 3: turn the leaf *entry at `level` (1 or 2) into a table of 512 leaves
 * one level lower that map the same memory with the same rights, A and D.
 *
 * page_alloc(0) gives a page's physical address, or 0: then E_NOMEM. Fill the
 * table first, then put it in place with ONE atomic exchange: another processor
 * may be walking this way, and may set A or D in the old leaf while you copy.
 * If it did (__atomic_compare_exchange_n tells), copy again. A table's entry is
 * its address | format->table. Count in slpt->pages and slpt->splits. Is it a
 * narrowing? (No: no translation that anybody holds becomes wrong.)
 */
err_t slpt_split_leaf(struct slpt *slpt, u64 *entry, unsigned level)
{
	return E_NOMEM;
}

/*
 * TODO 3: the entry for gpa at exactly this level. On the way down a missing
 * table is made (page_alloc_zeroed(0); count it in slpt->pages) and a larger
 * leaf is split if `create`; if not `create`, or for want of memory, NULL.
 */
u64 *slpt_find_entry(struct slpt *slpt, u64 gpa, unsigned level, bool create)
{
	return NULL;
}

/*
 * TODO 4: see slpt.h. Each step uses the largest leaf that fits: not above
 * format->max_level, not larger than max_leaf or than what is left, and gpa and
 * hpa both multiples of its size. E_INVALID: a range that is not valid_range(),
 * an hpa with bits outside ADDRESS, no rights at all.
 *
 * What stood in an entry is replaced by an atomic exchange. If that was present
 * it is a narrowing, and if it was a table, the table is freed.
 */
err_t slpt_map(struct slpt *slpt, u64 gpa, u64 hpa, u64 size, u32 rights,
	       u64 max_leaf)
{
	return E_NOMEM;
}

/* --- taking away ---------------------------------------------------------- */

/*
 * TODO 5: every leaf in the range becomes not present. What is not mapped is
 * skipped, a table's worth at a time; a leaf that reaches beyond the range is
 * split first. Each leaf taken is a narrowing. Tables may stay.
 */
err_t slpt_unmap(struct slpt *slpt, u64 gpa, u64 size)
{
	return E_NOMEM;
}

/*
 * TODO 5: every leaf in the range gets these rights, and keeps all else that
 * stands in it. The hardware may set A or D between your load and your store:
 * a plain store would lose a D bit, and with it, one day, a page of a guest.
 * It is a narrowing only if a right was taken. A leaf that has these rights
 * already is left alone, and is not split. No rights at all: E_INVALID.
 */
err_t slpt_protect(struct slpt *slpt, u64 gpa, u64 size, u32 rights)
{
	return E_NOMEM;
}
