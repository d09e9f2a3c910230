/*
 * A driver's side of PCI and virtio for tests: configuration space by its
 * ports, BARs by the memory bus, a ring in guest memory that is as honest as
 * the test wants.
 */
#ifndef UNIT_FAKE_DRIVER_H
#define UNIT_FAKE_DRIVER_H

#include "machine/virtio_pci.h"
#include "tests/unit/fake_vm.h"

static inline bool line_is_high(unsigned gsi)
{
	return fake_lines & BIT(gsi);
}

u32 conf_read(struct vm *vm, unsigned slot, unsigned offset, unsigned size);
void conf_write(struct vm *vm, unsigned slot, unsigned offset, unsigned size,
		u32 value);
u64 mem_read(struct vm *vm, u64 address, unsigned size);
void mem_write(struct vm *vm, u64 address, unsigned size, u64 value);

/* The slot of the device with this id; 0: there is none. */
unsigned find_device(struct vm *vm, u16 device);

/* The common configuration's registers (virtio 1.2, 4.1.4.3). */
enum {
	C_OFFER_SELECT = 0x00,
	C_OFFER = 0x04,
	C_ACCEPT_SELECT = 0x08,
	C_ACCEPT = 0x0c,
	C_CONFIG_VECTOR = 0x10,
	C_QUEUES = 0x12,
	C_STATUS = 0x14,
	C_GENERATION = 0x15,
	C_SELECT = 0x16,
	C_SIZE = 0x18,
	C_VECTOR = 0x1a,
	C_ENABLE = 0x1c,
	C_NOTIFY = 0x1e,
	C_DESC = 0x20,
	C_AVAIL = 0x28,
	C_USED = 0x30,
};

struct driver {
	struct vm *vm;
	unsigned slot;
	u64 common, isr, config, notify, msix; /* addresses */
};

struct ring_desc {
	u64 address;
	u32 size;
	u16 flags, next;
};

#define D_NEXT	   1
#define D_WRITE	   2
#define D_INDIRECT 4

/* Where rings lie: each queue has 64 KiB from here on. */
#define RINGS 0x100000u

/* Finds it, as a driver would: by its capabilities. */
struct driver driver_find(struct vm *vm, u16 device);
u32 driver_read(const struct driver *d, unsigned reg, unsigned size);
void driver_write(const struct driver *d, unsigned reg, unsigned size,
		  u32 value);
u8 driver_status(const struct driver *d);
/* Up to FEATURES_OK, with these of the features offered. */
void driver_negotiate(const struct driver *d, u64 features);
void driver_queue(const struct driver *d, unsigned queue, unsigned size);
void driver_ok(const struct driver *d);
/* All of it, with these features and with queues of this size. */
void driver_ready(const struct driver *d, u64 features, unsigned queues,
		  unsigned size);
void driver_kick(const struct driver *d, unsigned queue);

/* The ring's parts, of the size given to driver_queue(). */
void ring_set(struct vm *vm, unsigned queue, u16 at, struct ring_desc desc);
void ring_offer(struct vm *vm, unsigned queue, unsigned size, u16 head);
u16 ring_used(struct vm *vm, unsigned queue, unsigned size);
/* The used ring's entry: head, and in *written how much. */
u32 ring_entry(struct vm *vm, unsigned queue, unsigned size, u16 at,
	       u32 *written);
u64 ring_avail_at(unsigned queue, unsigned size);
u64 ring_used_at(unsigned queue, unsigned size);

#endif
