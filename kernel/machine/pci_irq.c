/* How PCI devices interrupt: MSI-X (PCI 3.0, 6.8.2) and shared INTx lines. */
#include "machine/irq.h"
#include "machine/layout.h"
#include "machine/pci.h"

static u16 msix_control(const struct pci_device *dev)
{
	return dev->msix_cap ? dev->config[dev->msix_cap / 4] >> 16 : 0;
}

bool pci_msix_enabled(const struct pci_device *dev)
{
	return msix_control(dev) & MSIX_ENABLE;
}

/* --- MSI-X */

static bool is_masked(const struct pci_device *dev, unsigned vector)
{
	return (msix_control(dev) & MSIX_FUNCTION_MASK) ||
	       (dev->msix[vector][MSIX_CONTROL] & MSIX_VECTOR_MASK);
}

/* A message is a write by the device: without mastership there is none. */
static void send(struct pci_device *dev, unsigned vector)
{
	const u32 *entry = dev->msix[vector];

	dev->msix_pending &= ~(u32)BIT(vector);
	if (pci_is_master(dev))
		irq_message(dev->bus->vm,
			    (u64)entry[MSIX_ADDRESS_HIGH] << 32 |
				    entry[MSIX_ADDRESS],
			    entry[MSIX_DATA]);
}

void pci_msix(struct pci_device *dev, unsigned vector)
{
	spin_lock(&dev->bus->lock);
	if (vector < dev->msix_count && pci_msix_enabled(dev)) {
		if (is_masked(dev, vector))
			dev->msix_pending |= BIT(vector);
		else
			send(dev, vector);
	}
	spin_unlock(&dev->bus->lock);
}

/* What was pending and is no longer masked. */
static void send_pending(struct pci_device *dev)
{
	if (!pci_msix_enabled(dev))
		return;
	for (unsigned i = 0; i < dev->msix_count; i++)
		if ((dev->msix_pending & BIT(i)) && !is_masked(dev, i))
			send(dev, i);
}

u32 pci_msix_read(struct pci_device *dev, u32 offset)
{
	unsigned vector = offset / 16;

	if (vector < dev->msix_count)
		return dev->msix[vector][offset / 4 % MSIX_WORDS];
	return offset == MSIX_PBA ? dev->msix_pending : 0;
}

const u32 pci_msix_writable[MSIX_WORDS] = {
	[MSIX_ADDRESS] = ~3u,
	[MSIX_ADDRESS_HIGH] = ~0u,
	[MSIX_DATA] = ~0u,
	[MSIX_CONTROL] = MSIX_VECTOR_MASK,
};

void pci_msix_write(struct pci_device *dev, u32 offset, u32 value)
{
	unsigned vector = offset / 16, word = offset / 4 % MSIX_WORDS;

	if (vector >= dev->msix_count)
		return;
	spin_lock(&dev->bus->lock);
	dev->msix[vector][word] = value & pci_msix_writable[word];
	send_pending(dev);
	spin_unlock(&dev->bus->lock);
}

/* --- INTx */

static bool pulls_line(const struct pci_device *dev)
{
	return dev->intx && !pci_msix_enabled(dev) &&
	       !(pci_command(dev) & PCI_COMMAND_INTX_DISABLE);
}

/* All devices have pin A. A line is high while one of its devices wants it. */
static void update_line(struct pci_device *dev)
{
	const struct pci_bus *bus = dev->bus;
	unsigned gsi = GSI_OF_PCI(dev->slot, 0);
	bool high = false;

	for (unsigned i = 0; i < PCI_SLOTS; i++)
		if (bus->slot[i] && GSI_OF_PCI(i, 0) == gsi)
			high |= pulls_line(bus->slot[i]);
	irq_line(bus->vm, gsi, high);
}

/* The status bit is the device's wish, disabled or not (PCI 3.0, 6.2.3). */
void pci_intx(struct pci_device *dev, bool high)
{
	spin_lock(&dev->bus->lock);
	dev->intx = high;
	if (high)
		dev->config[PCI_COMMAND / 4] |= PCI_STATUS_INTX << 16;
	else
		dev->config[PCI_COMMAND / 4] &= ~(PCI_STATUS_INTX << 16);
	update_line(dev);
	spin_unlock(&dev->bus->lock);
}

void pci_irq_changed(struct pci_device *dev)
{
	send_pending(dev);
	update_line(dev);
}
