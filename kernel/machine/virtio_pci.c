#include "machine/virtio_pci.h"

#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "machine/devices.h"
#include "vm/vm.h"

/* BAR 0: the four structures of 4.1.4, a page each. BAR 1: MSI-X. */
#define BAR_REGISTERS 0
#define BAR_MSIX      1
enum { AREA_COMMON, AREA_ISR, AREA_DEVICE, AREA_NOTIFY, AREAS };
#define NOTIFY_STRIDE 4u

/* Kinds of capability (4.1.4). */
#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR	   3
#define CAP_DEVICE 4
#define CAP_PCI	   5

/* More of a driver's mistakes tell nobody more. */
#define COMPLAINTS_MAX 8

#define ISR_QUEUE  1
#define ISR_CONFIG 2

static const struct device_field fields[] = {
	DEVICE_FIELD(struct virtio_device, accepted, 1, 1),
	DEVICE_FIELD(struct virtio_device, offer_select, 1, 1),
	DEVICE_FIELD(struct virtio_device, accept_select, 1, 1),
	DEVICE_FIELD(struct virtio_device, queue_select, 1, 1),
	DEVICE_FIELD(struct virtio_device, config_vector, 1, 1),
	DEVICE_FIELD(struct virtio_device, status, 1, 1),
	DEVICE_FIELD_MAX(struct virtio_device, isr, 1, 1,
			 ISR_QUEUE | ISR_CONFIG),
	DEVICE_FIELD(struct virtio_device, generation, 1, 1),
};

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct virtio_device *dev = device;
	u64 wanting = dev->accepted & ~dev->features;

	if ((dev->status & VIRTIO_FEATURES_OK) && wanting)
		snprintf(why, size, "accepted: %lx is not offered here",
			 wanting);
	else if ((dev->status & VIRTIO_DRIVER_OK) &&
		 !(dev->status & (VIRTIO_FEATURES_OK | VIRTIO_NEEDS_RESET)))
		snprintf(why, size, "status: %02x", dev->status);
	else if (!virtio_has_vector(dev, dev->config_vector))
		snprintf(why, size, "config_vector: %u of %u",
			 dev->config_vector, dev->pci.msix_count);
	else
		return true;
	return false;
}

const struct device_description virtio_description = {
	"virtio", 1, ARRAY_LEN(fields), fields, check};

/* --- interrupts */

/* By message where the driver has chosen so, else by ISR and the line. */
static void interrupt(struct virtio_device *dev, u16 vector, u8 isr)
{
	if (pci_msix_enabled(&dev->pci)) {
		pci_msix(&dev->pci, vector);
		return;
	}
	dev->isr |= isr;
	pci_intx(&dev->pci, true);
}

void virtio_config_changed(struct virtio_device *dev)
{
	dev->generation++;
	if (dev->status & VIRTIO_DRIVER_OK)
		interrupt(dev, dev->config_vector, ISR_CONFIG);
}

void virtio_broken(struct virtio_device *dev, const char *what, const char *why)
{
	if (dev->status & VIRTIO_NEEDS_RESET)
		return;
	if (dev->complaints < COMPLAINTS_MAX) {
		dev->complaints++;
		log_warn("%s: %s: %s: %s; it needs a reset",
			 dev->vm->config.name, dev->kind->name, what, why);
	}
	dev->status |= VIRTIO_NEEDS_RESET;
	virtio_config_changed(dev);
}

/* --- queues */

bool virtio_is_live(const struct virtio_device *dev)
{
	return (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) ==
		       VIRTIO_DRIVER_OK &&
	       pci_is_master(&dev->pci);
}

bool virtio_take(struct virtio_device *dev, unsigned queue,
		 struct vq_chain *chain)
{
	struct virtqueue *vq = &dev->queue[queue];
	err_t err = vq_take(vq, chain);

