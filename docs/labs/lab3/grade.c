/*
 * Lab 3's unit checks: a tree as EPT writes it and one as NPT does, in a window
 * of address space that stands for physical memory, against a model of what is
 * mapped that is nothing but an array.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/pages.h"
#include "tests/unit/test.h"
#include "vm/slpt_tree.h"

#define WINDOW MIB(24)

u64 host_phys_offset;

u64 virt_to_phys(const void *virt)
{
	return (u64)virt - host_phys_offset;
}

static const struct slpt_format ept = {
	.name = "EPT",
	.table = 7,
	.leaf = 6 << 3,
	.large = BIT(7),
	.read = BIT(0),
	.write = BIT(1),
	.exec = BIT(2),
	.accessed = BIT(8),
	.dirty = BIT(9),
	.max_level = 2,
};

static const struct slpt_format npt = {
	.name = "NPT",
	.table = 7,
	.leaf = BIT(2),
	.large = BIT(7),
	.read = BIT(0),
	.write = BIT(1),
	.no_exec = BIT(63),
	.accessed = BIT(5),
	.dirty = BIT(6),
	.max_level = 1,
};

static const struct slpt_format *const formats[] = {&ept, &npt};

static struct slpt tree;

static void start(const struct slpt_format *format)
{
	u8 *window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct boot_region *region = (void *)(window + 0x3000);
	struct boot_info *info = (void *)(window + 0x2000);

	CHECK(window != MAP_FAILED);
	host_phys_offset = (u64)window;
	memset(window + MIB(1), 0xa5, WINDOW - MIB(1));
	*region =
		(struct boot_region){MIB(1), WINDOW - MIB(1), BOOT_MEM_FREE, 0};
	info->regions = 0x3000;
	info->region_count = 1;
	pages_init(info);
	CHECK_EQ(slpt_init(&tree, format), E_OK);
}

/* What the hardware would read at this level on its way to gpa. */
static u64 *hardware(u64 gpa, unsigned level)
{
	u64 *table = phys_to_virt(tree.root);

	for (unsigned l = 3; l > level; l--) {
		u64 value = table[gpa >> (12 + 9 * l) & 511];

		CHECK(value & 1);
		/* All of a table's bits, or the processor refuses the way. */
		CHECK_EQ(value & 7, 7);
		CHECK(!(value & BIT(7)));
		table = phys_to_virt(value & ADDRESS);
	}
	return &table[gpa >> (12 + 9 * level) & 511];
}

static void expect(u64 gpa, u64 hpa, u64 size, u32 rights)
{
	struct slpt_leaf leaf;

	CHECK(slpt_lookup(&tree, gpa, &leaf));
	CHECK_EQ(leaf.gpa, gpa & ~(size - 1));
	CHECK_EQ(leaf.hpa, hpa & ~(size - 1));
	CHECK_EQ(leaf.size, size);
	CHECK_EQ(leaf.rights, rights);
}

static void expect_nothing(u64 gpa)
{
	struct slpt_leaf leaf;

	CHECK(!slpt_lookup(&tree, gpa, &leaf));
}

TEST(entries_are_as_the_manuals_say)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, 0x1000, 0x5000, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_OK);
	CHECK_EQ(*hardware(0x1000, 0), 0x5031);
	CHECK_EQ(slpt_map(&tree, MIB(2), MIB(4), MIB(2), SLPT_RWX, GIB(1)),
		 E_OK);
	CHECK_EQ(*hardware(MIB(2), 1), MIB(4) | 0xb7);
	start(&npt);
	CHECK_EQ(slpt_map(&tree, 0x1000, 0x5000, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_OK);
	CHECK_EQ(*hardware(0x1000, 0), BIT(63) | 0x5005);
	CHECK_EQ(slpt_map(&tree, MIB(2), MIB(4), MIB(2), SLPT_RWX, GIB(1)),
		 E_OK);
	CHECK_EQ(*hardware(MIB(2), 1), MIB(4) | 0x87);
}

