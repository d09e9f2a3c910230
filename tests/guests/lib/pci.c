#include "pci.h"

#include "apic.h"

u32 pci_get(u32 address, unsigned size)
{
	u16 port = PORT_PCI_DATA + (address & 3);

	outl(PORT_PCI_ADDRESS, address & ~3u);
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void pci_put(u32 address, unsigned size, u32 value)
{
	u16 port = PORT_PCI_DATA + (address & 3);

	outl(PORT_PCI_ADDRESS, address & ~3u);
	if (size == 1)
		outb(port, value);
	else if (size == 2)
		outw(port, value);
	else
		outl(port, value);
}

int pci_find(u32 id)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		if (pci_read(slot, PCI_VENDOR, 4) == id)
			return slot;
	return -1;
}

void pci_command(unsigned slot, u16 set, u16 clear)
{
	u16 now = pci_read(slot, PCI_COMMAND, 2);

	pci_write(slot, PCI_COMMAND, 2, (now & ~clear) | set);
}

/* No list is longer than configuration space. */
unsigned pci_cap(unsigned slot, u8 id, unsigned after)
{
	unsigned at = after ? pci_read(slot, after + 1, 1)
			    : pci_read(slot, PCI_CAPS, 1);

	if (!(pci_read(slot, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	for (unsigned n = 0; at && n < 64; n++) {
		if (pci_read(slot, at, 1) == id)
			return at;
		at = pci_read(slot, at + 1, 1);
	}
	return 0;
}

u32 pci_bar_size(unsigned slot, unsigned bar)
{
	u32 old = pci_read(slot, PCI_BAR(bar), 4), mask;

	pci_write(slot, PCI_BAR(bar), 4, ~0u);
	mask = pci_read(slot, PCI_BAR(bar), 4);
	pci_write(slot, PCI_BAR(bar), 4, old);
	return mask & 1 ? 0 : -(mask & ~0xfu);
}

volatile u8 *pci_bar(unsigned slot, unsigned bar)
{
	return (volatile u8 *)(word)(pci_read(slot, PCI_BAR(bar), 4) & ~0xfu);
}

bool msix_find(struct msix *msix, unsigned slot)
{
	u32 table, pending;

	msix->slot = slot;
	msix->cap = pci_cap(slot, PCI_CAP_MSIX, 0);
	if (!msix->cap)
		return false;
	msix->count = (pci_read(slot, msix->cap + 2, 2) & 0x7ff) + 1;
	table = pci_read(slot, msix->cap + 4, 4);
	pending = pci_read(slot, msix->cap + 8, 4);
	msix->table =
		(volatile u32 *)(pci_bar(slot, table & 7) + (table & ~7u));
	msix->pending =
		(volatile u32 *)(pci_bar(slot, pending & 7) + (pending & ~7u));
	return true;
}

void msix_control(const struct msix *msix, u16 bits)
{
	pci_write(msix->slot, msix->cap + 2, 2, bits);
}

void msix_mask(const struct msix *msix, unsigned entry, bool masked)
{
	msix->table[MSIX_WORDS * entry + MSIX_CONTROL] =
		masked ? MSIX_MASKED : 0;
}

/* Fixed delivery, edge, to one physical id (SDM vol. 3A 11.11). */
void msix_set(const struct msix *msix, unsigned entry, u8 vector)
{
	volatile u32 *at = &msix->table[MSIX_WORDS * entry];

	at[MSIX_ADDRESS] = APIC_BASE | (apic_id() & 0xff) << 12;
	at[MSIX_ADDRESS_HIGH] = 0;
	at[MSIX_DATA] = vector;
	msix_mask(msix, entry, false);
}
