/*
 * Lab 4: track dirty pages. This file takes the place of
 * kernel/vm/dirty_harvest.c.
 *
 * kernel/vm/dirty.h is the contract, kernel/vm/dirty_state.h what you share
 * with kernel/vm/dirty.c, which turns tracking on and off. When it is turned on
 * no leaf may be written (write protection, DIRTY_WP), or no D bit is set and
 * leaves of 2 MiB may not be written (DIRTY_DBIT, DIRTY_PML).
 *
 * vm->dirty->pages is the one bitmap in which written pages are gathered:
 * dirty_mark() sets bits in it, also from other CPUs, at any moment. The tables
 * are changed by slpt_protect(), slpt_split() and slpt_harvest_dirty() alone
 * (kernel/vm/slpt.h), which note what has to be flushed.
 */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/bitmap.h"
#include "trace/trace.h"
#include "vm/dirty_state.h"

/* --- faults --------------------------------------------------------------- */

/* Given: memory that the guest now gets to is watched from the start. */
u32 dirty_rights(const struct vm *vm)
{
	return dirty_way(vm) == DIRTY_OFF ? SLPT_RWX : WATCHED;
}

/*
 * TODO 1: the guest wants to write where it may not (write), or something else
 * went wrong with a page that is mapped (not write).
 *
 *  - DIRTY_OFF: a leaf that was watched once: all rights to the page.
 *  - Not a write, or another vCPU was here first (slpt_lookup() says that it
 * may be written): nothing is to be done.
 *  - Count it: vm->dirty->stats.faults.
 *  - DIRTY_WP: all rights to this page of 4 KiB (slpt_protect() splits what is
 *    larger), and note it (dirty_mark()). In which order, and why does it not
 *    matter here?
 *  - DIRTY_DBIT, DIRTY_PML: it is a leaf of 2 MiB (a chunk, CHUNK_SIZE). Split
 * it into pages and give all of them all rights: from here on each has its D
 * bit.
 */
err_t dirty_fault(struct vm *vm, u64 gpa, bool write)
{
	return E_UNSUPPORTED;
}

/* --- the harvest ---------------------------------------------------------- */

/* Given: for slpt_harvest_dirty(), with the VM as its context. */
static void found_dirty(void *context, u64 gpa, u64 size)
{
	dirty_mark(context, gpa, size);
}

/*
 * TODO 2: 64 pages from first_page on, of which those in `taken` were found
 * written. They are to show their next write: WATCHED again (DIRTY_WP), or
 * without D (DIRTY_PML: what has its D bit set already is not logged).
 * dirty_gpa() tells where a page is in the guest.
 */
static void rearm(struct vm *vm, u64 first_page, u64 taken)
{
}

/*
 * TODO 3: STEP pages from offset on, as many as there are. DIRTY_DBIT: their D
 * bits into vm->dirty->pages first (slpt_harvest_dirty() and found_dirty()).
 * Then take the bits of each word of it: nothing may set a bit between your
 * reading and your clearing. Or them into bitmap, count them (word_count()),
 * rearm() them; with DIRTY_DBIT they are armed already. trace_runs_word() is
 * for the X-ray.
 */
static u64 harvest_step(struct vm *vm, u64 offset, u64 *bitmap,
			struct trace_runs *runs)
{
	u64 count = 0;

	if (trace_wants(TRACE_DIRTY))
		trace_runs_word(runs, offset >> PAGE_SHIFT, 0);
	return count;
}

/*
 * TODO 4: what is in the processors' logs (vm->dirty->logging) is to be in the
 * bitmap before: dirty_call_logs(vm, true).
 * Then all of RAM in steps, between dirty_begin() and dirty_end(), with a
 * dirty_yield() behind each step, for the guest's faults wait meanwhile.
 *
 * Why must dirty_end()'s flush come before the pages' content is read, and not
 * before the bits are taken?
 */
static u64 harvest_all(struct vm *vm, u64 *bitmap, struct trace_runs *runs)
{
	return 0;
}

/* Given: with its account. */
u64 dirty_harvest(struct vm *vm, u64 *bitmap)
{
	u64 start = now_ns(), began = rdtsc(), took, count;
	struct dirty_stats *stats;
	struct trace_runs runs = {.who = trace_who(vm->index, TRACE_NONE)};

	if (dirty_way(vm) == DIRTY_OFF)
		return 0;
	stats = &vm->dirty->stats;
	runs.value = (u32)stats->harvests;
	count = harvest_all(vm, bitmap, &runs);
	trace_runs_end(&runs);
	if (trace_wants(TRACE_MIGRATION | TRACE_DIRTY))
		trace_put_at(began, TRACE_HARVEST, runs.who, runs.value,
			     rdtsc() - began, count, 0);
	took = now_ns() - start;
	stats->harvests++;
	stats->harvest_ns += took;
	stats->longest_ns = MAX(stats->longest_ns, took);
	stats->pages += count;
	return count;
}
