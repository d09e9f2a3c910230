#include "machine/pci.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "machine/layout.h"
#include "machine/ports.h"
#include "mm/heap.h"
#include "vm/vm.h"

/* CONFIG_ADDRESS: enable, bus, device, function, double word. */
#define ADDRESS_ENABLE	 BIT(31)
#define ADDRESS_WRITABLE 0x80fffffc
#define ADDRESS_BUS	 0x00ff0000
#define ADDRESS_FUNCTION 0x00000700

static const struct device_field bus_fields[] = {
	DEVICE_FIELD_MAX(struct pci_bus, address, 1, 1, ADDRESS_WRITABLE),
};

const struct device_description pci_bus_description = {
	"pci bus", 1, ARRAY_LEN(bus_fields), bus_fields, NULL};

static const struct device_field fields[] = {
	DEVICE_FIELD(struct pci_device, config, 64, 1),
	DEVICE_FIELD(struct pci_device, msix, PCI_MSIX_MAX *MSIX_WORDS, 1),
	DEVICE_FIELD(struct pci_device, msix_pending, 1, 1),
	DEVICE_FIELD_MAX(struct pci_device, intx, 1, 1, 1),
};

/*
 * What a driver cannot have written is as this machine built it, or it is
 * another device.
 */
static bool check_config(const struct pci_device *dev, char *why, size_t size)
{
	for (unsigned i = 0; i < ARRAY_LEN(dev->config); i++) {
		u32 may = dev->writable[i];

		if (i == PCI_COMMAND / 4)
			may |= PCI_STATUS_INTX << 16;
		if ((dev->config[i] ^ dev->built[i]) & ~may) {
			snprintf(why, size, "config %02x: %08x, not %08x",
				 i * 4, dev->config[i], dev->built[i]);
			return false;
		}
	}
	return true;
}

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct pci_device *dev = device;

	if (!check_config(dev, why, size))
		return false;
	if (!dev->intx !=
	    !(dev->config[PCI_COMMAND / 4] & PCI_STATUS_INTX << 16)) {
		snprintf(why, size, "intx: %u, and the status says otherwise",
			 dev->intx);
		return false;
	}
	if (dev->msix_pending >> dev->msix_count) {
		snprintf(why, size, "msix_pending: %x: of %u vectors",
			 dev->msix_pending, dev->msix_count);
		return false;
	}
	for (unsigned i = 0; i < PCI_MSIX_MAX; i++)
		for (unsigned word = 0; word < MSIX_WORDS; word++)
			if (dev->msix[i][word] & ~pci_msix_writable[word]) {
				snprintf(why, size,
					 "msix: vector %u: reserved bits", i);
				return false;
			}
	return true;
}

const struct device_description pci_description = {"pci", 1, ARRAY_LEN(fields),
						   fields, check};

static u32 mask_of(unsigned size)
{
	return size == 4 ? ~0u : (u32)BIT(8 * size) - 1;
}

/* --- configuration space */

static struct pci_device *addressed(const struct pci_bus *bus)
{
	/* One bus, one function: the others are empty. */
	if (!(bus->address & ADDRESS_ENABLE) ||
	    (bus->address & (ADDRESS_BUS | ADDRESS_FUNCTION)))
		return NULL;
	return bus->slot[bus->address >> 11 & (PCI_SLOTS - 1)];
}

static u32 config_read(struct pci_device *dev, unsigned offset, unsigned size)
{
	if (dev->ops->config_read)
		dev->ops->config_read(dev, offset & ~3u);
	return dev->config[offset / 4] >> 8 * (offset & 3) & mask_of(size);
}

static void config_write(struct pci_device *dev, unsigned offset, unsigned size,
			 u32 value)
{
	unsigned word = offset / 4, shift = 8 * (offset & 3);
	u32 changes = mask_of(size) << shift & dev->writable[word];

	spin_lock(&dev->bus->lock);
	dev->config[word] =
		(dev->config[word] & ~changes) | (value << shift & changes);
	pci_irq_changed(dev);
	spin_unlock(&dev->bus->lock);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, offset & ~3u);
}

/* An access that leaves its double word is none that a processor makes. */
static bool is_inside(u64 offset, unsigned size)
{
	return (offset & 3) + size <= 4;
}

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	const struct pci_bus *bus = device;
	struct pci_device *dev = addressed(bus);

	if (offset == 0 && size == 4)
		return bus->address;
	if (offset < 4 || !dev || !is_inside(offset, size))
		return ~0ULL;
	return config_read(dev, (bus->address & 0xfc) | (offset & 3), size);
}

