/*
 * Dirty tracking on the real engine. First a guest writes pages that are known,
 * and the harvest must name them and no others. Then guests write without an
 * end while harvests go on, and a copy that is kept up by what they name must
 * in the end be the guest's memory: the property that migration stands on.
 */
#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "vm/sched.h"
#include "vm/selftest_rig.h"

#define MEMORY MIB(8)
#define PAGES  (MEMORY >> PAGE_SHIFT)
#define WORDS  BITMAP_WORDS(PAGES)
#define REGION MIB(4) /* of guest memory that is written, from here on */
#define HOT    6      /* 2^6 pages of it, again and again */
#define WIDE   10     /* all of it */

/*
 * again:	imul	eax, eax, 1664525
 *		add	eax, 1013904223
 *		mov	ebx, eax
 *		shr	ebx, cl
 *		shl	ebx, 12
 *		lock inc dword [esi + ebx]
 *		dec	edi
 *		jnz	again
 *		hlt
 */
#define WRITER                                                 \
	"\x69\xc0\x0d\x66\x19\x00\x05\x5f\xf3\x6e\x3c\x89\xc3" \
	"\xd3\xeb\xc1\xe3\x0c\xf0\xff\x04\x1e\x4f\x75\xe7\xf4"

static u64 found[WORDS], expected[WORDS];

/* Readies a vCPU to write so many times to 2^bits pages; 0: without an end. */
static void ready(struct rig *rig, unsigned cpu, u32 seed, unsigned bits,
		  u32 times)
{
	u64 *gpr;

	rig->vcpu = rig->vm->vcpu[cpu];
	rig_state(rig, MODE_32);
	rig_code(rig, WRITER, sizeof(WRITER) - 1);
	/* Bochs with SVM does not interrupt what was entered with IF=0. */
	rig->vcpu->state.rflags |= RFLAGS_IF;
	gpr = rig->vcpu->state.gpr;
	gpr[RAX] = seed;
	gpr[RCX] = 32 - bits;
	gpr[RSI] = REGION;
	gpr[RDI] = times;
}

/* What the guest does with that, here. */
static void expect(u32 seed, unsigned bits, u32 times)
{
	memset(expected, 0, sizeof(expected));
	while (times--) {
		seed = seed * 1664525 + 1013904223;
		bitmap_set(expected,
			   (REGION >> PAGE_SHIFT) + (seed >> (32 - bits)));
	}
}

static const char *compare(struct rig *rig, const char *when)
{
	u64 count;

	memset(found, 0, sizeof(found));
	count = dirty_harvest(rig->vm, found);
	for (unsigned i = 0; i < PAGES; i++)
		if (bitmap_test(found, i) != bitmap_test(expected, i))
			return rig_why("%s: page %x %s", when, i,
				       bitmap_test(found, i) ? "was not written"
							     : "was missed");
	if (count != bitmap_count(expected, PAGES))
		return rig_why("%s: says %lu pages, not %lu", when, count,
			       bitmap_count(expected, PAGES));
	return NULL;
}

static const char *write_and_compare(struct rig *rig, u32 seed, u32 times)
{
	ready(rig, 0, seed, WIDE, times);
	rig_run_to_halt(rig);
	if (rig->vcpu->state.activity != ACTIVITY_HALT)
		return rig_why("the guest ended by %s",
			       exit_names[rig->vcpu->exit.reason]);
	expect(seed, WIDE, times);
	return compare(rig, "guest");
}

/* To a page that is there, over an edge, and where nobody has been. */
static const char *host_stores(struct rig *rig)
{
	struct guest_memory *mem = &rig->vm->memory;

	memset(expected, 0, sizeof(expected));
	(void)guest_write(mem, REGION + 5, "x", 1);
	(void)guest_write(mem, REGION + MIB(1) - 1, "yz", 2);
	(void)guest_fill(mem, MIB(2), 1, 2 * PAGE_SIZE);
	bitmap_set(expected, REGION >> PAGE_SHIFT);
	bitmap_set(expected, (REGION + MIB(1) - 1) >> PAGE_SHIFT);
	bitmap_set(expected, (REGION + MIB(1)) >> PAGE_SHIFT);
	bitmap_set(expected, MIB(2) >> PAGE_SHIFT);
	bitmap_set(expected, (MIB(2) >> PAGE_SHIFT) + 1);
	return compare(rig, "host");
}

