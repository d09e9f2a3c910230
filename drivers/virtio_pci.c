#include "drivers/mmio.h"
#include "drivers/virtio.h"

#include "cpu/device_irq.h"
#include "lib/log.h"
#include "mm/pages.h"

/* struct virtio_pci_cap, 4.1.4: offsets in configuration space. */
enum {
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LENGTH = 12,
	CAP_NOTIFY_MULTIPLIER = 16,
};

enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_DEVICE = 4 };

/* struct virtio_pci_common_cfg, 4.1.4.3. */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_MSIX_VECTOR = 0x10,
	DEVICE_STATUS = 0x14,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_MSIX_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	COMMON_SIZE = 0x38,
};

/* 2.1. */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 0x40
#define STATUS_FAILED	   0x80

#define NO_VECTOR   0xffff
#define RESET_SPINS 100000

static u8 status(const struct virtio_device *dev)
{
	return mmio_read8(dev->common + DEVICE_STATUS);
}

static void add_status(struct virtio_device *dev, u8 bits)
{
	mmio_write8(dev->common + DEVICE_STATUS, status(dev) | bits);
}

static void write64(u8 *reg, u64 value)
{
	mmio_write32(reg, (u32)value);
	mmio_write32(reg + 4, (u32)(value >> 32));
}

/* --- the registers */

/* Maps what a capability of this type points at; the first is preferred. */
static u8 *find_part(struct virtio_device *dev, u8 type, u32 min, u32 *size,
		     unsigned *cap)
{
	const struct pci_device *pci = dev->pci;
	unsigned at = pci_capability(pci, PCI_CAP_VENDOR, 0);

	for (; at; at = pci_capability(pci, PCI_CAP_VENDOR, at)) {
		u8 bar = pci_read8(pci, at + CAP_BAR);

		if (pci_read8(pci, at + CAP_TYPE) != type || bar >= PCI_BARS)
			continue;
		*cap = at;
		*size = pci_read32(pci, at + CAP_LENGTH);
		if (*size < min)
			continue;
		return pci_map(pci, bar, pci_read32(pci, at + CAP_OFFSET),
			       *size);
	}
	return NULL;
}

static err_t find_parts(struct virtio_device *dev)
{
	unsigned cap = 0;
	u32 size;

	dev->common = find_part(dev, TYPE_COMMON, COMMON_SIZE, &size, &cap);
	dev->config = find_part(dev, TYPE_DEVICE, 1, &dev->config_size, &cap);
	dev->notify = find_part(dev, TYPE_NOTIFY, 2, &dev->notify_size, &cap);
	if (!dev->common || !dev->notify)
		return E_UNSUPPORTED;
	dev->notify_multiplier =
		pci_read32(dev->pci, cap + CAP_NOTIFY_MULTIPLIER);
	return E_OK;
}

err_t virtio_open(struct virtio_device *dev, struct pci_device *pci)
{
	int vector;
	err_t err;

	*dev = (struct virtio_device){.pci = pci, .vector = -1};
	pci_claim(pci);
	err = find_parts(dev);
	if (!err)
		err = virtio_reset(dev);
	if (err)
		return err;
	pci_enable_dma(pci);
	vector = device_irq_alloc();
	if (vector >= 0 && !pci_enable_msix(pci, 0, (u8)vector))
		dev->vector = vector;
	return E_OK;
}

/* --- the handshake */

err_t virtio_reset(struct virtio_device *dev)
{
	mmio_write8(dev->common + DEVICE_STATUS, 0);
	for (unsigned i = 0; i < RESET_SPINS; i++) {
		if (status(dev) == 0)
			return E_OK;
	}
	return E_TIMEOUT;
}

static u64 device_features(struct virtio_device *dev)
{
	u64 features = 0;

	for (u32 i = 0; i < 2; i++) {
		mmio_write32(dev->common + DEVICE_FEATURE_SELECT, i);
		features |= (u64)mmio_read32(dev->common + DEVICE_FEATURE)
			    << i * 32;
	}
	return features;
}

err_t virtio_negotiate(struct virtio_device *dev, u64 wanted)
{
	add_status(dev, STATUS_ACKNOWLEDGE);
	add_status(dev, STATUS_DRIVER);
	dev->features = device_features(dev) & (wanted | VIRTIO_F_VERSION_1);
	for (u32 i = 0; i < 2; i++) {
		mmio_write32(dev->common + DRIVER_FEATURE_SELECT, i);
		mmio_write32(dev->common + DRIVER_FEATURE,
			     (u32)(dev->features >> i * 32));
	}
	add_status(dev, STATUS_FEATURES_OK);
	if (!(dev->features & VIRTIO_F_VERSION_1) ||
	    !(status(dev) & STATUS_FEATURES_OK)) {
		add_status(dev, STATUS_FAILED);
		return E_UNSUPPORTED;
	}
	return E_OK;
}

static void select_queue(struct virtio_device *dev, unsigned index)
{
	mmio_write16(dev->common + QUEUE_SELECT, (u16)index);
}

u16 virtio_queue_max(struct virtio_device *dev, unsigned index)
{
	select_queue(dev, index);
	return mmio_read16(dev->common + QUEUE_SIZE);
}

/* 4.1.4.4: where a write tells the device about this queue. */
static err_t find_doorbell(struct virtio_device *dev, unsigned index)
{
	u64 at = (u64)mmio_read16(dev->common + QUEUE_NOTIFY_OFF) *
		 dev->notify_multiplier;

	if (at + sizeof(u16) > dev->notify_size)
		return E_HARDWARE;
	dev->doorbell[index] = dev->notify + at;
	return E_OK;
}

err_t virtio_queue_enable(struct virtio_device *dev, unsigned index,
			  const struct virtq *q)
{
	u8 *common = dev->common;
	err_t err;

	select_queue(dev, index);
	err = find_doorbell(dev, index);
	if (err)
		return err;
	mmio_write16(common + QUEUE_SIZE, q->size);
	write64(common + QUEUE_DESC, virt_to_phys(q->desc));
	write64(common + QUEUE_DRIVER, virt_to_phys(q->avail));
	write64(common + QUEUE_DEVICE, virt_to_phys((const void *)q->used));
	if (dev->vector >= 0) {
		/* A device without room for it answers NO_VECTOR. */
		mmio_write16(common + QUEUE_MSIX_VECTOR, 0);
		if (mmio_read16(common + QUEUE_MSIX_VECTOR) == NO_VECTOR)
			dev->vector = -1;
	}
	mmio_write16(common + QUEUE_ENABLE, 1);
	return E_OK;
}

/* A change of the link, or a device in need, wakes us too. */
void virtio_start(struct virtio_device *dev)
{
	if (dev->vector >= 0)
		mmio_write16(dev->common + CONFIG_MSIX_VECTOR, 0);
	add_status(dev, STATUS_DRIVER_OK);
}

void virtio_notify(struct virtio_device *dev, unsigned index)
{
	mmio_write16(dev->doorbell[index], (u16)index);
}

bool virtio_is_running(struct virtio_device *dev)
{
	return (status(dev) & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) ==
	       STATUS_DRIVER_OK;
}
