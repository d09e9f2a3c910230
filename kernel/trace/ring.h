/*
 * A ring of trace records: one CPU writes, one reads, neither waits. When it is
 * full new records are counted instead, and the count goes in as a record
 * (TRACE_LOST, of the time of the first that was lost) as soon as there is
 * room.
 */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include "trace/record.h"

struct trace_ring {
	struct trace_record *record;
	u64 size; /* records there is room for; 0: all are lost */
	u64 head; /* the writer's: ever written; atomic */
	u64 tail; /* the reader's: ever read; atomic */
	u64 lost; /* since one found room, */
	u64 lost_at;
	u64 lost_ever; /* atomic */
};

/* The writer's. */
void trace_ring_put(struct trace_ring *ring, const struct trace_record *record);

/* The reader's: the oldest, up to `most` of them; how many there were. */
size_t trace_ring_take(struct trace_ring *ring, struct trace_record *to,
		       size_t most);

/* Anybody's. */
static inline u64 trace_ring_used(const struct trace_ring *ring)
{
	u64 tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - tail;
}

static inline u64 trace_ring_lost(const struct trace_ring *ring)
{
	return __atomic_load_n(&ring->lost_ever, __ATOMIC_RELAXED);
}

#endif
