/* Registers by PCI Local Bus Specification 3.0, section 6. */
#include "drivers/mmio.h"
#include "drivers/pci.h"

#include "cpu/lapic.h"
#include "lib/bitmap.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "mm/paging.h"

enum {
	REG_ID = 0x00,
	REG_COMMAND = 0x04,
	REG_STATUS = 0x06,
	REG_CLASS = 0x08,
	REG_HEADER_TYPE = 0x0e,
	REG_BAR = 0x10,
	REG_BUSES = 0x18, /* of a bridge: primary, secondary, subordinate */
	REG_CAPABILITIES = 0x34,
	REG_LINE = 0x3c,
	REG_PIN = 0x3d,
};

#define COMMAND_IO	 BIT(0)
#define COMMAND_MEMORY	 BIT(1)
#define COMMAND_MASTER	 BIT(2)
#define COMMAND_INTX_OFF BIT(10)
#define STATUS_CAPS	 BIT(4)
#define HEADER_TYPE	 0x7f
#define HEADER_MULTI	 0x80
#define HEADER_DEVICE	 0
#define HEADER_BRIDGE	 1
#define BAR_PORTS	 BIT(0)
#define BAR_TYPE	 0x6
#define BAR_64		 0x4
#define BAR_FLAGS	 0xfULL
#define NO_VENDOR	 0xffff
#define BUSES		 256
#define CAPS_FIRST	 0x40
#define CAPS_MAX	 48 /* so many fit: a list that is longer is a loop */

/* MSI-X: PCI Local Bus Specification 3.0, 6.8.2. */
#define MSIX_CONTROL	2
#define MSIX_TABLE	4
#define MSIX_COUNT	0x7ff /* less one */
#define MSIX_MASK_ALL	BIT(14)
#define MSIX_ON		BIT(15)
#define MSIX_BAR	0x7
#define MSIX_ENTRY_SIZE 16
#define MSIX_MASKED	1

/* A message that is an interrupt: SDM vol. 3A 10.11. */
#define MSI_ADDRESS	    0xfee00000
#define MSI_DESTINATION(id) ((id) << 12)

struct pci_device pci_devices[PCI_DEVICES_MAX];
unsigned pci_count;

/* --- configuration registers */

u32 pci_read32(const struct pci_device *dev, unsigned reg)
{
	return pci_config_read(dev->where, reg);
}

u16 pci_read16(const struct pci_device *dev, unsigned reg)
{
	return (u16)(pci_read32(dev, reg) >> (reg & 2) * 8);
}

u8 pci_read8(const struct pci_device *dev, unsigned reg)
{
	return (u8)(pci_read32(dev, reg) >> (reg & 3) * 8);
}

void pci_write32(const struct pci_device *dev, unsigned reg, u32 value)
{
	pci_config_write(dev->where, reg, value);
}

/* The other half is written back; 0 to STATUS, whose bits are cleared by 1. */
void pci_write16(const struct pci_device *dev, unsigned reg, u16 value)
{
	unsigned shift = (reg & 2) * 8;
	u32 old = pci_read32(dev, reg);

	if (reg == REG_COMMAND)
		old = 0;
	pci_write32(dev, reg & ~3u,
		    (old & ~(0xffffu << shift)) | (u32)value << shift);
}

static void change_command(const struct pci_device *dev, u16 clear, u16 set)
{
	u16 command = pci_read16(dev, REG_COMMAND);

	pci_write16(dev, REG_COMMAND, (u16)((command & ~clear) | set));
}

/* --- enumeration */

/* Buses still to look at; a bus is looked at once, whatever bridges say. */
struct search {
	u64 wanted[BITMAP_WORDS(BUSES)];
	u64 done[BITMAP_WORDS(BUSES)];
};

static void want_bus(struct search *s, u8 bus)
{
	if (!bitmap_test(s->done, bus))
		bitmap_set(s->wanted, bus);
}

static void add_device(const struct pci_device *found)
{
	struct pci_device *dev;

	if (pci_count == PCI_DEVICES_MAX) {
		log_warn("pci: more than %u devices: %02x:%02x.%x is left out",
			 PCI_DEVICES_MAX, found->where >> 8,
			 found->where >> 3 & 31, found->where & 7);
		return;
	}
	dev = &pci_devices[pci_count++];
	*dev = *found;
	snprintf(dev->name, sizeof(dev->name), "%02x:%02x.%x", dev->where >> 8,
		 dev->where >> 3 & 31, dev->where & 7);
	dev->class = pci_read8(dev, REG_CLASS + 3);
	dev->line = pci_read8(dev, REG_PIN) ? pci_read8(dev, REG_LINE)
					    : PCI_NO_LINE;
	change_command(dev, 0, COMMAND_INTX_OFF);
	log_debug("pci: %s %04x:%04x class %02x line %u", dev->name,
		  dev->vendor, dev->device, dev->class, dev->line);
}

/* Its header type, -1: there is none. */
static int look_at(struct search *s, u16 where)
{
	struct pci_device dev = {.where = where};
	u32 id = pci_read32(&dev, REG_ID);
	int header;

	if ((u16)id == NO_VENDOR)
		return -1;
	dev.vendor = (u16)id;
	dev.device = (u16)(id >> 16);
	header = pci_read8(&dev, REG_HEADER_TYPE);
	if ((header & HEADER_TYPE) == HEADER_BRIDGE)
		want_bus(s, (u8)(pci_read32(&dev, REG_BUSES) >> 8));
	else if ((header & HEADER_TYPE) == HEADER_DEVICE)
		add_device(&dev);
	return header;
}

