#include "virtio.h"

#include "apic.h"

#define BARRIER() asm volatile("mfence" ::: "memory")

/* A vendor capability: kind at 3, BAR at 4, offset at 8, length at 12. */
static void note_cap(struct virtio *dev, unsigned cap)
{
	unsigned kind = pci_read(dev->slot, cap + 3, 1);
	unsigned bar = pci_read(dev->slot, cap + 4, 1);

	if (!kind || kind >= CFG_KINDS || bar >= PCI_BARS || dev->cap[kind])
		return;
	dev->cap[kind] = cap;
	dev->length[kind] = pci_read(dev->slot, cap + 12, 4);
	dev->area[kind] =
		pci_bar(dev->slot, bar) + pci_read(dev->slot, cap + 8, 4);
	if (kind == CFG_NOTIFY)
		dev->notify_stride = pci_read(dev->slot, cap + 16, 4);
}

bool virtio_find(struct virtio *dev, unsigned type)
{
	int slot = pci_find(VIRTIO_ID(type));

	if (slot < 0)
		return false;
	memset(dev, 0, sizeof(*dev));
	dev->slot = slot;
	pci_command(slot, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	for (unsigned at = 0; (at = pci_cap(slot, PCI_CAP_VENDOR, at));)
		note_cap(dev, at);
	return dev->cap[CFG_COMMON] && dev->cap[CFG_NOTIFY] &&
	       dev->cap[CFG_ISR];
}

#define ACCESS(bits)                                                           \
	u##bits virtio_read##bits(const struct virtio *dev, unsigned offset)   \
	{                                                                      \
		return *(volatile u##bits *)(dev->area[CFG_COMMON] + offset);  \
	}                                                                      \
	void virtio_write##bits(const struct virtio *dev, unsigned offset,     \
				u##bits value)                                 \
	{                                                                      \
		*(volatile u##bits *)(dev->area[CFG_COMMON] + offset) = value; \
	}
ACCESS(8)
ACCESS(16)
ACCESS(32)

void virtio_write64(const struct virtio *dev, unsigned offset, u64 value)
{
	virtio_write32(dev, offset, value);
	virtio_write32(dev, offset + 4, value >> 32);
}

u8 virtio_status(const struct virtio *dev)
{
	return virtio_read8(dev, COMMON_STATUS);
}

void virtio_reset(const struct virtio *dev)
{
	virtio_write8(dev, COMMON_STATUS, 0);
	for (unsigned looks = 0; virtio_status(dev) && looks < 100000;)
		looks++;
}

u64 virtio_offered(const struct virtio *dev)
{
	u64 low;

	virtio_write32(dev, COMMON_OFFER_SELECT, 0);
	low = virtio_read32(dev, COMMON_OFFER);
	virtio_write32(dev, COMMON_OFFER_SELECT, 1);
	return low | (u64)virtio_read32(dev, COMMON_OFFER) << 32;
}

static void add_status(const struct virtio *dev, u8 bit)
{
	virtio_write8(dev, COMMON_STATUS, virtio_status(dev) | bit);
}

bool virtio_settle(const struct virtio *dev, u64 features)
{
	virtio_reset(dev);
	add_status(dev, STATUS_ACKNOWLEDGE);
	add_status(dev, STATUS_DRIVER);
	virtio_write32(dev, COMMON_ACCEPT_SELECT, 0);
	virtio_write32(dev, COMMON_ACCEPT, features);
	virtio_write32(dev, COMMON_ACCEPT_SELECT, 1);
	virtio_write32(dev, COMMON_ACCEPT, features >> 32);
	add_status(dev, STATUS_FEATURES_OK);
	return virtio_status(dev) & STATUS_FEATURES_OK;
}

void virtio_ready(const struct virtio *dev)
{
	add_status(dev, STATUS_DRIVER_OK);
}

/* --- rings */

/* The avail ring ends where its size says, and there is the event (2.7.6). */
void queue_start(struct queue *queue, const struct virtio *dev, unsigned number,
		 volatile struct ring *ring)
{
	u16 size;

	memset((void *)ring, 0, sizeof(*ring));
	virtio_write16(dev, COMMON_SELECT, number);
	size = MIN(virtio_read16(dev, COMMON_SIZE), RING_MAX);
	*queue = (struct queue){
		.dev = dev,
		.ring = ring,
		.number = number,
		.size = size,
		.used_event = (volatile u16 *)&ring->avail + 2 + size,
		.avail_event = (volatile u16 *)&ring->used + 2 + 4 * size,
	};
	virtio_write16(dev, COMMON_SIZE, size);
	virtio_write64(dev, COMMON_DESC, (word)ring->desc);
	virtio_write64(dev, COMMON_AVAIL, (word)&ring->avail);
	virtio_write64(dev, COMMON_USED, (word)&ring->used);
	virtio_write16(dev, COMMON_ENABLE, 1);
}

void queue_add(struct queue *queue, u16 head)
{
	volatile struct ring *ring = queue->ring;
	u16 index = ring->avail.index;

	ring->avail.head[index % queue->size] = head;
	BARRIER();
	ring->avail.index = index + 1;
}

void queue_kick(const struct queue *queue)
{
	const struct virtio *dev = queue->dev;
	u16 offset;

	BARRIER();
	virtio_write16(dev, COMMON_SELECT, queue->number);
	offset = virtio_read16(dev, COMMON_NOTIFY_OFF);
	*(volatile u16 *)(dev->area[CFG_NOTIFY] + offset * dev->notify_stride) =
		queue->number;
}

bool queue_wait(struct queue *queue, struct used *used)
{
	volatile struct ring *ring = queue->ring;

	if (!wait_politely(ring->used.index != queue->seen))
		return false;
	BARRIER();
	used->id = ring->used.entry[queue->seen % queue->size].id;
	used->size = ring->used.entry[queue->seen % queue->size].size;
	queue->seen++;
	return true;
}

bool queue_do(struct queue *queue, const volatile void *at, u32 size, u16 flags,
	      struct used *used)
{
	queue->ring->desc[0].address = (word)at;
	queue->ring->desc[0].size = size;
	queue->ring->desc[0].flags = flags;
	queue_add(queue, 0);
	queue_kick(queue);
	return queue_wait(queue, used);
}
