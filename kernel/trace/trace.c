#include "trace/trace.h"

#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "mm/pages.h"
#include "trace/ring.h"

#define RING_SIZE MIB(4) /* of each CPU: 100000 records */

const char *const trace_classes[TRACE_CLASSES + 1] = {
	"exits", "interrupts", "turns", "migration", "frames", "dirty", NULL};

u64 trace_wanted;

static struct trace_ring rings[MAX_CPUS];

void trace_put_at(u64 tsc, enum trace_kind kind, u32 who, u32 value, u64 a,
		  u64 b, u64 c)
{
	unsigned cpu = this_cpu()->id;
	const struct trace_record record = {
		.tsc = tsc,
		.kind = kind,
		.cpu = cpu,
		.vm = who >> 8,
		.vcpu = who,
		.value = value,
		.a = a,
		.b = b,
		.c = c,
	};

	trace_ring_put(&rings[cpu], &record);
}

void trace_put(enum trace_kind kind, u32 who, u32 value, u64 a, u64 b, u64 c)
{
	trace_put_at(rdtsc(), kind, who, value, a, b, c);
}

/* Rings stay where they are: a CPU may be about to write to its own. */
static err_t make_ring(struct trace_ring *ring)
{
	u64 block;

	if (ring->size)
		return E_OK;
	block = page_alloc(order_for(RING_SIZE));
	if (!block)
		return E_NOMEM;
	ring->record = phys_to_virt(block);
	ring->size = RING_SIZE / sizeof(struct trace_record);
	return E_OK;
}

err_t trace_on(u64 classes)
{
	for_each_cpu (cpu) {
		err_t err = make_ring(&rings[cpu->id]);

		if (err)
			return err;
	}
	__atomic_store_n(&trace_wanted, trace_wanted | classes,
			 __ATOMIC_SEQ_CST);
	return E_OK;
}

void trace_off(void)
{
	__atomic_store_n(&trace_wanted, 0, __ATOMIC_SEQ_CST);
}

size_t trace_read(struct trace_record *to, size_t most)
{
	size_t n = 0;

	for_each_cpu (cpu)
		n += trace_ring_take(&rings[cpu->id], to + n, most - n);
	return n;
}

struct trace_stats trace_stats(void)
{
	struct trace_stats sum = {0};

	for_each_cpu (cpu) {
		const struct trace_ring *ring = &rings[cpu->id];

		sum.room += ring->size;
		sum.waiting += trace_ring_used(ring);
		sum.lost += trace_ring_lost(ring);
	}
	return sum;
}
