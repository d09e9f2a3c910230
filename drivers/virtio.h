/*
 * A virtio device on PCI (Virtual I/O Device 1.2, 4.1; the modern interface
 * only): finding its registers, the handshake, queues and doorbells.
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include "drivers/pci.h"
#include "drivers/virtq.h"

#define VIRTIO_QUEUES 2

#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_VERSION_1     BIT(32)

struct virtio_device {
	struct pci_device *pci;
	u8 *common; /* registers, 4.1.4.3 */
	u8 *config; /* what is special to the kind of device; or NULL */
	u32 config_size;
	u8 *notify;
	u32 notify_size;
	u32 notify_multiplier;
	u8 *doorbell[VIRTIO_QUEUES];
	u64 features; /* agreed */
	int vector;   /* of MSI-X, -1: none */
};

/* Takes the device over from whoever had it: afterwards it is reset. */
err_t virtio_open(struct virtio_device *dev, struct pci_device *pci);

/* E_TIMEOUT: it does not come back. Its queues are ours alone afterwards. */
err_t virtio_reset(struct virtio_device *dev);

/* Steps 2 to 6 of 3.1.1: agrees on those of `wanted` that the device has. */
err_t virtio_negotiate(struct virtio_device *dev, u64 wanted);

/* The largest size the device takes for a queue, 0: it has no such queue. */
u16 virtio_queue_max(struct virtio_device *dev, unsigned index);

err_t virtio_queue_enable(struct virtio_device *dev, unsigned index,
			  const struct virtq *q);

/* All queues are there: it may begin. */
void virtio_start(struct virtio_device *dev);

void virtio_notify(struct virtio_device *dev, unsigned index);

/* False: it has had enough of us, or was reset by somebody. */
bool virtio_is_running(struct virtio_device *dev);

#endif
