/*
 * Noise into every register of every virtio device, and into its MSI-X table:
 * all sizes, queues switched on with rings anywhere, kicks, resets.
 */
#include "virtio.h"

static const unsigned types[] = {VIRTIO_NET, VIRTIO_CONSOLE, VIRTIO_RNG};

static void poke(volatile u8 *at, unsigned size, u64 value)
{
	switch (size) {
	case 0:
		*at = value;
		(void)*at;
		break;
	case 1:
		*(volatile u16 *)at = value;
		(void)*(volatile u16 *)at;
		break;
	case 2:
		*(volatile u32 *)at = value;
		(void)*(volatile u32 *)at;
		break;
	default:
		*(volatile u64 *)at = value;
		(void)*(volatile u64 *)at;
	}
}

/* Any address: RAM, holes, devices, beyond all. */
static u64 somewhere(void)
{
	u64 r = random_number();

	return r % 3 == 0   ? r >> 8 & 0x1ffffff
	       : r % 3 == 1 ? r >> 8 & 0xffffffff
			    : r;
}

static void wild_queue(const struct virtio *dev)
{
	virtio_write16(dev, COMMON_SELECT, random_number() % 4);
	virtio_write16(dev, COMMON_SIZE,
		       random_number() % 2 ? BIT(random_number() % 16)
					   : random_number());
	virtio_write64(dev, COMMON_DESC, somewhere());
	virtio_write64(dev, COMMON_AVAIL, somewhere());
	virtio_write64(dev, COMMON_USED, somewhere() & 0xffffff0000000000);
	virtio_write16(dev, COMMON_QUEUE_VECTOR, random_number());
	virtio_write16(dev, COMMON_ENABLE, random_number() % 3);
}

static void one(const struct virtio *dev, const struct msix *msix)
{
	u64 r = random_number();
	unsigned kind = 1 + r % 4, size = r >> 8 & 3;
	u32 offset = r >> 16 & 0xfff;

	if (r % 11 == 0)
		virtio_settle(dev, virtio_offered(dev));
	if (r % 13 == 0)
		wild_queue(dev);
	if (r % 17 == 0)
		virtio_write8(dev, COMMON_STATUS, r >> 32);
	if (r % 19 == 0)
		msix_control(msix, random_number());
	if (r % 3 == 0)
		offset %= 0x40;
	if (dev->area[kind])
		poke(dev->area[kind] + offset, size, random_number());
	poke((volatile u8 *)msix->table + (r >> 40 & 0xfff), r >> 56 & 3,
	     random_number());
}

static void storm(unsigned type)
{
	struct virtio dev;
	struct msix msix;

	if (!virtio_find(&dev, type) || !msix_find(&msix, dev.slot))
		return;
	for (unsigned i = 0; i < 8000; i++)
		one(&dev, &msix);
	virtio_reset(&dev);
}

int guest_main(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		storm(types[i]);
	return 0;
}
