/*
 * Where a guest's port and memory-mapped accesses go: a sorted table of ranges
 * per VM and kind, each with its device's functions. Unclaimed reads answer all
 * ones and unclaimed writes vanish, as on a PC.
 */
#ifndef VM_BUS_H
#define VM_BUS_H

#include "lib/error.h"
#include "lib/types.h"

struct vcpu;

struct bus_ops {
	/* offset is within the range; size 1, 2, 4 (MMIO: also 8). */
	u64 (*read)(void *device, struct vcpu *vcpu, u64 offset, unsigned size);
	void (*write)(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size, u64 value);
	/* Optional: n bytes to the same port at once (REP OUTSB). */
	void (*write_bytes)(void *device, struct vcpu *vcpu, const u8 *bytes,
			    size_t n);
};

struct bus_range {
	u64 base, size;
	const struct bus_ops *ops;
	void *device;
	const char *name;
};

#define BUS_RANGES 24

struct bus {
	struct bus_range range[BUS_RANGES];
	unsigned count;
};

/* E_EXISTS when it overlaps, E_NOMEM when the table is full. */
err_t bus_add(struct bus *bus, const char *name, u64 base, u64 size,
	      const struct bus_ops *ops, void *device);

/* NULL when nothing claims [address, address+size) wholly. */
const struct bus_range *bus_find(const struct bus *bus, u64 address,
				 unsigned size);

u64 bus_read(const struct bus *bus, struct vcpu *vcpu, u64 address,
	     unsigned size);
void bus_write(const struct bus *bus, struct vcpu *vcpu, u64 address,
	       unsigned size, u64 value);

#endif