/* CONFIG_ADDRESS takes whole double words; a byte at 0xcf9 is the reset's. */
static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct pci_bus *bus = device;
	struct pci_device *dev = addressed(bus);

	if (offset == 0 && size == 4)
		bus->address = value & ADDRESS_WRITABLE;
	else if (offset == PORT_RESET - PORT_PCI_ADDRESS && size == 1)
		ports_reset(bus->vm, value);
	else if (offset >= 4 && dev && is_inside(offset, size))
		config_write(dev, (bus->address & 0xfc) | (offset & 3), size,
			     value);
}

static const struct bus_ops port_ops = {.read = port_read, .write = port_write};

/* --- memory: BARs may be anywhere in the window, so all of it comes here */

static bool bar_at(const struct pci_device *dev, unsigned bar, u64 address,
		   unsigned size)
{
	u64 base = dev->config[PCI_BAR / 4 + bar] & ~0xfu;

	return dev->bar_size[bar] && address >= base &&
	       address - base + size <= dev->bar_size[bar];
}

static struct pci_device *decode(const struct pci_bus *bus, u64 address,
				 unsigned size, unsigned *bar)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		struct pci_device *dev = bus->slot[i];

		if (!dev || !(pci_command(dev) & PCI_COMMAND_MEMORY))
			continue;
		for (*bar = 0; *bar < PCI_BARS; ++*bar)
			if (bar_at(dev, *bar, address, size))
				return dev;
	}
	return NULL;
}

static u32 bar_read(struct pci_device *dev, unsigned bar, u32 offset,
		    unsigned size)
{
	if (!dev->msix_cap || bar != dev->msix_bar)
		return dev->ops->read(dev, bar, offset, size);
	return pci_msix_read(dev, offset & ~3u) >> 8 * (offset & 3);
}

/* The table takes double words; less is undefined (PCI 3.0, 6.8.2). */
static void bar_write(struct pci_device *dev, unsigned bar, u32 offset,
		      unsigned size, u32 value)
{
	if (!dev->msix_cap || bar != dev->msix_bar)
		dev->ops->write(dev, bar, offset, size, value);
	else if (size == 4)
		pci_msix_write(dev, offset, value);
}

/* Eight bytes are two accesses; what is not aligned is nobody's. */
static u64 window_read(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size)
{
	u64 address = PCI_WINDOW + offset, value = 0;
	unsigned bar;
	struct pci_device *dev = decode(device, address, size, &bar);
	u32 at;

	if (!dev || (address & (size - 1)))
		return ~0ULL;
	at = address - (dev->config[PCI_BAR / 4 + bar] & ~0xfu);
	for (unsigned done = 0; done < size; done += 4)
		value |= (u64)bar_read(dev, bar, at + done, MIN(size, 4u))
			 << 8 * done;
	return value;
}

static void window_write(void *device, struct vcpu *vcpu, u64 offset,
			 unsigned size, u64 value)
{
	u64 address = PCI_WINDOW + offset;
	unsigned bar;
	struct pci_device *dev = decode(device, address, size, &bar);
	u32 at;

	if (!dev || (address & (size - 1)))
		return;
	at = address - (dev->config[PCI_BAR / 4 + bar] & ~0xfu);
	for (unsigned done = 0; done < size; done += 4)
		bar_write(dev, bar, at + done, MIN(size, 4u),
			  value >> 8 * done);
}

static const struct bus_ops window_ops = {.read = window_read,
					  .write = window_write};

/* --- making devices */

void pci_device_init(struct pci_device *dev, const struct pci_id *id,
		     const struct pci_device_ops *ops)
{
	dev->ops = ops;
	dev->cap_end = PCI_FIRST_CAP;
	dev->config[PCI_VENDOR / 4] = (u32)id->device << 16 | id->vendor;
	dev->config[PCI_REVISION / 4] = id->class;
	dev->config[PCI_SUBSYSTEM / 4] =
		(u32)id->subsystem << 16 | id->subsystem_vendor;
	dev->writable[PCI_CACHE_LINE / 4] = 0xff; /* kept, means nothing */
	dev->writable[PCI_INT_LINE / 4] = 0xff;
}

void pci_add_bar(struct pci_device *dev, unsigned bar, u32 size)
{
	dev->bar_size[bar] = size;
	dev->writable[PCI_BAR / 4 + bar] = ~(size - 1);
	dev->writable[PCI_COMMAND / 4] =
		PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
}

