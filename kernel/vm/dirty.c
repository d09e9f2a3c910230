/*
 * Written pages are gathered in one bitmap: by faults (WP), from the vCPUs'
 * logs (PML), from D bits at the harvest (DBIT), and from the host's own stores
 * in all three. A harvest takes the bits and makes what it took show writes
 * again, piece by piece, with one shootdown at the end: what a stale
 * translation lets through until then is in the page before its content is
 * read.
 */
#include "vm/dirty.h"

#include "cpu/cpu.h"
#include "cpu/time.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "trace/trace.h"
#include "vm/shootdown.h"
#include "vm/vm.h"

/* How much is done under tables_lock at once: entries, and what they map. */
#define STEP	   1024u
#define STEP_BYTES (STEP * PAGE_SIZE)

#define WATCHED (SLPT_READ | SLPT_EXEC)

struct dirty {
	enum dirty_way way; /* changed under tables_lock */
	bool logging;	    /* the vCPUs are to keep logs */
	u64 calls;	    /* for what is in the logs */
	u64 *pages;	    /* memory.dirty, while it is on */
	size_t words;
	u64 held_since;
	struct dirty_stats stats; /* splits, merges: what not to count */
};

const char *const dirty_names[DIRTY_WAYS] = {
	[DIRTY_OFF] = "off",
	[DIRTY_WP] = "wp",
	[DIRTY_DBIT] = "dbit",
	[DIRTY_PML] = "pml",
};

bool dirty_can(enum dirty_way way)
{
	switch (way) {
	case DIRTY_OFF:
	case DIRTY_WP:
		return true;
	case DIRTY_DBIT:
		return engine_caps.accessed_dirty;
	case DIRTY_PML:
		return engine_caps.pml;
	default:
		return false;
	}
}

enum dirty_way dirty_best(void)
{
	enum dirty_way way = DIRTY_PML;

	while (!dirty_can(way))
		way--;
	return way;
}

enum dirty_way dirty_way(const struct vm *vm)
{
	return vm->dirty ? vm->dirty->way : DIRTY_OFF;
}

void dirty_get_stats(const struct vm *vm, struct dirty_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	if (!vm->dirty)
		return;
	*stats = vm->dirty->stats;
	stats->splits = vm->slpt.splits - stats->splits;
	stats->merges = vm->slpt.merges - stats->merges;
}

void dirty_mark(struct vm *vm, u64 gpa, u64 size)
{
	guest_mark(&vm->memory, gpa, size);
}

/* --- the tables, in steps */

/* RAM's two parts by offset: where the byte at offset is, where its part ends.
 */
static u64 gpa_of(const struct guest_memory *mem, u64 offset, u64 *end)
{
	if (offset < mem->low_size) {
		*end = mem->low_size;
		return offset;
	}
	*end = RAM_HOLE_END + mem->size - mem->low_size;
	return RAM_HOLE_END + offset - mem->low_size;
}

static void begin(struct vm *vm)
{
	tables_begin(vm);
	vm->dirty->held_since = rdtsc();
}

static void step_ends(struct dirty *d)
{
	u64 now = rdtsc();

	d->stats.held_ns =
		MAX(d->stats.held_ns, tsc_to_ns(now - d->held_since));
}

static void yield(struct vm *vm)
{
	step_ends(vm->dirty);
	tables_yield(vm);
	vm->dirty->held_since = rdtsc();
}

static void end(struct vm *vm)
{
	step_ends(vm->dirty);
	tables_end(vm);
}

static void watch(struct vm *vm, enum slpt_watching watching)
{
	for (u64 offset = 0; offset < vm->memory.size;) {
		u64 stop, gpa = gpa_of(&vm->memory, offset, &stop);

		offset +=
			slpt_watch(&vm->slpt, gpa, stop, watching, STEP) - gpa;
		yield(vm);
	}
}

/* Back into leaves of this size; only a flush makes the old tables free. */
static void merge(struct vm *vm, u64 leaf_size)
{
	struct slpt *slpt = &vm->slpt;

	for (u64 offset = 0; offset < vm->memory.size;) {
		unsigned looked = 0;

		begin(vm);
		while (offset < vm->memory.size && looked++ < SLPT_RETIRED) {
			u64 stop;

			slpt_merge(slpt, gpa_of(&vm->memory, offset, &stop),
				   leaf_size);
			offset += leaf_size;
		}
		end(vm);
		slpt_free_retired(slpt);
	}
}

/* --- the processors' logs */

void dirty_log(struct vcpu *vcpu)
{
	const struct dirty *d = vcpu->vm->dirty;
	u64 calls = __atomic_load_n(&d->calls, __ATOMIC_SEQ_CST);

	vcpu->logging = d->logging;
	vcpu->engine->log(vcpu, vcpu->logging);
	__atomic_store_n(&vcpu->logged, calls, __ATOMIC_SEQ_CST);
}

