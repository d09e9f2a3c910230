#include "trace/ring.h"

static void lose(struct trace_ring *ring, u64 tsc)
{
	if (!ring->lost++)
		ring->lost_at = tsc;
	__atomic_store_n(&ring->lost_ever, ring->lost_ever + 1,
			 __ATOMIC_RELAXED);
}

void trace_ring_put(struct trace_ring *ring, const struct trace_record *record)
{
	u64 head = ring->head, needed = 1 + (ring->lost != 0);
	u64 used = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	if (unlikely(ring->size - used < needed)) {
		lose(ring, record->tsc);
		return;
	}
	if (unlikely(ring->lost)) {
		ring->record[head++ % ring->size] = (struct trace_record){
			.tsc = ring->lost_at,
			.kind = TRACE_LOST,
			.cpu = record->cpu,
			.vm = TRACE_NONE,
			.a = ring->lost,
		};
		ring->lost = 0;
	}
	ring->record[head++ % ring->size] = *record;
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

size_t trace_ring_take(struct trace_ring *ring, struct trace_record *to,
		       size_t most)
{
	u64 tail = ring->tail, n = MIN(trace_ring_used(ring), most);

	for (u64 i = 0; i < n; i++)
		to[i] = ring->record[(tail + i) % ring->size];
	__atomic_store_n(&ring->tail, tail + n, __ATOMIC_RELEASE);
	return n;
}
