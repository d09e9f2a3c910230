/*
 * Finding what was written: the answer to a fault, and the harvest. Harvested
 * means flushed.
 */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/bitmap.h"
#include "trace/trace.h"
#include "vm/dirty_state.h"

/* --- faults */

u32 dirty_rights(const struct vm *vm)
{
	return dirty_way(vm) == DIRTY_OFF ? SLPT_RWX : WATCHED;
}

/* A large page's first write: from here on each of its 4 KiB has a D bit. */
static err_t open_chunk(struct vm *vm, u64 gpa)
{
	u64 start = gpa & ~(CHUNK_SIZE - 1);
	err_t err = slpt_split(&vm->slpt, start, CHUNK_SIZE, PAGE_SIZE);

	return err ? err : slpt_protect(&vm->slpt, start, CHUNK_SIZE, SLPT_RWX);
}

err_t dirty_fault(struct vm *vm, u64 gpa, bool write)
{
	u64 page = gpa & ~PAGE_MASK;
	enum dirty_way way = dirty_way(vm);
	struct slpt_leaf leaf;
	err_t err;

	if (way == DIRTY_OFF)
		return slpt_protect(&vm->slpt, page, PAGE_SIZE, SLPT_RWX);
	/* Another vCPU may have been here first. */
	if (!write ||
	    (slpt_lookup(&vm->slpt, gpa, &leaf) && (leaf.rights & SLPT_WRITE)))
		return E_OK;
	vm->dirty->stats.faults++;
	if (way != DIRTY_WP)
		return open_chunk(vm, gpa);
	err = slpt_protect(&vm->slpt, page, PAGE_SIZE, SLPT_RWX);
	if (!err)
		dirty_mark(vm, page, PAGE_SIZE);
	return err;
}

/* --- the harvest */

static void found_dirty(void *context, u64 gpa, u64 size)
{
	dirty_mark(context, gpa, size);
}

/* The pages that were taken are to show their next write. */
static void rearm(struct vm *vm, u64 first_page, u64 taken)
{
	for (; taken; taken &= taken - 1) {
		u64 stop, page = first_page + (u64)__builtin_ctzll(taken);
		u64 gpa = dirty_gpa(&vm->memory, page << PAGE_SHIFT, &stop);

		if (vm->dirty->way == DIRTY_WP)
			(void)slpt_protect(&vm->slpt, gpa, PAGE_SIZE, WATCHED);
		else
			slpt_harvest_dirty(&vm->slpt, gpa, PAGE_SIZE, NULL,
					   NULL);
	}
}

static u64 harvest_step(struct vm *vm, u64 offset, u64 *bitmap,
			struct trace_runs *runs)
{
	struct dirty *d = vm->dirty;
	u64 stop, gpa = dirty_gpa(&vm->memory, offset, &stop), count = 0;
	size_t word = (offset >> PAGE_SHIFT) / 64;
	size_t end = MIN(word + STEP / 64, d->words);

	if (d->way == DIRTY_DBIT)
		slpt_harvest_dirty(&vm->slpt, gpa, MIN(STEP_BYTES, stop - gpa),
				   found_dirty, vm);
	for (; word < end; word++) {
		u64 taken = 0;

		if (__atomic_load_n(&d->pages[word], __ATOMIC_RELAXED))
			taken = __atomic_exchange_n(&d->pages[word], 0,
						    __ATOMIC_SEQ_CST);
		bitmap[word] |= taken;
		count += word_count(taken);
		if (trace_wants(TRACE_DIRTY))
			trace_runs_word(runs, word * 64, taken);
		if (d->way != DIRTY_DBIT)
			rearm(vm, word * 64, taken);
	}
	return count;
}

u64 dirty_harvest(struct vm *vm, u64 *bitmap)
{
	u64 start = now_ns(), began = rdtsc(), took, count = 0;
	struct dirty_stats *stats;
	struct trace_runs runs = {.who = trace_who(vm->index, TRACE_NONE)};

	if (dirty_way(vm) == DIRTY_OFF)
		return 0;
	if (vm->dirty->logging)
		dirty_call_logs(vm, true);
	stats = &vm->dirty->stats;
	runs.value = (u32)stats->harvests + 1;
	dirty_begin(vm);
	for (u64 offset = 0; offset < vm->memory.size; offset += STEP_BYTES) {
		count += harvest_step(vm, offset, bitmap, &runs);
		dirty_yield(vm);
	}
	dirty_end(vm);
	trace_runs_end(&runs);
	dirty_trace_harvest(vm, began, runs.value, count);
	took = now_ns() - start;
	stats->harvests++;
	stats->harvest_ns += took;
	stats->longest_ns = MAX(stats->longest_ns, took);
	stats->pages += count;
	return count;
}