TEST(what_is_mapped_is_found)
{
	for (unsigned i = 0; i < 2; i++) {
		start(formats[i]);
		expect_nothing(0);
		CHECK_EQ(slpt_map(&tree, 0x7000, 0x123000, 3 * PAGE_SIZE,
				  SLPT_READ | SLPT_WRITE, MIB(2)),
			 E_OK);
		expect(0x7000, 0x123000, PAGE_SIZE, SLPT_READ | SLPT_WRITE);
		expect(0x9fff, 0x125fff, PAGE_SIZE, SLPT_READ | SLPT_WRITE);
		expect_nothing(0x6fff);
		expect_nothing(0xa000);
		expect_nothing(GPA_LIMIT);
		expect_nothing(~0ULL);
	}
}

TEST(leaves_are_as_large_as_they_may)
{
	start(&ept);
	/* 4K to the boundary, then 2M, then 1G, and back down. */
	CHECK_EQ(slpt_map(&tree, GIB(1) - MIB(2) - PAGE_SIZE,
			  GIB(3) - MIB(2) - PAGE_SIZE,
			  GIB(1) + 2 * MIB(2) + 2 * PAGE_SIZE, SLPT_RWX,
			  GIB(1)),
		 E_OK);
	expect(GIB(1) - MIB(2) - 1, GIB(3) - MIB(2) - 1, PAGE_SIZE, SLPT_RWX);
	expect(GIB(1) - 1, GIB(3) - 1, MIB(2), SLPT_RWX);
	expect(GIB(1) + 5, GIB(3) + 5, GIB(1), SLPT_RWX);
	expect(GIB(2), GIB(4), MIB(2), SLPT_RWX);
	expect(GIB(2) + MIB(2), GIB(4) + MIB(2), PAGE_SIZE, SLPT_RWX);
	/* The offset between the two decides as well, */
	CHECK_EQ(slpt_map(&tree, GIB(8), GIB(4) + MIB(2), GIB(1), SLPT_RWX,
			  GIB(1)),
		 E_OK);
	expect(GIB(8), GIB(4) + MIB(2), MIB(2), SLPT_RWX);
	/* and the caller, and the format. */
	CHECK_EQ(slpt_map(&tree, GIB(16), 0, MIB(4), SLPT_RWX, PAGE_SIZE),
		 E_OK);
	expect(GIB(16), 0, PAGE_SIZE, SLPT_RWX);
	start(&npt);
	CHECK_EQ(slpt_map(&tree, 0, 0, GIB(1), SLPT_RWX, GIB(1)), E_OK);
	expect(MIB(6), MIB(6), MIB(2), SLPT_RWX);
}

TEST(nonsense_is_refused)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, 1, 0, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, 0, 0, PAGE_SIZE + 1, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, 0, 8, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, 0, 1ULL << 52, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, GPA_LIMIT, 0, PAGE_SIZE, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, PAGE_SIZE, 0, ~PAGE_MASK, SLPT_READ, GIB(1)),
		 E_INVALID);
	CHECK_EQ(slpt_map(&tree, 0, 0, PAGE_SIZE, 0, GIB(1)), E_INVALID);
	CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, 0), E_INVALID);
	CHECK_EQ(slpt_protect(&tree, 8, PAGE_SIZE, SLPT_READ), E_INVALID);
	CHECK_EQ(slpt_unmap(&tree, GPA_LIMIT, PAGE_SIZE), E_INVALID);
	CHECK_EQ(tree.narrowed, 0);
	expect_nothing(0);
}

