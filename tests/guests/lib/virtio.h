/*
 * PCI by configuration mechanism #1, and as much of a virtio driver (virtio
 * 1.2, modern PCI transport, split rings) as tests need.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "guest.h"

u32 pci_read(unsigned slot, unsigned offset, unsigned size);
void pci_write(unsigned slot, unsigned offset, unsigned size, u32 value);
/* The first slot with these ids, or -1. */
int pci_find(u16 vendor, u16 device);

#define VIRTIO_VENDOR  0x1af4
#define VIRTIO_NET     0x1041
#define VIRTIO_CONSOLE 0x1043
#define VIRTIO_RNG     0x1044

#define F_INDIRECT_DESC BIT(28)
#define F_EVENT_IDX	BIT(29)
#define F_VERSION_1	BIT(32)

#define STATUS_DRIVER_OK   0x04
#define STATUS_FEATURES_OK 0x08
#define STATUS_NEEDS_RESET 0x40

#define NO_VECTOR 0xffff

/* 4.1.4.3 */
struct virtio_common {
	u32 offer_select, offer, accept_select, accept;
	u16 config_vector, queues;
	u8 status, generation;
	u16 select, size, vector, enable, notify;
	u32 desc[2], avail[2], used[2];
};

struct desc {
	u64 address;
	u32 size;
	u16 flags, next;
};
#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

/* A split ring of the test's own: all our devices have as much. */
#define RING_SIZE 8
struct ring {
	struct desc desc[RING_SIZE];
	volatile u16 avail_flags, avail_index, avail[RING_SIZE], used_event;
	volatile u16 used_flags ALIGNED(4), used_index;
	volatile struct {
		u32 head, written;
	} used[RING_SIZE];
	volatile u16 avail_event;
	volatile u16 *notify;
} ALIGNED(16);

struct virtio {
	unsigned slot;
	volatile struct virtio_common *common;
	volatile u8 *isr, *config;
	u8 *notify;
	u32 notify_stride;
	u32 *msix; /* the table */
	unsigned msix_cap;
};

/* Finds device and structures, turns memory and bus mastership on. */
bool virtio_find(struct virtio *dev, u16 device);
/* From reset to FEATURES_OK; false: the device refuses them. */
bool virtio_negotiate(struct virtio *dev, u64 features);
void virtio_queue(struct virtio *dev, unsigned queue, struct ring *ring,
		  u16 vector);
void virtio_ready(struct virtio *dev);
/* A message for each vector of the table; 0: switch MSI-X off. */
void virtio_msix(struct virtio *dev, unsigned vectors, const u8 *vector);

/* Offers descriptor `head`, notifies unless the device does not want it. */
void ring_offer(struct ring *ring, u16 head);
void ring_kick(struct ring *ring);

#endif
