/*
 * PCI as a driver meets it: configuration mechanism #1 (PCI 3.0, 3.2.2.3.2) of
 * the first bus, memory BARs, capabilities, MSI-X.
 */
#ifndef PCI_H
#define PCI_H

#include "guest.h"

#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA	 0xcfc
#define PCI_ENABLE	 0x80000000u

#define PCI_SLOTS 32
#define PCI_BARS  6

/* Configuration space (6.1). */
#define PCI_VENDOR   0x00
#define PCI_COMMAND  0x04
#define PCI_STATUS   0x06
#define PCI_REVISION 0x08
#define PCI_CLASS    0x0a /* subclass and class */
#define PCI_HEADER   0x0e
#define PCI_BAR(n)   (0x10 + 4 * (n))
#define PCI_CAPS     0x34
#define PCI_INT_LINE 0x3c
#define PCI_INT_PIN  0x3d

#define PCI_COMMAND_MEMORY  0x0002
#define PCI_COMMAND_MASTER  0x0004
#define PCI_COMMAND_NO_INTX 0x0400
#define PCI_STATUS_INTX	    0x0008
#define PCI_STATUS_CAPS	    0x0010

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

/* `address` as CONFIG_ADDRESS takes it; size 1, 2, 4. */
#define PCI_AT(bus, slot, function, offset)                                    \
	(PCI_ENABLE | (u32)(bus) << 16 | (u32)(slot) << 11 | (function) << 8 | \
	 (offset))
u32 pci_get(u32 address, unsigned size);
void pci_put(u32 address, unsigned size, u32 value);

static inline u32 pci_read(unsigned slot, unsigned offset, unsigned size)
{
	return pci_get(PCI_AT(0, slot, 0, offset), size);
}

static inline void pci_write(unsigned slot, unsigned offset, unsigned size,
			     u32 value)
{
	pci_put(PCI_AT(0, slot, 0, offset), size, value);
}

/* By vendor (low half) and device: its slot, or -1. */
int pci_find(u32 id);

/* Sets and clears bits of the command register. */
void pci_command(unsigned slot, u16 set, u16 clear);

/* The next capability with that id behind `after` (0: the first); 0: none. */
unsigned pci_cap(unsigned slot, u8 id, unsigned after);

/* How much a memory BAR takes; 0: there is none. */
u32 pci_bar_size(unsigned slot, unsigned bar);
volatile u8 *pci_bar(unsigned slot, unsigned bar);

/* MSI-X (6.8.2): the table's entries, four words each. */
#define MSIX_ENABLE	   0x8000
#define MSIX_FUNCTION_MASK 0x4000
#define MSIX_MASKED	   1u
enum { MSIX_ADDRESS, MSIX_ADDRESS_HIGH, MSIX_DATA, MSIX_CONTROL, MSIX_WORDS };

struct msix {
	unsigned slot, cap, count;
	volatile u32 *table, *pending;
};

bool msix_find(struct msix *msix, unsigned slot);
void msix_control(const struct msix *msix, u16 bits);
/* To vector `vector` of this processor. */
void msix_set(const struct msix *msix, unsigned entry, u8 vector);
void msix_mask(const struct msix *msix, unsigned entry, bool masked);

#endif