void dirty_log_full(struct vcpu *vcpu)
{
	__atomic_fetch_add(&vcpu->vm->dirty->stats.drains, 1, __ATOMIC_RELAXED);
	dirty_log(vcpu);
}

/*
 * Has every vCPU do dirty_log(). One that is not running has an empty log, and
 * looks at its requests before it runs again.
 */
static void call_logs(struct vm *vm, bool on)
{
	struct dirty *d = vm->dirty;
	u64 calls;

	d->logging = on;
	calls = __atomic_add_fetch(&d->calls, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < vm->vcpus; i++)
		vcpu_kick(vm->vcpu[i], REQUEST_LOG);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpu[i];

		while (__atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&vcpu->logged, __ATOMIC_SEQ_CST) < calls)
			cpu_relax();
	}
}

/* --- on and off */

/* The bitmap stays for the VM's life: others may be about to mark in it. */
static err_t prepare(struct vm *vm)
{
	struct dirty *d = vm->dirty;

	if (!d) {
		d = kzalloc(sizeof(*d));
		if (!d)
			return E_NOMEM;
		d->words = BITMAP_WORDS(vm->memory.size >> PAGE_SHIFT);
		d->pages = kmalloc(d->words * sizeof(u64));
		if (!d->pages) {
			kfree(d);
			return E_NOMEM;
		}
		__atomic_store_n(&vm->dirty, d, __ATOMIC_RELEASE);
	}
	memset(d->pages, 0, d->words * sizeof(u64));
	d->stats = (struct dirty_stats){
		.splits = vm->slpt.splits,
		.merges = vm->slpt.merges,
	};
	return E_OK;
}

/* Number 0 is the beginning. */
static void trace_harvest(const struct vm *vm, u64 began, u32 number, u64 pages)
{
	if (trace_wants(TRACE_MIGRATION | TRACE_DIRTY))
		trace_put_at(began, TRACE_HARVEST,
			     trace_who(vm->index, TRACE_NONE), number,
			     rdtsc() - began, pages, 0);
}

/*
 * All CPUs are made to flush even if nothing was narrowed: then each is past
 * the store that it made before it could see that stores are to be marked.
 */
err_t dirty_on(struct vm *vm, enum dirty_way way)
{
	u64 start = now_ns(), began = rdtsc();
	err_t err;

	if (!vm->memory.chunks)
		return E_STATE;
	if (way == DIRTY_OFF || !dirty_can(way))
		return E_UNSUPPORTED;
	if (dirty_way(vm) != DIRTY_OFF)
		return E_BUSY;
	err = prepare(vm);
	if (err)
		return err;
	__atomic_store_n(&vm->memory.dirty, vm->dirty->pages, __ATOMIC_SEQ_CST);
	if (way == DIRTY_PML)
		call_logs(vm, true);
	begin(vm);
	vm->dirty->way = way;
	watch(vm, way == DIRTY_WP ? SLPT_WATCH_RIGHT : SLPT_WATCH_DIRTY);
	slpt_forget(&vm->slpt);
	end(vm);
	vm->dirty->stats.on_ns = now_ns() - start;
	trace_harvest(vm, began, 0, 0);
	return E_OK;
}

void dirty_off(struct vm *vm)
{
	struct dirty *d = vm->dirty;
	u64 start = now_ns();

	if (dirty_way(vm) == DIRTY_OFF)
		return;
	begin(vm);
	d->way = DIRTY_OFF;
	__atomic_store_n(&vm->memory.dirty, NULL, __ATOMIC_SEQ_CST);
	watch(vm, SLPT_WATCH_NONE);
	end(vm);
	if (d->logging)
		call_logs(vm, false);
	merge(vm, MIB(2));
	merge(vm, GIB(1));
	d->stats.off_ns = now_ns() - start;
}

void dirty_release(struct vm *vm)
{
	if (!vm->dirty)
		return;
	vm->memory.dirty = NULL;
	kfree(vm->dirty->pages);
	kfree(vm->dirty);
	vm->dirty = NULL;
}

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
		u64 gpa = gpa_of(&vm->memory, page << PAGE_SHIFT, &stop);

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
	u64 stop, gpa = gpa_of(&vm->memory, offset, &stop), count = 0;
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
		call_logs(vm, true);
	stats = &vm->dirty->stats;
	runs.value = (u32)stats->harvests + 1;
	begin(vm);
	for (u64 offset = 0; offset < vm->memory.size; offset += STEP_BYTES) {
		count += harvest_step(vm, offset, bitmap, &runs);
		yield(vm);
	}
	end(vm);
	trace_runs_end(&runs);
	trace_harvest(vm, began, runs.value, count);
	took = now_ns() - start;
	stats->harvests++;
	stats->harvest_ns += took;
	stats->longest_ns = MAX(stats->longest_ns, took);
	stats->pages += count;
	return count;
}
