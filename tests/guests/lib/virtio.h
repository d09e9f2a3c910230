/*
 * A driver's side of virtio over PCI (virtio 1.2, 4.1) with split rings (2.7):
 * small, polling or by MSI-X, and with everything in reach of a test that
 * wants to do it wrong.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "pci.h"

#define VIRTIO_NET     1u
#define VIRTIO_CONSOLE 3u
#define VIRTIO_RNG     4u

#define VIRTIO_ID(type) ((0x1040u + (type)) << 16 | 0x1af4u)

#define F_INDIRECT  BIT(28)
#define F_EVENT_IDX BIT(29)
#define F_VERSION_1 BIT(32)

#define STATUS_ACKNOWLEDGE 0x01
#define STATUS_DRIVER	   0x02
#define STATUS_DRIVER_OK   0x04
#define STATUS_FEATURES_OK 0x08
#define STATUS_NEEDS_RESET 0x40

/* The common configuration (4.1.4.3). */
#define COMMON_OFFER_SELECT  0x00
#define COMMON_OFFER	     0x04
#define COMMON_ACCEPT_SELECT 0x08
#define COMMON_ACCEPT	     0x0c
#define COMMON_VECTOR	     0x10
#define COMMON_QUEUES	     0x12
#define COMMON_STATUS	     0x14
#define COMMON_GENERATION    0x15
#define COMMON_SELECT	     0x16
#define COMMON_SIZE	     0x18
#define COMMON_QUEUE_VECTOR  0x1a
#define COMMON_ENABLE	     0x1c
#define COMMON_NOTIFY_OFF    0x1e
#define COMMON_DESC	     0x20
#define COMMON_AVAIL	     0x28
#define COMMON_USED	     0x30
#define COMMON_END	     0x38

/* Kinds of capability (4.1.4). */
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE, CFG_PCI, CFG_KINDS };

struct virtio {
	unsigned slot;
	volatile u8 *area[CFG_KINDS]; /* NULL: not there */
	unsigned cap[CFG_KINDS];
	u32 length[CFG_KINDS];
	u32 notify_stride;
};

/* False: the machine has none. */
bool virtio_find(struct virtio *dev, unsigned type);

u8 virtio_read8(const struct virtio *dev, unsigned offset);
u16 virtio_read16(const struct virtio *dev, unsigned offset);
u32 virtio_read32(const struct virtio *dev, unsigned offset);
void virtio_write8(const struct virtio *dev, unsigned offset, u8 value);
void virtio_write16(const struct virtio *dev, unsigned offset, u16 value);
void virtio_write32(const struct virtio *dev, unsigned offset, u32 value);
void virtio_write64(const struct virtio *dev, unsigned offset, u64 value);

void virtio_reset(const struct virtio *dev);
u64 virtio_offered(const struct virtio *dev);
/* Reset, and the features settled; false: the device does not agree. */
bool virtio_settle(const struct virtio *dev, u64 features);
void virtio_ready(const struct virtio *dev);
u8 virtio_status(const struct virtio *dev);

/* --- split rings */

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

struct desc {
	u64 address;
	u32 size;
	u16 flags, next;
};

struct used {
	u32 id, size;
};

#define RING_MAX 256

/* As large as the largest ring that a driver of ours asks for. */
struct ring {
	struct desc desc[RING_MAX];
	struct PACKED {
		u16 flags, index, head[RING_MAX], used_event;
	} avail;
	struct PACKED ALIGNED(4) {
		u16 flags, index;
		struct used entry[RING_MAX];
		u16 avail_event;
	} used;
};

struct queue {
	const struct virtio *dev;
	volatile struct ring *ring;
	unsigned number;
	u16 size, seen; /* entries of the used ring that were looked at */
	volatile u16 *used_event, *avail_event; /* where the size puts them */
};

/* Empty, enabled, without interrupts; at most RING_MAX long. */
void queue_start(struct queue *queue, const struct virtio *dev, unsigned number,
		 volatile struct ring *ring);
/* The chain is put before the device, which does not know yet. */
void queue_add(struct queue *queue, u16 head);
void queue_kick(const struct queue *queue);
/* The next used entry; false: none after a long time. */
bool queue_wait(struct queue *queue, struct used *used);
/* One descriptor, one round trip; false: no answer. */
bool queue_do(struct queue *queue, const volatile void *at, u32 size, u16 flags,
	      struct used *used);

#endif