unsigned pci_add_cap(struct pci_device *dev, u8 id, const void *body,
		     unsigned size)
{
	u8 *config = (u8 *)dev->config;
	unsigned at = dev->cap_end;

	config[at] = id;
	memcpy(config + at + 2, body, size);
	config[dev->last_cap ? dev->last_cap + 1u : PCI_CAPS] = at;
	dev->config[PCI_COMMAND / 4] |= PCI_STATUS_CAPS << 16;
	dev->last_cap = at;
	dev->cap_end = ALIGN_UP(at + 2 + size, 4);
	return at;
}

/* Masked, as after a reset (PCI 3.0, 6.8.2.9). */
void pci_add_msix(struct pci_device *dev, unsigned bar, unsigned count)
{
	struct PACKED {
		u16 control;
		u32 table, pba;
	} body = {count - 1, bar, MSIX_PBA | bar};

	dev->msix_cap = pci_add_cap(dev, PCI_CAP_MSIX, &body, sizeof(body));
	dev->msix_bar = bar;
	dev->msix_count = count;
	dev->writable[dev->msix_cap / 4] |=
		(u32)(MSIX_ENABLE | MSIX_FUNCTION_MASK) << 16;
	for (unsigned i = 0; i < count; i++)
		dev->msix[i][MSIX_CONTROL] = MSIX_VECTOR_MASK;
	pci_add_bar(dev, bar, PAGE_SIZE);
}

/* What firmware does: addresses, the interrupt's number, decoding on. */
static void set_up(struct pci_bus *bus, struct pci_device *dev)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		u32 size = dev->bar_size[i];

		if (!size)
			continue;
		bus->bar_next = ALIGN_UP(bus->bar_next, size);
		dev->config[PCI_BAR / 4 + i] = bus->bar_next;
		dev->config[PCI_COMMAND / 4] |= PCI_COMMAND_MEMORY;
		bus->bar_next += size;
	}
	if (!dev->msix_cap)
		return;
	dev->writable[PCI_COMMAND / 4] |= PCI_COMMAND_INTX_DISABLE;
	dev->config[PCI_INT_LINE / 4] = 1 << 8 | GSI_OF_PCI(dev->slot, 0);
}

err_t pci_add(struct vm *vm, struct pci_device *dev)
{
	struct pci_bus *bus = vm->pci;

	for (unsigned i = 0; i < PCI_SLOTS; i++)
		if (!bus->slot[i]) {
			dev->bus = bus;
			dev->slot = i;
			set_up(bus, dev);
			memcpy(dev->built, dev->config, sizeof(dev->built));
			bus->slot[i] = dev;
			return E_OK;
		}
	return E_NOMEM;
}

/* --- the host bridge, and the bus itself */

static void bridge_destroy(struct pci_device *dev)
{
	kfree(dev);
}

static err_t add_bridge(struct vm *vm)
{
	/* The ids of a bridge that has nothing to be configured. */
	static const struct pci_id id = {0x1b36, 0x0008, 0x1af4, 0x1100,
					 0x06000000};
	static const struct pci_device_ops ops = {.destroy = bridge_destroy};
	struct pci_device *dev = kzalloc(sizeof(*dev));

	if (!dev)
		return E_NOMEM;
	pci_device_init(dev, &id, &ops);
	return pci_add(vm, dev);
}

err_t pci_create(struct vm *vm)
{
	struct pci_bus *bus = kzalloc(sizeof(*bus));
	err_t err;

	if (!bus)
		return E_NOMEM;
	vm->pci = bus;
	bus->vm = vm;
	bus->bar_next = PCI_WINDOW;
	err = bus_add(&vm->ports, "pci", PORT_PCI_ADDRESS, 8, &port_ops, bus);
	if (!err)
		err = bus_add(&vm->mmio, "pci", PCI_WINDOW, PCI_WINDOW_SIZE,
			      &window_ops, bus);
	if (!err)
		err = add_bridge(vm);
	return err;
}

void pci_destroy(struct vm *vm)
{
	for (unsigned i = 0; vm->pci && i < PCI_SLOTS; i++)
		if (vm->pci->slot[i])
			vm->pci->slot[i]->ops->destroy(vm->pci->slot[i]);
	kfree(vm->pci);
	vm->pci = NULL;
}

bool pci_serve(struct vm *vm)
{
	bool again = false;

	for (unsigned i = 0; vm->pci && i < PCI_SLOTS; i++) {
		struct pci_device *dev = vm->pci->slot[i];

		if (dev && dev->ops->serve)
			again |= dev->ops->serve(dev);
	}
	return again;
}
