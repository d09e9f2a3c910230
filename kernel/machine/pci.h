/*
 * The guest's PCI bus: one bus without bridges, reached by configuration
 * mechanism #1 (PCI 3.0, 3.2.2.3.2); what a device on it is made of: its
 * configuration space with the bits that may be written, memory BARs,
 * capabilities, and interrupts by INTx or MSI-X.
 *
 * Configuration space and BARs are the vCPUs', under vm->lock. Interrupts are
 * raised from any CPU: bus->lock guards what they depend on. It comes after
 * vm->lock and a device's own lock, and before what is behind irq.h.
 */
#ifndef MACHINE_PCI_H
#define MACHINE_PCI_H

#include "lib/error.h"
#include "lib/spinlock.h"
#include "lib/types.h"
#include "vm/fields.h"

struct vm;
struct pci_device;

#define PCI_SLOTS    32
#define PCI_BARS     2
#define PCI_MSIX_MAX 8

/* Configuration space (PCI 3.0, 6.1), by byte. */
#define PCI_VENDOR     0x00
#define PCI_DEVICE     0x02
#define PCI_COMMAND    0x04
#define PCI_STATUS     0x06
#define PCI_REVISION   0x08 /* and the class code above it */
#define PCI_CACHE_LINE 0x0c
#define PCI_BAR	       0x10
#define PCI_SUBSYSTEM  0x2c
#define PCI_CAPS       0x34
#define PCI_INT_LINE   0x3c
#define PCI_INT_PIN    0x3d
#define PCI_FIRST_CAP  0x40

#define PCI_COMMAND_MEMORY	 0x0002
#define PCI_COMMAND_MASTER	 0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_STATUS_INTX		 0x0008
#define PCI_STATUS_CAPS		 0x0010

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

/* MSI-X (PCI 3.0, 6.8.2): message control, and one entry of the table. */
#define MSIX_ENABLE	   0x8000
#define MSIX_FUNCTION_MASK 0x4000
enum { MSIX_ADDRESS, MSIX_ADDRESS_HIGH, MSIX_DATA, MSIX_CONTROL, MSIX_WORDS };
#define MSIX_VECTOR_MASK 0x1
#define MSIX_PBA	 0x800 /* in the BAR, the table is at 0 */

struct pci_device_ops {
	/* Within a BAR, naturally aligned, size 1, 2, 4. */
	u32 (*read)(struct pci_device *dev, unsigned bar, u32 offset,
		    unsigned size);
	void (*write)(struct pci_device *dev, unsigned bar, u32 offset,
		      unsigned size, u32 value);
	/*
	 * Optional: configuration space is about to be read, has been written,
	 * in the double word at `offset`.
	 */
	void (*config_read)(struct pci_device *dev, unsigned offset);
	void (*config_written)(struct pci_device *dev, unsigned offset);
	/* Optional: the first CPU has time for it; true: needs more. */
	bool (*serve)(struct pci_device *dev);
	/* Optional: what it is made of besides (devices.h). */
	err_t (*visit)(struct pci_device *dev,
		       err_t (*visit)(void *context,
				      const struct device_description *d,
				      unsigned id, void *device),
		       void *context);
	/* Frees it. */
	void (*destroy)(struct pci_device *dev);
};

struct pci_device {
	const struct pci_device_ops *ops;
	struct pci_bus *bus;
	u8 slot;
	u8 cap_end;  /* where the next capability goes */
	u8 last_cap; /* 0: none yet */
	u8 msix_cap; /* 0: has no MSI-X */
	u8 msix_bar, msix_count;
	u32 bar_size[PCI_BARS];
	u32 writable[64]; /* the bits of config that the guest may write */

	u32 built[64]; /* config as it was put into its slot */

	/* The state: */
	u32 config[64];
	u32 msix[PCI_MSIX_MAX][MSIX_WORDS];
	u32 msix_pending;
	u8 intx; /* what the device wants of its line */
};

struct pci_bus {
	struct vm *vm;
	struct spinlock lock;
	u64 bar_next; /* firmware's part: where the next BAR goes */
	struct pci_device *slot[PCI_SLOTS];

	/* The state: */
	u32 address; /* CONFIG_ADDRESS */
};

extern const struct device_description pci_bus_description;
extern const struct device_description pci_description;

/* Onto both of the VM's buses and into vm->pci, with the host bridge. */
err_t pci_create(struct vm *vm);
/* With all its devices. */
void pci_destroy(struct vm *vm);
/* On the first CPU, for all devices. True: call again. */
bool pci_serve(struct vm *vm);

struct pci_id {
	u16 vendor, device;
	u16 subsystem_vendor, subsystem;
	u32 class; /* class, subclass, interface, revision */
};

/*
 * Building a device: init, then BARs and capabilities, then into the next free
 * slot: from there on it is the bus's to destroy.
 */
void pci_device_init(struct pci_device *dev, const struct pci_id *id,
		     const struct pci_device_ops *ops);
/* The size is a power of two of at least 4 KiB. */
void pci_add_bar(struct pci_device *dev, unsigned bar, u32 size);
/* Returns where it is; it is read-only until writable[] is changed. */
unsigned pci_add_cap(struct pci_device *dev, u8 id, const void *body,
		     unsigned size);
void pci_add_msix(struct pci_device *dev, unsigned bar, unsigned count);
err_t pci_add(struct vm *vm, struct pci_device *dev);

static inline u16 pci_command(const struct pci_device *dev)
{
	return __atomic_load_n(&dev->config[PCI_COMMAND / 4], __ATOMIC_ACQUIRE);
}

/* May the device reach memory (and so send messages)? */
static inline bool pci_is_master(const struct pci_device *dev)
{
	return pci_command(dev) & PCI_COMMAND_MASTER;
}

/* --- interrupts: pci_irq.c */

bool pci_msix_enabled(const struct pci_device *dev);
/* Sent now, or pending while it is masked. A vector it has not: nothing. */
void pci_msix(struct pci_device *dev, unsigned vector);
/* The level of its INTx pin; the line is shared, and may be switched off. */
void pci_intx(struct pci_device *dev, bool high);

/* Configuration has changed what may interrupt. */
void pci_irq_changed(struct pci_device *dev);
extern const u32 pci_msix_writable[MSIX_WORDS]; /* bits of an entry */
u32 pci_msix_read(struct pci_device *dev, u32 offset);
void pci_msix_write(struct pci_device *dev, u32 offset, u32 value);

#endif
