/*
 * Noise into PCI's configuration space, every virtio register and the MSI-X
 * tables, and rings of noise behind queues that are enabled and notified.
 */
#include "virtio.h"

static struct ring rings[2];

static u32 anything(void)
{
	u64 r = random_number();

	return r & 1 ? r >> 8 : r >> 8 & 0xff;
}

static void configuration(void)
{
	u64 r = random_number();

	pci_read(r % 32, r >> 8 & 0xff, 1u << (r >> 16) % 3);
	/* BARs mostly stay, else there is nothing left to attack. */
	if ((r >> 24) % 8)
		pci_write(r % 4, 0x40 + (r >> 32 & 0xff) % 0xc0,
			  1u << (r >> 40) % 3, anything());
	else
		pci_write(r % 4, 4, 4, anything() | 6);
}

static void registers(struct virtio *dev)
{
	u64 r = random_number();
	volatile u8 *at = (volatile u8 *)dev->common + (r & 0x3fff);
	volatile u32 *msix = dev->msix + (r >> 20 & 0x3ff);

	switch (r >> 40 & 7) {
	case 0:
		*at = anything();
		break;
	case 1:
		*(volatile u16 *)(at - (r & 1)) = anything();
		break;
	case 2:
		*(volatile u32 *)((u64)at & ~3ull) = anything();
		break;
	case 3:
		*(volatile u64 *)((u64)at & ~7ull) = random_number();
		break;
	case 4:
		*msix = anything();
		break;
	case 5:
		((volatile u8 *)dev->common)[r & 0x3f] = anything();
		break;
	default:
		(void)*(volatile u32 *)((u64)at & ~3ull);
	}
}

/* Descriptors that mostly lead to our own rings: what is written breaks them. */
static void noise(struct ring *ring)
{
	for (unsigned i = 0; i < RING_SIZE; i++) {
		u64 r = random_number();

		ring->desc[i] = (struct desc){
			r & 7 ? (u64)rings + (r >> 8) % sizeof(rings) : r << 4,
			r & 0x30 ? r >> 40 & 0xff : r >> 30,
			r >> 56 & (r & 0xc0 ? 3 : 7), r >> 60 & 15};
	}
	ring_offer(ring, random_number() & (RING_SIZE + 1));
	if (random_number() & 1)
		ring->avail_index += random_number() & 31;
}

static void attack(struct virtio *dev, u16 id)
{
	if (!virtio_find(dev, id))
		return;
	virtio_negotiate(dev, F_VERSION_1 | (random_number() &
					     (F_EVENT_IDX | F_INDIRECT_DESC)));
	for (unsigned i = 0; i < 2; i++)
		virtio_queue(dev, i, &rings[i], anything() & 3);
	virtio_ready(dev);
	for (unsigned i = 0; i < 4; i++) {
		noise(&rings[i & 1]);
		*(volatile u16 *)(dev->notify + 4 * (i & 1)) = i;
	}
}

/* A console that is sent the same lines for ever: others have turns still. */
static void flood(struct virtio *dev)
{
	if (!virtio_find(dev, VIRTIO_CONSOLE) ||
	    !virtio_negotiate(dev, F_VERSION_1))
		return;
	virtio_queue(dev, 1, &rings[1], NO_VECTOR);
	virtio_ready(dev);
	for (unsigned i = 0; i < RING_SIZE; i++)
		rings[1].desc[i] = (struct desc){(u64)rings, 160, 0, 0};
	for (unsigned i = 0; i < 3 * RING_SIZE; i++) {
		ring_offer(&rings[1], i % RING_SIZE);
		*(volatile u16 *)(dev->notify + 4) = 1;
	}
}

int guest_main(void)
{
	static const u16 ids[] = {VIRTIO_RNG, VIRTIO_CONSOLE, VIRTIO_NET};
	struct virtio dev;

	for (unsigned i = 0; i < 150; i++) {
		attack(&dev, ids[i % ARRAY_LEN(ids)]);
		if (!virtio_find(&dev, ids[i % ARRAY_LEN(ids)]))
			continue;
		for (unsigned n = 0; n < 20; n++)
			registers(&dev);
		configuration();
	}
	flood(&dev);
	return 0;
}