	if (err == E_FORMAT)
		virtio_broken(dev, "a ring is broken", vq->broken);
	return !err;
}

void virtio_publish(struct virtio_device *dev, unsigned queue)
{
	struct virtqueue *vq = &dev->queue[queue];

	if (vq_publish(vq))
		interrupt(dev, vq->vector, ISR_QUEUE);
}

static void notify(struct virtio_device *dev, u32 offset)
{
	unsigned queue = offset / NOTIFY_STRIDE;

	if (queue >= dev->kind->queues)
		return;
	if (dev->kind->notified)
		dev->kind->notified(dev, queue);
	else
		vm_request_service(dev->vm);
}

/* --- the BAR */

/* Reading it acknowledges (4.1.4.5). */
static u32 read_isr(struct virtio_device *dev)
{
	u8 isr = dev->isr;

	dev->isr = 0;
	pci_intx(&dev->pci, false);
	return isr;
}

static u32 read_area(struct virtio_device *dev, unsigned area, u32 offset,
		     unsigned size)
{
	switch (area) {
	case AREA_COMMON:
		return virtio_common_read(dev, offset, size);
	case AREA_ISR:
		return offset ? 0 : read_isr(dev);
	case AREA_DEVICE:
		if (offset + size <= dev->kind->config_size)
			return dev->kind->config_read(dev, offset, size);
	}
	return 0;
}

static u32 bar_read(struct pci_device *pci, unsigned bar, u32 offset,
		    unsigned size)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	u32 value;

	spin_lock(&dev->lock);
	value = read_area(dev, offset >> PAGE_SHIFT, offset & PAGE_MASK, size);
	spin_unlock(&dev->lock);
	return value;
}

/* No device here has configuration that a driver may write. */
static void bar_write(struct pci_device *pci, unsigned bar, u32 offset,
		      unsigned size, u32 value)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	unsigned area = offset >> PAGE_SHIFT;

	offset &= PAGE_MASK;
	if (area == AREA_NOTIFY) {
		notify(dev, offset);
	} else if (area == AREA_COMMON) {
		spin_lock(&dev->lock);
		virtio_common_write(dev, offset, size, value);
		spin_unlock(&dev->lock);
	}
}

/* --- capabilities, and the way to the BAR by configuration space (4.1.4.9) */

struct PACKED virtio_cap {
	u8 size; /* with the two bytes before it */
	u8 type;
	u8 bar;
	u8 id, padding[2];
	u32 offset, length;
	u32 more; /* notify: the stride; PCI: the data */
};

#define CAP_WORD(dev, member)                                      \
	((dev)->pci.config[((dev)->cfg_cap + 2u +                  \
			    offsetof(struct virtio_cap, member)) / \
			   4])

static unsigned add_cap(struct virtio_device *dev, u8 type, unsigned area,
			u32 length, u32 more)
{
	unsigned size = type == CAP_NOTIFY || type == CAP_PCI ? 18 : 14;
	struct virtio_cap cap = {
		.size = size + 2,
		.type = type,
		.bar = BAR_REGISTERS,
		.offset = area << PAGE_SHIFT,
		.length = length,
		.more = more,
	};

	return pci_add_cap(&dev->pci, PCI_CAP_VENDOR, &cap, size);
}

static void add_caps(struct virtio_device *dev)
{
	unsigned queues = dev->kind->queues, at;

	add_cap(dev, CAP_COMMON, AREA_COMMON, VIRTIO_COMMON_SIZE, 0);
	add_cap(dev, CAP_ISR, AREA_ISR, 1, 0);
	if (dev->kind->config_size)
		add_cap(dev, CAP_DEVICE, AREA_DEVICE, dev->kind->config_size,
			0);
	add_cap(dev, CAP_NOTIFY, AREA_NOTIFY, queues * NOTIFY_STRIDE,
		NOTIFY_STRIDE);
	at = add_cap(dev, CAP_PCI, 0, 0, 0);
	dev->cfg_cap = at;
	dev->pci.writable[at / 4 + 1] = 0xff; /* the BAR */
	dev->pci.writable[at / 4 + 2] = ~0u;  /* offset */
	dev->pci.writable[at / 4 + 3] = ~0u;  /* length */
	dev->pci.writable[at / 4 + 4] = ~0u;  /* data */
}