static void search_bus(struct search *s, unsigned bus)
{
	bitmap_set(s->done, bus);
	bitmap_clear(s->wanted, bus);
	for (unsigned slot = 0; slot < 32; slot++) {
		u16 where = (u16)(bus << 8 | slot << 3);
		int header = look_at(s, where);

		if (header < 0 || !(header & HEADER_MULTI))
			continue;
		for (unsigned function = 1; function < 8; function++)
			look_at(s, (u16)(where | function));
	}
}

void pci_init(void)
{
	struct search s = {0};
	size_t bus;

	pci_count = 0;
	want_bus(&s, 0);
	while ((bus = bitmap_next(s.wanted, BUSES, 0)) < BUSES)
		search_bus(&s, (unsigned)bus);
}

unsigned pci_capability(const struct pci_device *dev, u8 id, unsigned after)
{
	unsigned at = after ? pci_read8(dev, after + 1)
			    : pci_read8(dev, REG_CAPABILITIES);

	if (!(pci_read16(dev, REG_STATUS) & STATUS_CAPS))
		return 0;
	for (unsigned i = 0; i < CAPS_MAX; i++) {
		at &= ~3u;
		if (at < CAPS_FIRST)
			return 0;
		if (pci_read8(dev, at) == id)
			return at;
		at = pci_read8(dev, at + 1);
	}
	return 0;
}

/* --- what a driver needs */

/* What the register keeps of all ones tells the size (6.2.5.1). */
static u32 probe_bar(const struct pci_device *dev, unsigned reg)
{
	u32 old = pci_read32(dev, reg), mask;

	pci_write32(dev, reg, ~0u);
	mask = pci_read32(dev, reg);
	pci_write32(dev, reg, old);
	return mask;
}

/* How many registers it takes. */
static unsigned size_bar(struct pci_device *dev, unsigned i)
{
	unsigned reg = REG_BAR + i * 4;
	u64 base = pci_read32(dev, reg), mask = probe_bar(dev, reg);
	bool wide = (base & BAR_TYPE) == BAR_64 && i + 1 < PCI_BARS;

	if (base & BAR_PORTS)
		return 1;
	if (wide) {
		base |= (u64)pci_read32(dev, reg + 4) << 32;
		mask |= (u64)probe_bar(dev, reg + 4) << 32;
	} else {
		mask |= mask ? 0xffffffffULL << 32 : 0;
	}
	base &= ~BAR_FLAGS;
	mask &= ~BAR_FLAGS;
	if (base && mask)
		dev->bar[i] = (struct pci_bar){base, ~mask + 1};
	return wide ? 2 : 1;
}

void pci_claim(struct pci_device *dev)
{
	change_command(dev, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER,
		       COMMAND_INTX_OFF);
	for (unsigned i = 0; i < PCI_BARS;)
		i += size_bar(dev, i);
	change_command(dev, 0, COMMAND_MEMORY);
}

void pci_enable_dma(const struct pci_device *dev)
{
	change_command(dev, 0, COMMAND_MASTER);
}

void pci_disable_dma(const struct pci_device *dev)
{
	change_command(dev, COMMAND_MASTER, 0);
}

bool pci_enable_line(const struct pci_device *dev)
{
	if (dev->line == 0 || dev->line >= 16)
		return false;
	change_command(dev, COMMAND_INTX_OFF, 0);
	return true;
}

void *pci_map(const struct pci_device *dev, unsigned bar, u64 offset, u64 size)
{
	const struct pci_bar *b;

	if (bar >= PCI_BARS)
		return NULL;
	b = &dev->bar[bar];
	if (offset > b->size || size > b->size - offset) {
		log_error(
			"pci: %s: %lu bytes at 0x%lx are not in BAR %u, which "
			"has %lu",
			dev->name, size, offset, bar, b->size);
		return NULL;
	}
	return mmio_map(b->base + offset, size);
}

/* --- MSI-X */

static void set_entry(u8 *entry, u32 address, u32 data, u32 control)
{
	mmio_write32(entry, address);
	mmio_write32(entry + 4, 0);
	mmio_write32(entry + 8, data);
	mmio_write32(entry + 12, control);
}

err_t pci_enable_msix(const struct pci_device *dev, unsigned entry, u8 vector)
{
	unsigned cap = pci_capability(dev, PCI_CAP_MSIX, 0);
	unsigned count;
	u16 control;
	u32 table;
	u8 *entries;

	if (!cap)
		return E_UNSUPPORTED;
	control = pci_read16(dev, cap + MSIX_CONTROL);
	count = (control & MSIX_COUNT) + 1u;
	/* A message's destination has eight bits without interrupt remapping.
	 */
	if (entry >= count || lapic_id() > 0xff)
		return E_UNSUPPORTED;
	table = pci_read32(dev, cap + MSIX_TABLE);
	entries = pci_map(dev, table & MSIX_BAR, table & ~MSIX_BAR,
			  count * MSIX_ENTRY_SIZE);
	if (!entries)
		return E_HARDWARE;
	pci_write16(dev, cap + MSIX_CONTROL,
		    (u16)(control | MSIX_ON | MSIX_MASK_ALL));
	for (unsigned i = 0; i < count; i++)
		set_entry(entries + i * MSIX_ENTRY_SIZE, MSI_ADDRESS, 0,
			  MSIX_MASKED);
	set_entry(entries + entry * MSIX_ENTRY_SIZE,
		  MSI_ADDRESS | MSI_DESTINATION(lapic_id()), vector, 0);
	pci_write16(dev, cap + MSIX_CONTROL,
		    (u16)((control | MSIX_ON) & ~MSIX_MASK_ALL));
	return E_OK;
}