/* The bits that the processor sets are in the entry, not in the caller. */
TEST(splitting_keeps_everything)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct slpt_format *f = formats[i];
		struct slpt_leaf leaf;

		start(f);
		CHECK_EQ(slpt_map(&tree, MIB(4), MIB(8), MIB(2),
				  SLPT_READ | SLPT_EXEC, MIB(2)),
			 E_OK);
		*hardware(MIB(4), 1) |= f->accessed | f->dirty;
		CHECK_EQ(slpt_split(&tree, MIB(4), MIB(2), PAGE_SIZE), E_OK);
		CHECK_EQ(tree.splits, 1);
		CHECK_EQ(tree.narrowed, 0);
		for (u64 at = 0; at < MIB(2); at += PAGE_SIZE) {
			expect(MIB(4) + at, MIB(8) + at, PAGE_SIZE,
			       SLPT_READ | SLPT_EXEC);
			CHECK(slpt_lookup(&tree, MIB(4) + at, &leaf));
			CHECK(leaf.accessed && leaf.dirty);
		}
		CHECK(!(*hardware(MIB(4), 0) & BIT(7)));
	}
}

TEST(a_gigabyte_splits_twice)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, 0, GIB(1), GIB(1), SLPT_RWX, GIB(1)), E_OK);
	CHECK_EQ(slpt_protect(&tree, MIB(6) + PAGE_SIZE, PAGE_SIZE, SLPT_READ),
		 E_OK);
	CHECK_EQ(tree.splits, 2);
	expect(0, GIB(1), MIB(2), SLPT_RWX);
	expect(MIB(6), GIB(1) + MIB(6), PAGE_SIZE, SLPT_RWX);
	expect(MIB(6) + PAGE_SIZE, GIB(1) + MIB(6) + PAGE_SIZE, PAGE_SIZE,
	       SLPT_READ);
	expect(MIB(8), GIB(1) + MIB(8), MIB(2), SLPT_RWX);
}

TEST(narrowings_and_only_they_are_counted)
{
	start(&npt);
	CHECK_EQ(slpt_map(&tree, 0, 0, 4 * PAGE_SIZE, SLPT_READ, MIB(2)), E_OK);
	CHECK_EQ(tree.narrowed, 0);
	/* A right more, the same rights, a page that is not there. */
	CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, SLPT_RWX), E_OK);
	CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, SLPT_RWX), E_OK);
	CHECK_EQ(slpt_unmap(&tree, MIB(2), MIB(2)), E_OK);
	CHECK_EQ(tree.narrowed, 0);
	CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, SLPT_READ), E_OK);
	CHECK_EQ(tree.narrowed, 1);
	CHECK_EQ(slpt_unmap(&tree, PAGE_SIZE, PAGE_SIZE), E_OK);
	CHECK_EQ(tree.narrowed, 2);
	CHECK_EQ(slpt_map(&tree, 2 * PAGE_SIZE, MIB(1), PAGE_SIZE, SLPT_RWX,
			  MIB(2)),
		 E_OK);
	CHECK_EQ(tree.narrowed, 3);
	/* A right for another is one taken. */
	CHECK_EQ(slpt_protect(&tree, 3 * PAGE_SIZE, PAGE_SIZE, SLPT_EXEC | 1),
		 E_OK);
	CHECK_EQ(slpt_protect(&tree, 3 * PAGE_SIZE, PAGE_SIZE, 3), E_OK);
	CHECK_EQ(tree.narrowed, 4);
}

TEST(what_has_its_rights_is_not_split)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, 0, 0, MIB(2), SLPT_RWX, MIB(2)), E_OK);
	CHECK_EQ(slpt_protect(&tree, PAGE_SIZE, PAGE_SIZE, SLPT_RWX), E_OK);
	expect(0, 0, MIB(2), SLPT_RWX);
	CHECK_EQ(tree.splits, 0);
}

