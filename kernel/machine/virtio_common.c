/*
 * The common configuration of a virtio device (virtio 1.2, 4.1.4.3): features,
 * status, and what its queues are made of.
 */
#include "machine/virtio_pci.h"

enum {
	OFFER_SELECT = 0x00,
	OFFER = 0x04,
	ACCEPT_SELECT = 0x08,
	ACCEPT = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	STATUS = 0x14,
	GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_AVAIL = 0x28,
	QUEUE_USED = 0x30,
};

void virtio_device_reset(struct virtio_device *dev)
{
	dev->accepted = 0;
	dev->offer_select = dev->accept_select = 0;
	dev->queue_select = 0;
	dev->config_vector = VIRTIO_NO_VECTOR;
	dev->status = dev->isr = 0;
	for (unsigned i = 0; i < dev->kind->queues; i++)
		vq_reset(&dev->queue[i]);
	if (dev->kind->reset)
		dev->kind->reset(dev);
}

/* The queue selected, or NULL: it reads as zeroes. */
static struct virtqueue *selected(struct virtio_device *dev)
{
	return dev->queue_select < dev->kind->queues
		       ? &dev->queue[dev->queue_select]
		       : NULL;
}

static u32 read_queue(struct virtio_device *dev, unsigned offset)
{
	const struct virtqueue *vq = selected(dev);

	if (!vq)
		return 0;
	switch (offset) {
	case QUEUE_SIZE:
		return vq->size;
	case QUEUE_VECTOR:
		return vq->vector;
	case QUEUE_ENABLE:
		return vq->enabled;
	case QUEUE_NOTIFY:
		return dev->queue_select;
	case QUEUE_DESC:
		return vq->desc;
	case QUEUE_DESC + 4:
		return vq->desc >> 32;
	case QUEUE_AVAIL:
		return vq->avail;
	case QUEUE_AVAIL + 4:
		return vq->avail >> 32;
	case QUEUE_USED:
		return vq->used;
	case QUEUE_USED + 4:
		return vq->used >> 32;
	}
	return 0;
}

static u32 half(u64 value, u32 select)
{
	return select < 2 ? value >> 32 * select : 0;
}

static u32 read_common(struct virtio_device *dev, unsigned offset)
{
	switch (offset) {
	case OFFER_SELECT:
		return dev->offer_select;
	case OFFER:
		return half(dev->features, dev->offer_select);
	case ACCEPT_SELECT:
		return dev->accept_select;
	case ACCEPT:
		return half(dev->accepted, dev->accept_select);
	case CONFIG_VECTOR:
		return dev->config_vector;
	case NUM_QUEUES:
		return dev->kind->queues;
	case STATUS:
		return dev->status;
	case GENERATION:
		return dev->generation;
	case QUEUE_SELECT:
		return dev->queue_select;
	}
	return read_queue(dev, offset);
}

static void set_half(u64 *value, bool high, u32 half_value)
{
	*value = high ? (u32)*value | (u64)half_value << 32
		      : (*value & ~0xffffffffULL) | half_value;
}

static u16 valid_vector(const struct virtio_device *dev, u16 vector)
{
	return virtio_has_vector(dev, vector) ? vector : VIRTIO_NO_VECTOR;
}

static void enable_queue(struct virtio_device *dev, struct virtqueue *vq)
{
	vq->indirect = !!(dev->accepted & VIRTIO_F_INDIRECT_DESC);
	vq->event_index = !!(dev->accepted & VIRTIO_F_EVENT_IDX);
	if (!(dev->status & VIRTIO_FEATURES_OK))
		virtio_broken(dev, "a queue", "enabled before FEATURES_OK");
	else if (!vq_enable(vq))
		virtio_broken(dev, "a queue", vq->broken);
}

/* What a queue is made of stays, once it is enabled (4.1.4.3.2). */
static void write_queue(struct virtio_device *dev, unsigned offset, u32 value)
{
	struct virtqueue *vq = selected(dev);

	if (!vq)
		return;
	if (offset == QUEUE_VECTOR)
		vq->vector = valid_vector(dev, value);
	if (vq->enabled)
		return;
	switch (offset) {
	case QUEUE_SIZE:
		vq->size = value;
		break;
	case QUEUE_ENABLE:
		if (value == 1)
			enable_queue(dev, vq);
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		set_half(&vq->desc, offset & 4, value);
		break;
	case QUEUE_AVAIL:
	case QUEUE_AVAIL + 4:
		set_half(&vq->avail, offset & 4, value);
		break;
	case QUEUE_USED:
	case QUEUE_USED + 4:
		set_half(&vq->used, offset & 4, value);
		break;
	}
}

/*
 * 3.1.1. FEATURES_OK stays clear when the driver wants what is not offered, or
 * not VERSION_1, without which we would be another device. Bits are never
 * cleared but by a reset, which is writing 0.
 */
static void write_status(struct virtio_device *dev, u8 value)
{
	u8 begins = value & ~dev->status;

	if (!value) {
		virtio_device_reset(dev);
		pci_intx(&dev->pci, false);
		return;
	}
	if ((begins & VIRTIO_FEATURES_OK) &&
	    ((dev->accepted & ~dev->features) ||
	     !(dev->accepted & VIRTIO_F_VERSION_1)))
		begins &= ~VIRTIO_FEATURES_OK;
	dev->status |= begins & ~VIRTIO_NEEDS_RESET;
	if ((begins & VIRTIO_DRIVER_OK) && !(dev->status & VIRTIO_FEATURES_OK))
		virtio_broken(dev, "its driver", "ready before FEATURES_OK");
}

static void write_common(struct virtio_device *dev, unsigned offset, u32 value)
{
	switch (offset) {
	case OFFER_SELECT:
		dev->offer_select = value;
		return;
	case ACCEPT_SELECT:
		dev->accept_select = value;
		return;
	case ACCEPT:
		if (dev->accept_select < 2 &&
		    !(dev->status & VIRTIO_FEATURES_OK))
			set_half(&dev->accepted, dev->accept_select, value);
		return;
	case CONFIG_VECTOR:
		dev->config_vector = valid_vector(dev, value);
		return;
	case STATUS:
		write_status(dev, value);
		return;
	case QUEUE_SELECT:
		dev->queue_select = value;
		return;
	}
	write_queue(dev, offset, value);
}

/* Each field by its own size; 64 bits by halves (4.1.3.1). */
static unsigned field_size(unsigned offset)
{
	if (offset >= VIRTIO_COMMON_SIZE)
		return 0;
	if (offset == STATUS || offset == GENERATION)
		return 1;
	return offset < CONFIG_VECTOR || offset >= QUEUE_DESC ? 4 : 2;
}

u32 virtio_common_read(struct virtio_device *dev, u32 offset, unsigned size)
{
	return size == field_size(offset) ? read_common(dev, offset) : 0;
}

void virtio_common_write(struct virtio_device *dev, u32 offset, unsigned size,
			 u32 value)
{
	if (size == field_size(offset))
		write_common(dev, offset, value);
}
