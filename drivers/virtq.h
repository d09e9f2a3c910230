/*
 * A split virtqueue from the driver's side (Virtual I/O Device 1.2, 2.7): ring
 * logic only, over memory that is shared with the device.
 *
 * The device may write anything into that memory at any time. What matters is
 * kept in `head`, which it cannot reach, and what it says is checked against
 * that: an answer for what it was not given is E_HARDWARE, and the queue is
 * then good for nothing but virtq_reset().
 */
#ifndef DRIVERS_VIRTQ_H
#define DRIVERS_VIRTQ_H

#include "lib/error.h"
#include "lib/types.h"

#define VIRTQ_SIZE_MAX 1024

#define VIRTQ_NEXT     1 /* the chain goes on */
#define VIRTQ_WRITE    2 /* for the device to write to */
#define VIRTQ_INDIRECT 4 /* points at a table of descriptors */

struct virtq_desc {
	u64 address;
	u32 size;
	u16 flags;
	u16 next;
};
ASSERT_SIZE(struct virtq_desc, 16);

struct virtq_avail {
	u16 flags;
	u16 idx;
	u16 ring[]; /* and behind it used_event */
};

struct virtq_used_elem {
	u32 id;
	u32 written;
};

struct virtq_used {
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[]; /* and behind it avail_event */
};
ASSERT_OFFSET(struct virtq_used, ring, 4);

/* What the driver knows of a chain by its first descriptor. */
struct virtq_head {
	bool posted;
	u16 at;	  /* its index in the available ring */
	u32 room; /* the device may write so much */
};

struct virtq {
	u16 size; /* a power of two */
	bool event_idx;
	u16 avail_idx; /* of the next chain */
	u16 published; /* what the device was shown of it */
	u16 used_idx;  /* what was taken */
	u16 used_seen; /* what the device was seen to have finished */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	volatile struct virtq_used *used;
	struct virtq_head *head;
	void *memory; /* shared with the device */
};

/* Bytes of shared memory for a queue of this size, and where its parts are. */
u64 virtq_bytes(u16 size);

/* memory: page aligned, of virtq_bytes(). head: `size` of them. */
void virtq_init(struct virtq *q, u16 size, bool event_idx, void *memory,
		struct virtq_head *head);

/* As it was at first; the device must have been reset. */
void virtq_reset(struct virtq *q);

/* Chains that the device has. */
static inline unsigned virtq_out(const struct virtq *q)
{
	return (u16)(q->avail_idx - q->used_idx);
}

/* Gives the device the chain at desc[id], when it is next published. */
static inline void virtq_post(struct virtq *q, u16 id, u32 room)
{
	q->head[id] = (struct virtq_head){true, q->avail_idx, room};
	q->avail->ring[q->avail_idx++ & (q->size - 1)] = id;
}

/* Shows the device all that was posted. True: it wants to be notified. */
bool virtq_publish(struct virtq *q);

/*
 * The next chain that the device has finished, and how many bytes it wrote.
 * E_NOTFOUND: none now. E_HARDWARE: what it says cannot be.
 */
err_t virtq_take(struct virtq *q, u16 *id, u32 *written);

/* Asks for no interrupt: while the queue is polled. */
void virtq_disarm(struct virtq *q);

/*
 * Asks for an interrupt when `more` chains are finished that were not taken
 * yet. False: they are already, none will come.
 */
bool virtq_arm(struct virtq *q, u16 more);

#endif
