#include "virtio.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

static void select_register(unsigned slot, unsigned offset)
{
	outl(CONFIG_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
}

u32 pci_read(unsigned slot, unsigned offset, unsigned size)
{
	u16 port = CONFIG_DATA + (offset & 3);

	select_register(slot, offset);
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void pci_write(unsigned slot, unsigned offset, unsigned size, u32 value)
{
	u16 port = CONFIG_DATA + (offset & 3);

	select_register(slot, offset);
	if (size == 1)
		outb(port, value);
	else if (size == 2)
		outw(port, value);
	else
		outl(port, value);
}

int pci_find(u16 vendor, u16 device)
{
	for (unsigned slot = 0; slot < 32; slot++)
		if (pci_read(slot, 0, 4) == ((u32)device << 16 | vendor))
			return slot;
	return -1;
}

static u8 *bar(unsigned slot, unsigned n)
{
	return (u8 *)(u64)(pci_read(slot, 0x10 + 4 * n, 4) & ~15u);
}

/* A vendor capability (4.1.4) or MSI-X. */
static void note_cap(struct virtio *dev, unsigned at)
{
	u8 *place = bar(dev->slot, pci_read(dev->slot, at + 4, 1)) +
		    pci_read(dev->slot, at + 8, 4);

	if (pci_read(dev->slot, at, 1) == 0x11) {
		u32 table = pci_read(dev->slot, at + 4, 4);

		dev->msix_cap = at;
		dev->msix = (u32 *)(bar(dev->slot, table & 7) + (table & ~7u));
		return;
	}
	switch (pci_read(dev->slot, at + 3, 1)) {
	case 1:
		dev->common = (volatile struct virtio_common *)place;
		break;
	case 2:
		dev->notify = place;
		dev->notify_stride = pci_read(dev->slot, at + 16, 4);
		break;
	case 3:
		dev->isr = place;
		break;
	case 4:
		dev->config = place;
		break;
	}
}

bool virtio_find(struct virtio *dev, u16 device)
{
	int slot = pci_find(VIRTIO_VENDOR, device);

	if (slot < 0)
		return false;
	memset(dev, 0, sizeof(*dev));
	dev->slot = slot;
	pci_write(slot, 4, 2, 0x0006);
	for (unsigned at = pci_read(slot, 0x34, 1), n = 0; at && n < 48; n++) {
		note_cap(dev, at);
		at = pci_read(slot, at + 1, 1);
	}
	return dev->common && dev->notify && dev->isr && dev->msix;
}

bool virtio_negotiate(struct virtio *dev, u64 features)
{
	dev->common->status = 0;
	if (dev->common->status)
		return false;
	dev->common->status = 1;
	dev->common->status = 3;
	for (unsigned i = 0; i < 2; i++) {
		dev->common->accept_select = i;
		dev->common->accept = features >> 32 * i;
	}
	dev->common->status = 3 | STATUS_FEATURES_OK;
	return dev->common->status & STATUS_FEATURES_OK;
}

static void set_address(volatile u32 *to, const volatile void *at)
{
	to[0] = (u64)at;
	to[1] = (u64)at >> 32;
}

void virtio_queue(struct virtio *dev, unsigned queue, struct ring *ring,
		  u16 vector)
{
	volatile struct virtio_common *common = dev->common;

	memset(ring, 0, sizeof(*ring));
	common->select = queue;
	ring->notify = (volatile u16 *)(dev->notify +
					common->notify * dev->notify_stride);
	common->size = RING_SIZE;
	common->vector = vector;
	set_address(common->desc, ring->desc);
	set_address(common->avail, &ring->avail_flags);
	set_address(common->used, &ring->used_flags);
	common->enable = 1;
}

void virtio_ready(struct virtio *dev)
{
	dev->common->status = 3 | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
}

void virtio_msix(struct virtio *dev, unsigned vectors, const u8 *vector)
{
	for (unsigned i = 0; i < vectors; i++) {
		volatile u32 *entry = dev->msix + 4 * i;

		entry[0] = 0xfee00000;
		entry[1] = 0;
		entry[2] = vector[i];
		entry[3] = 0;
	}
	pci_write(dev->slot, dev->msix_cap + 2, 2, vectors ? 0x8000 : 0);
}

void ring_offer(struct ring *ring, u16 head)
{
	ring->avail[ring->avail_index % RING_SIZE] = head;
	asm volatile("" ::: "memory");
	ring->avail_index++;
}

void ring_kick(struct ring *ring)
{
	asm volatile("mfence" ::: "memory");
	if (!(ring->used_flags & 1))
		*ring->notify = 0;
}
