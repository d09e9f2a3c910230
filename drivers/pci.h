/*
 * The host's PCI functions, found once by configuration mechanism #1 (PCI Local
 * Bus Specification 3.0, 3.2.2.3.2), which every PC has, with ACPI or without.
 * The firmware has given out addresses and bus numbers; they are taken as they
 * are. Enumeration turns each function's INTx off and leaves the rest alone.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "lib/error.h"
#include "lib/types.h"

#define PCI_DEVICES_MAX 64
#define PCI_BARS	6

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

#define PCI_CLASS_NETWORK 0x02

struct pci_bar {
	u64 base; /* 0: none, or ports */
	u64 size;
};

struct pci_device {
	u16 where;    /* bus << 8 | device << 3 | function */
	char name[8]; /* "00:02.0" */
	u16 vendor, device;
	u8 class;
	u8 line; /* INTx on the legacy controllers, PCI_NO_LINE: nowhere */
	struct pci_bar bar[PCI_BARS]; /* by pci_claim() */
};

#define PCI_NO_LINE 0xff

extern struct pci_device pci_devices[PCI_DEVICES_MAX];
extern unsigned pci_count;

/* Finds all functions, behind bridges too. */
void pci_init(void);

/* Configuration registers; reg is aligned to its width. */
u8 pci_read8(const struct pci_device *dev, unsigned reg);
u16 pci_read16(const struct pci_device *dev, unsigned reg);
u32 pci_read32(const struct pci_device *dev, unsigned reg);
void pci_write16(const struct pci_device *dev, unsigned reg, u16 value);
void pci_write32(const struct pci_device *dev, unsigned reg, u32 value);

/* Where the next capability of this kind is; after: the last one, 0: none. */
unsigned pci_capability(const struct pci_device *dev, u8 id, unsigned after);

/*
 * For the driver that takes the device: stops whatever the firmware left
 * running, sizes the BARs, and lets it answer to memory accesses.
 */
void pci_claim(struct pci_device *dev);

/* Lets it read and write memory: after its reset. */
void pci_enable_dma(const struct pci_device *dev);
void pci_disable_dma(const struct pci_device *dev);

/* INTx on; false: it leads nowhere. */
bool pci_enable_line(const struct pci_device *dev);

/* Maps part of a BAR, uncached. NULL: it is not that large, or no memory. */
void *pci_map(const struct pci_device *dev, unsigned bar, u64 offset, u64 size);

/*
 * Turns MSI-X on, with all entries masked but `entry`, which interrupts this
 * CPU by `vector`. E_UNSUPPORTED: the device has none, or too few.
 */
err_t pci_enable_msix(const struct pci_device *dev, unsigned entry, u8 vector);

/* One access of 32 bits: pci_ports.c; unit tests have their own. */
u32 pci_config_read(u16 where, unsigned reg);
void pci_config_write(u16 where, unsigned reg, u32 value);

#endif
