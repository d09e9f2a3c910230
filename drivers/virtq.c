#include "drivers/virtq.h"

#include "lib/string.h"

#define NO_INTERRUPT 1 /* avail->flags */
#define NO_NOTIFY    1 /* used->flags */
#define USED_ALIGN   4

static u64 avail_offset(u16 size)
{
	return (u64)size * sizeof(struct virtq_desc);
}

static u64 used_offset(u16 size)
{
	u64 avail = sizeof(struct virtq_avail) + (size + 1) * sizeof(u16);

	return ALIGN_UP(avail_offset(size) + avail, USED_ALIGN);
}

u64 virtq_bytes(u16 size)
{
	return used_offset(size) + sizeof(struct virtq_used) +
	       size * sizeof(struct virtq_used_elem) + sizeof(u16);
}

void virtq_init(struct virtq *q, u16 size, bool event_idx, void *memory,
		struct virtq_head *head)
{
	*q = (struct virtq){
		.size = size,
		.event_idx = event_idx,
		.desc = memory,
		.avail = (void *)((u8 *)memory + avail_offset(size)),
		.used = (void *)((u8 *)memory + used_offset(size)),
		.head = head,
		.memory = memory,
	};
	virtq_reset(q);
}

void virtq_reset(struct virtq *q)
{
	q->avail_idx = q->published = q->used_idx = q->used_seen = 0;
	memset(q->memory, 0, virtq_bytes(q->size));
	memset(q->head, 0, q->size * sizeof(q->head[0]));
	virtq_disarm(q);
}

/* Where each side says at which index of the other's it wants to hear. */
static volatile u16 *used_event(struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static volatile u16 *avail_event(struct virtq *q)
{
	return (volatile u16 *)&q->used->ring[q->size];
}

/* The other side has to see what was written before what is read next. */
static void full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool virtq_publish(struct virtq *q)
{
	u16 before = q->published, now = q->avail_idx;

	if (before == now)
		return false;
	__atomic_store_n(&q->avail->idx, now, __ATOMIC_RELEASE);
	q->published = now;
	full_barrier();
	if (!q->event_idx)
		return !(q->used->flags & NO_NOTIFY);
	/* Has idx gone past the event? (2.7.10) */
	return (u16)(now - *avail_event(q) - 1) < (u16)(now - before);
}

static u16 finished(const struct virtq *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}

/* Was this chain shown to the device, and not taken back since? */
static bool is_with_device(const struct virtq *q, u32 id)
{
	return id < q->size && q->head[id].posted &&
	       (u16)(q->published - q->head[id].at - 1) < q->size;
}

err_t virtq_take(struct virtq *q, u16 *id, u32 *written)
{
	struct virtq_used_elem e;

	if (q->used_idx == q->used_seen) {
		u16 now = finished(q);

		if ((u16)(now - q->used_idx) >
		    (u16)(q->published - q->used_idx))
			return E_HARDWARE;
		q->used_seen = now;
		if (q->used_idx == now)
			return E_NOTFOUND;
	}
	e.id = q->used->ring[q->used_idx & (q->size - 1)].id;
	e.written = q->used->ring[q->used_idx & (q->size - 1)].written;
	if (!is_with_device(q, e.id) || e.written > q->head[e.id].room)
		return E_HARDWARE;
	q->head[e.id].posted = false;
	q->used_idx++;
	*id = (u16)e.id;
	*written = e.written;
	return E_OK;
}

/* A used_event that idx has passed is not met again for 65536 chains. */
void virtq_disarm(struct virtq *q)
{
	if (q->event_idx)
		*used_event(q) = (u16)(q->used_idx - 1);
	else
		q->avail->flags = NO_INTERRUPT;
}

bool virtq_arm(struct virtq *q, u16 more)
{
	if (q->event_idx)
		*used_event(q) = (u16)(q->used_idx + more - 1);
	else
		q->avail->flags = 0;
	full_barrier();
	return (u16)(finished(q) - q->used_idx) < more;
}