static const char *all_large(struct rig *rig)
{
	for (u64 gpa = REGION; gpa < MEMORY; gpa += MIB(2)) {
		struct slpt_leaf leaf = {0};

		slpt_lookup(&rig->vm->slpt, gpa, &leaf);
		if (leaf.size != MIB(2) || leaf.rights != SLPT_RWX)
			return rig_why("off: GPA %lx has %lu KiB, rights %x",
				       gpa, leaf.size >> 10, leaf.rights);
	}
	return NULL;
}

/* More pages at once than a PML list holds; the same and others again. */
static const char *exact(struct rig *rig, enum dirty_way way)
{
	const char *why = NULL;

	ready(rig, 0, 1, WIDE - 2, 100);
	rig_run_to_halt(rig);
	if (dirty_on(rig->vm, way))
		return "cannot be turned on";
	memset(expected, 0, sizeof(expected));
	why = compare(rig, "nothing");
	for (u32 seed = 2; !why && seed < 8; seed++)
		why = write_and_compare(rig, seed / 2, 300 * seed);
	if (!why)
		why = host_stores(rig);
	if (!why)
		why = write_and_compare(rig, 9, 50);
	dirty_off(rig->vm);
	return why ? why : all_large(rig);
}

/* --- the copy */

static void copy_found(struct rig *rig, u8 *copy)
{
	for (size_t i = bitmap_next(found, PAGES, 0); i < PAGES;
	     i = bitmap_next(found, PAGES, i + 1))
		memcpy(copy + (i << PAGE_SHIFT), rig_byte(rig, i << PAGE_SHIFT),
		       PAGE_SIZE);
}

static void harvest(struct rig *rig, u8 *copy)
{
	memset(found, 0, sizeof(found));
	dirty_harvest(rig->vm, found);
	copy_found(rig, copy);
}

/* The guest on this CPU gets on as well. */
static void pause(void)
{
	sched_turn(0);
	for (unsigned i = 0; i < 20000; i++)
		cpu_relax();
}

static void follow(struct rig *rig, u8 *copy, unsigned rounds)
{
	memset(found, 0xff, sizeof(found));
	copy_found(rig, copy);
	while (rounds--) {
		pause();
		harvest(rig, copy);
	}
}

static const char *difference(struct rig *rig, const u8 *copy)
{
	for (u64 gpa = 0; gpa < MEMORY; gpa += PAGE_SIZE)
		if (memcmp(copy + gpa, rig_byte(rig, gpa), PAGE_SIZE))
			return rig_why("writes to page %lx were lost",
				       gpa >> PAGE_SHIFT);
	return NULL;
}

/* The first on another CPU, if there is one. */
static void start(struct rig *rig)
{
	rig->vcpu = rig->vm->vcpu[0];
	rig_start(rig, cpu_count() > 1);
	rig->vcpu = rig->vm->vcpu[1];
	rig_start(rig, 0);
}

static void stop(struct rig *rig)
{
	rig->vcpu = rig->vm->vcpu[0];
	rig_stop(rig);
	rig->vcpu = rig->vm->vcpu[1];
	rig_stop(rig);
}

/*
 * The last harvests follow each other closely, and the guest is stopped right
 * after: what it wrote by a stale translation would be in none of them.
 */
static const char *shadow(struct rig *rig, enum dirty_way way, u8 *copy)
{
	struct dirty_stats stats;

	start(rig);
	dirty_off(rig->vm); /* under way: tables are merged, and split again */
	if (dirty_on(rig->vm, way))
		return "cannot be turned on";
	follow(rig, copy, 4);
	for (unsigned i = 0; i < 10; i++)
		harvest(rig, copy);
	stop(rig);
	harvest(rig, copy);
	dirty_get_stats(rig->vm, &stats);
	if (stats.pages < 20)
		return rig_why("only %lu pages were found", stats.pages);
	return difference(rig, copy);
}

const char *dirty_selftest(enum dirty_way way)
{
	const char *why = "no memory for the test";
	u8 *copy = kmalloc(MEMORY);
	struct rig rig;

	if (copy && rig_make_lazy(&rig, MEMORY, 2) == E_OK) {
		why = exact(&rig, way);
		ready(&rig, 0, 1, HOT, 0);
		ready(&rig, 1, 2, WIDE - 1, 0);
		rig.vcpu->state.gpr[RSI] += MIB(2); /* pages of its own */
		for (unsigned i = 0; !why && i < 4; i++)
			why = shadow(&rig, way, copy);
		rig_free(&rig);
	}
	kfree(copy);
	return why;
}
