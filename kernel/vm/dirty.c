/*
 * Written pages are gathered in one bitmap: by faults (WP), from the vCPUs'
 * logs (PML), from D bits at the harvest (DBIT), and from the host's own stores
 * in all three. A harvest takes the bits and makes what it took show writes
 * again, piece by piece, with one shootdown at the end: what a stale
 * translation lets through until then is in the page before its content is
 * read.
 */
#include "trace/trace.h"
#include "vm/dirty_state.h"

#include "cpu/cpu.h"
#include "cpu/time.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "vm/shootdown.h"

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

void dirty_begin(struct vm *vm)
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

void dirty_yield(struct vm *vm)
{
	step_ends(vm->dirty);
	tables_yield(vm);
	vm->dirty->held_since = rdtsc();
}

void dirty_end(struct vm *vm)
{
	step_ends(vm->dirty);
	tables_end(vm);
}

static void watch(struct vm *vm, enum slpt_watching watching)
{
	for (u64 offset = 0; offset < vm->memory.size;) {
		u64 stop, gpa = dirty_gpa(&vm->memory, offset, &stop);

		offset +=
			slpt_watch(&vm->slpt, gpa, stop, watching, STEP) - gpa;
		dirty_yield(vm);
	}
}

/* Back into leaves of this size; only a flush makes the old tables free. */
static void merge(struct vm *vm, u64 leaf_size)
{
	struct slpt *slpt = &vm->slpt;

	for (u64 offset = 0; offset < vm->memory.size;) {
		unsigned looked = 0;

		dirty_begin(vm);
		while (offset < vm->memory.size && looked++ < SLPT_RETIRED) {
			u64 stop;

			slpt_merge(slpt, dirty_gpa(&vm->memory, offset, &stop),
				   leaf_size);
			offset += leaf_size;
		}
		dirty_end(vm);
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

void dirty_call_logs(struct vm *vm, bool on)
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

void dirty_trace_harvest(const struct vm *vm, u64 began, u32 number, u64 pages)
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
		dirty_call_logs(vm, true);
	dirty_begin(vm);
	vm->dirty->way = way;
	watch(vm, way == DIRTY_WP ? SLPT_WATCH_RIGHT : SLPT_WATCH_DIRTY);
	slpt_forget(&vm->slpt);
	dirty_end(vm);
	vm->dirty->stats.on_ns = now_ns() - start;
	dirty_trace_harvest(vm, began, 0, 0);
	return E_OK;
}

void dirty_off(struct vm *vm)
{
	struct dirty *d = vm->dirty;
	u64 start = now_ns();

	if (dirty_way(vm) == DIRTY_OFF)
		return;
	dirty_begin(vm);
	d->way = DIRTY_OFF;
	__atomic_store_n(&vm->memory.dirty, NULL, __ATOMIC_SEQ_CST);
	watch(vm, SLPT_WATCH_NONE);
	dirty_end(vm);
	if (d->logging)
		dirty_call_logs(vm, false);
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