/* Does the window name an access to BAR 0 that exists? */
static bool window(struct virtio_device *dev, unsigned word, u32 *offset,
		   u32 *length)
{
	*offset = CAP_WORD(dev, offset);
	*length = CAP_WORD(dev, length);
	return word == dev->cfg_cap + 16u &&
	       (u8)CAP_WORD(dev, bar) == BAR_REGISTERS &&
	       (*length == 1 || *length == 2 || *length == 4) &&
	       !(*offset & (*length - 1)) && *offset < AREAS << PAGE_SHIFT;
}

static void config_read(struct pci_device *pci, unsigned word)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	u32 offset, length;

	if (window(dev, word, &offset, &length))
		CAP_WORD(dev, more) = bar_read(pci, 0, offset, length);
}

static void config_written(struct pci_device *pci, unsigned word)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	u32 offset, length, value;

	if (!window(dev, word, &offset, &length))
		return;
	value = CAP_WORD(dev, more);
	if (length < 4)
		value &= BIT(8 * length) - 1;
	bar_write(pci, 0, offset, length, value);
}

/* --- life */

static bool serve(struct pci_device *pci)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	bool again = false;

	spin_lock(&dev->lock);
	if (dev->kind->serve && virtio_is_live(dev))
		again = dev->kind->serve(dev);
	spin_unlock(&dev->lock);
	return again;
}

/* Queues are counted through all slots. */
static err_t visit_parts(struct pci_device *pci, device_visitor *visit,
			 void *context)
{
	struct virtio_device *dev = (struct virtio_device *)pci;
	err_t err = visit(context, &virtio_description, pci->slot, dev);

	for (unsigned i = 0; !err && i < dev->kind->queues; i++)
		err = visit(context, &virtqueue_description,
			    pci->slot * VIRTIO_QUEUES + i, &dev->queue[i]);
	return err;
}

static void destroy(struct pci_device *pci)
{
	struct virtio_device *dev = (struct virtio_device *)pci;

	dev->kind->destroy(dev);
}

static const struct pci_device_ops ops = {
	.read = bar_read,
	.write = bar_write,
	.config_read = config_read,
	.config_written = config_written,
	.serve = serve,
	.visit = visit_parts,
	.destroy = destroy,
};

/*
 * One for the configuration, one for all queues: what was sent and what came
 * are told of by one interrupt, not by two behind each other. No device here
 * has queues for several CPUs.
 */
#define VECTORS 2

err_t virtio_create(struct virtio_device *dev, struct vm *vm,
		    const struct virtio_kind *kind, u64 features)
{
	/* 4.1.2.1; revision 1: no transitional device. */
	const struct pci_id id = {0x1af4, 0x1040 + kind->type, 0x1af4, 0x1100,
				  kind->class << 8 | 1};
	err_t err;

	dev->vm = vm;
	dev->kind = kind;
	dev->features = features | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
			VIRTIO_F_INDIRECT_DESC;
	pci_device_init(&dev->pci, &id, &ops);
	pci_add_bar(&dev->pci, BAR_REGISTERS, AREAS << PAGE_SHIFT);
	add_caps(dev);
	pci_add_msix(&dev->pci, BAR_MSIX, VECTORS);
	for (unsigned i = 0; i < kind->queues; i++) {
		dev->queue[i].vm = vm;
		dev->queue[i].size_max = kind->queue_size[i];
	}
	virtio_device_reset(dev);
	err = pci_add(vm, &dev->pci);
	if (err)
		kind->destroy(dev);
	return err;
}
