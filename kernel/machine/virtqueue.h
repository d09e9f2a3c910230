/*
 * The device's side of a virtio split ring (virtio 1.2, 2.7). The ring is the
 * guest's and may change at any time: each descriptor is copied once, the copy
 * is checked, the copy is used. A ring that makes no sense is told as broken,
 * with a reason; nothing more is taken from it until the device is reset.
 *
 * Requests are done when they are taken, or given back: none is in flight
 * while the device's lock is free, so two indices are a queue's whole progress.
 */
#ifndef MACHINE_VIRTQUEUE_H
#define MACHINE_VIRTQUEUE_H

#include "drivers/netdev.h"
#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

struct vm;

#define VQ_SIZE_MAX 256

struct virtqueue {
	struct vm *vm;
	u16 size_max;
	const char *broken; /* NULL, or what the driver did */

	/* The state: what the driver has set up, */
	u16 size;
	u16 vector; /* MSI-X */
	u8 enabled;
	u8 indirect, event_index; /* features in use */
	u64 desc, avail, used;	  /* guest-physical */
	/* and how far we are: */
	u16 taken;    /* of the avail ring */
	u16 returned; /* into the used ring, published */
	u16 added;    /* into the used ring, not yet published */
	u16 told;     /* the published index at the last interrupt decision */
};

extern const struct device_description virtqueue_description;

/* A piece of guest memory, known to be RAM. */
struct vq_area {
	u64 gpa;
	u32 size;
};

/* A request: what the device may read, then what it may write. */
struct vq_chain {
	u16 head;
	u16 out, in; /* areas */
	u64 out_size, in_size;
	struct vq_area area[VQ_SIZE_MAX];
};

void vq_reset(struct virtqueue *vq);

/* The driver enables it: false, and vq->broken, when it may not. */
bool vq_enable(struct virtqueue *vq);

/* E_NOTFOUND: the ring is empty. E_FORMAT: it is broken. */
err_t vq_take(struct virtqueue *vq, struct vq_chain *chain);
/* The newest `count` taken and not added go back. */
void vq_give_back(struct virtqueue *vq, u16 count);

/* Done, `written` bytes of it; the driver sees it from vq_publish() on. */
void vq_add(struct virtqueue *vq, const struct vq_chain *chain, u32 written);
/* The newest `count` added, and taken, as if they had never been. */
void vq_undo(struct virtqueue *vq, u16 count);
/* True: the driver is to be interrupted. */
bool vq_publish(struct virtqueue *vq);

/* While it is served the driver need not notify. */
void vq_quiet(struct virtqueue *vq);
/*
 * Before leaving it: from now on it must, or with an event index, once there
 * are `beyond` more. True: there is something already.
 */
bool vq_listen_for(struct virtqueue *vq, u16 beyond);
static inline bool vq_listen(struct virtqueue *vq)
{
	return vq_listen_for(vq, 0);
}

/* From what the device may read, into what it may write: how much there was. */
u64 vq_read(const struct virtqueue *vq, const struct vq_chain *chain,
	    u64 offset, void *dst, u64 n);
u64 vq_write(const struct virtqueue *vq, const struct vq_chain *chain,
	     u64 offset, const void *src, u64 n);

/*
 * What the device may read from `offset` on, in the direct map, each piece
 * contiguous there. 0: more than `max` pieces, or nothing.
 */
unsigned vq_pieces(const struct virtqueue *vq, const struct vq_chain *chain,
		   u64 offset, struct net_piece *piece, unsigned max);

#endif
