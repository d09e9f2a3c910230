/*
 * What all virtio devices have in common: the modern PCI transport (virtio 1.2,
 * 4.1), feature negotiation, the device status, queues and their interrupts. A
 * device is its features, its queues, its configuration, and what it does when
 * it is notified; it embeds this as its first member.
 *
 * A driver that breaks the rules gets DEVICE_NEEDS_RESET and a line in the
 * host's log; the device does nothing more until it is reset.
 *
 * dev->lock guards all of it; it is taken after vm->lock. Notifications come
 * without it: a vCPU never waits for the first CPU to finish a batch.
 */
#ifndef MACHINE_VIRTIO_PCI_H
#define MACHINE_VIRTIO_PCI_H

#include "machine/pci.h"
#include "machine/virtqueue.h"

#define VIRTIO_QUEUES 4

/* Device types (virtio 1.2, 5). */
#define VIRTIO_NET     1
#define VIRTIO_BLOCK   2
#define VIRTIO_CONSOLE 3
#define VIRTIO_RNG     4

/* Features of every device (6); these are always offered. */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_VERSION_1     BIT(32)

/* Device status (2.1). */
#define VIRTIO_ACKNOWLEDGE 0x01
#define VIRTIO_DRIVER	   0x02
#define VIRTIO_DRIVER_OK   0x04
#define VIRTIO_FEATURES_OK 0x08
#define VIRTIO_NEEDS_RESET 0x40
#define VIRTIO_FAILED	   0x80

#define VIRTIO_NO_VECTOR 0xffff

struct virtio_device;

struct virtio_kind {
	const char *name;
	u16 type;
	u32 class; /* PCI's: class, subclass, interface */
	unsigned queues;
	u16 queue_size[VIRTIO_QUEUES];
	u64 features; /* besides those of every device */
	unsigned config_size;
	/* Up to 4 bytes of its configuration, within config_size. */
	u32 (*config_read)(struct virtio_device *dev, unsigned offset,
			   unsigned size);
	/*
	 * Optional: instead of vm_request_service(). Under vm->lock, without
	 * dev->lock.
	 */
	void (*notified)(struct virtio_device *dev, unsigned queue);
	/* On the first CPU, dev->lock held, driver is live. True: more to do.
	 */
	bool (*serve)(struct virtio_device *dev);
	/* Optional, dev->lock held: the driver has reset it. */
	void (*reset)(struct virtio_device *dev);
	void (*destroy)(struct virtio_device *dev);
};

struct virtio_device {
	struct pci_device pci; /* the first */
	struct vm *vm;
	const struct virtio_kind *kind;
	struct spinlock lock;
	u64 features;  /* offered */
	u8 complaints; /* that are in the log */
	u16 cfg_cap;   /* where in configuration space the access window is */
	struct virtqueue queue[VIRTIO_QUEUES];

	/* The state: */
	u64 accepted; /* features */
	u32 offer_select, accept_select;
	u16 queue_select;
	u16 config_vector;
	u8 status, isr, generation;
};

extern const struct device_description virtio_description;

/* Onto the VM's PCI bus. If that fails it is destroyed. */
err_t virtio_create(struct virtio_device *dev, struct vm *vm,
		    const struct virtio_kind *kind, u64 features);

/* Queues may be served: the driver is ready and has broken nothing. */
bool virtio_is_live(const struct virtio_device *dev);

/* vq_take(), and if the ring is broken the device is. */
bool virtio_take(struct virtio_device *dev, unsigned queue,
		 struct vq_chain *chain);
/* vq_publish(), and the interrupt. */
void virtio_publish(struct virtio_device *dev, unsigned queue);

/* The driver has broken the rules. */
void virtio_broken(struct virtio_device *dev, const char *what,
		   const char *why);
/* Its configuration has changed. */
void virtio_config_changed(struct virtio_device *dev);

/* --- virtio_common.c: dev->lock held */

#define VIRTIO_COMMON_SIZE 0x38

u32 virtio_common_read(struct virtio_device *dev, u32 offset, unsigned size);
void virtio_common_write(struct virtio_device *dev, u32 offset, unsigned size,
			 u32 value);
/* As if nobody had ever driven it; but its interrupt line is not lowered. */
void virtio_device_reset(struct virtio_device *dev);

/* It is VIRTIO_NO_VECTOR, or there is one. */
static inline bool virtio_has_vector(const struct virtio_device *dev,
				     u16 vector)
{
	return vector == VIRTIO_NO_VECTOR || vector < dev->pci.msix_count;
}

#endif