TEST(protecting_keeps_the_dirty_bit)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct slpt_format *f = formats[i];
		struct slpt_leaf leaf;

		start(f);
		CHECK_EQ(
			slpt_map(&tree, 0, 0x5000, PAGE_SIZE, SLPT_RWX, MIB(2)),
			E_OK);
		*hardware(0, 0) |= f->accessed | f->dirty;
		CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, SLPT_READ), E_OK);
		expect(0, 0x5000, PAGE_SIZE, SLPT_READ);
		CHECK(slpt_lookup(&tree, 0, &leaf));
		CHECK(leaf.accessed && leaf.dirty);
		CHECK_EQ(*hardware(0, 0) & f->leaf, f->leaf);
	}
}

/*
 * Another processor's store at the worst moment: the code under test is single-
 * stepped, and behind its instruction number `at` the hardware sets D, if the
 * entry allows the store then. Every `at` in turn, so none is missed.
 */
static struct {
	u64 *entry, dirty;
	u64 when; /* all of these bits are set */
	unsigned at, count;
	bool stored;
} other;

static void after_instruction(int signal, siginfo_t *info, void *context)
{
	if (other.count++ != other.at ||
	    (*other.entry & other.when) != other.when)
		return;
	*other.entry |= other.dirty;
	other.stored = true;
}

#define TRAP_FLAG(instruction, mask)                                    \
	asm volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\t" instruction \
		     " $" mask ", (%%rsp)\n\tpopfq\n\t"                 \
		     "lea 128(%%rsp), %%rsp" ::                         \
			     : "cc", "memory")

static void begin_stepping(u64 *entry, u64 large, unsigned at)
{
	struct sigaction action = {.sa_sigaction = after_instruction,
				   .sa_flags = SA_SIGINFO};

	other.entry = entry;
	other.dirty = tree.format->dirty;
	other.when = tree.format->write | large;
	other.at = at;
	other.count = 0;
	other.stored = false;
	CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
	TRAP_FLAG("orq", "0x100");
}

/* True: the code ended before its instruction number `at`. */
static bool end_stepping(void)
{
	TRAP_FLAG("andq", "~0x100");
	return other.count <= other.at;
}

TEST(a_dirty_bit_set_meanwhile_survives)
{
	unsigned at = 0, stores = 0;
	struct slpt_leaf leaf;
	bool ended;

	start(&ept);
	CHECK_EQ(slpt_map(&tree, 0, 0x5000, PAGE_SIZE, SLPT_RWX, MIB(2)), E_OK);
	do {
		CHECK_EQ(slpt_protect(&tree, 0, PAGE_SIZE, SLPT_RWX), E_OK);
		*hardware(0, 0) &= ~ept.dirty;
		begin_stepping(hardware(0, 0), 0, at++);
		(void)slpt_protect(&tree, 0, PAGE_SIZE, SLPT_READ);
		ended = end_stepping();
		expect(0, 0x5000, PAGE_SIZE, SLPT_READ);
		CHECK(slpt_lookup(&tree, 0, &leaf));
		CHECK_EQ(leaf.dirty, other.stored);
		stores += other.stored;
	} while (!ended);
	CHECK(stores > 3);
}

/* The copy is long: here every so many instructions. */
TEST(a_split_loses_no_dirty_bit)
{
	unsigned at = 0, stores = 0;
	struct slpt_leaf leaf;
	bool ended;

	start(&ept);
	do {
		CHECK_EQ(slpt_map(&tree, 0, 0, MIB(2), SLPT_RWX, MIB(2)), E_OK);
		begin_stepping(hardware(0, 1), ept.large, at);
		(void)slpt_split_leaf(&tree, other.entry, 1);
		ended = end_stepping();
		CHECK(slpt_lookup(&tree, 0, &leaf));
		CHECK_EQ(leaf.size, PAGE_SIZE);
		CHECK_EQ(leaf.dirty, other.stored);
		stores += other.stored;
		at += 2003;
	} while (!ended);
	CHECK(stores > 3);
}

TEST(mapping_over_a_table_frees_it)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, 0, 0, PAGE_SIZE, SLPT_RWX, MIB(2)), E_OK);
	CHECK_EQ(tree.pages, 4);
	CHECK_EQ(slpt_map(&tree, 0, MIB(2), MIB(2), SLPT_RWX, MIB(2)), E_OK);
	CHECK_EQ(tree.pages, 3);
	expect(0x3000, MIB(2) + 0x3000, MIB(2), SLPT_RWX);
}

TEST(nothing_is_left_behind)
{
	u64 before;

	start(&ept);
	slpt_free(&tree);
	before = page_stats().free;
	CHECK_EQ(slpt_init(&tree, &ept), E_OK);
	CHECK_EQ(slpt_map(&tree, 0, 0, GIB(1) + MIB(7), SLPT_RWX, GIB(1)),
		 E_OK);
	CHECK_EQ(slpt_unmap(&tree, PAGE_SIZE, MIB(5)), E_OK);
	slpt_free(&tree);
	CHECK_EQ(tree.pages, 0);
	CHECK_EQ(page_stats().free, before);
}

TEST(no_memory_is_an_answer)
{
	start(&ept);
	CHECK_EQ(slpt_map(&tree, GIB(1), 0, MIB(2), SLPT_RWX, MIB(2)), E_OK);
	while (page_alloc(0))
		;
	CHECK_EQ(slpt_split(&tree, GIB(1), MIB(2), PAGE_SIZE), E_NOMEM);
	expect(GIB(1), 0, MIB(2), SLPT_RWX);
	CHECK_EQ(slpt_map(&tree, 0, 0, PAGE_SIZE, SLPT_RWX, MIB(2)), E_NOMEM);
	expect_nothing(0);
}

/* --- against the model ---------------------------------------------------- */

#define PAGES 2048u /* of 4 KiB: four large leaves' worth */

static struct {
	u64 hpa;
	u32 rights; /* 0: not mapped */
} model[PAGES];

static u32 any(u32 below)
{
	static u64 seed = 1;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

static void one_step(void)
{
	u32 rights = SLPT_READ | any(8), what = any(4);
	u64 hpa = (u64)any(4 * PAGES) * PAGE_SIZE;
	u32 first, count;

	if (any(3) == 0) {
		first = any(4) * 512;
		count = 512 * (1 + any((PAGES - first) / 512));
		hpa &= ~(MIB(2) - 1);
	} else {
		first = any(PAGES);
		count = 1 + any(MIN(PAGES - first, 700u));
	}
	if (what == 0)
		CHECK_EQ(
			slpt_unmap(&tree, first * PAGE_SIZE, count * PAGE_SIZE),
			E_OK);
	else if (what == 1)
		CHECK_EQ(slpt_protect(&tree, first * PAGE_SIZE,
				      count * PAGE_SIZE, rights),
			 E_OK);
	else
		CHECK_EQ(slpt_map(&tree, first * PAGE_SIZE, hpa,
				  count * PAGE_SIZE, rights, MIB(2)),
			 E_OK);
	for (u32 i = first; i < first + count; i++) {
		if (what == 0)
			model[i].rights = 0;
		else if (what > 1 || model[i].rights)
			model[i].rights = rights;
		if (what > 1)
			model[i].hpa = hpa + (i - first) * PAGE_SIZE;
	}
}

TEST(a_thousand_random_steps)
{
	struct slpt_leaf leaf;

	for (unsigned f = 0; f < 2; f++) {
		start(formats[f]);
		memset(model, 0, sizeof(model));
		for (unsigned step = 0; step < 1000; step++) {
			one_step();
			for (u64 i = 0; i < PAGES; i++) {
				u64 gpa = i * PAGE_SIZE;

				CHECK_EQ(slpt_lookup(&tree, gpa, &leaf),
					 model[i].rights != 0);
				if (!model[i].rights)
					continue;
				CHECK_EQ(leaf.hpa + gpa - leaf.gpa,
					 model[i].hpa);
				CHECK_EQ(leaf.rights, model[i].rights);
			}
		}
		slpt_free(&tree);
	}
}
