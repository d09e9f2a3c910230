/*
 * What the host's drivers stand on, made up: physical memory is the test's own,
 * PCI functions have plain configuration registers, and accesses to a BAR go to
 * the test's model of the device.
 */
#ifndef UNIT_FAKE_PCI_H
#define UNIT_FAKE_PCI_H

#include "drivers/pci.h"

struct fake_function {
	u16 where;
	u8 config[256];
	u32 bar_mask[PCI_BARS]; /* what each BAR register keeps */
};

/* Empty slots answer all ones. */
extern struct fake_function fake_functions[32];
extern unsigned fake_function_count;

struct fake_function *fake_add(u16 where, u16 vendor, u16 device);
void fake_set(struct fake_function *f, unsigned reg, unsigned bytes, u32 value);
u32 fake_get(const struct fake_function *f, unsigned reg, unsigned bytes);

/* A memory BAR of 64 bits: a power of two, as real ones are. */
void fake_bar64(struct fake_function *f, unsigned bar, u64 base, u64 size);
void fake_bar32(struct fake_function *f, unsigned bar, u32 base, u32 size);

/*
 * The device's registers: mapping bus address X gives this pointer plus X,
 * which is never followed but comes back to the model.
 */
#define FAKE_MMIO ((u8 *)0x100000000000ULL)

/* By the test. */
u32 fake_mmio_read(u64 address, unsigned bytes);
void fake_mmio_write(u64 address, unsigned bytes, u32 value);

/* Memory left for page_alloc() and kmalloc(), in calls; starts without end. */
extern unsigned fake_memory;

/* What now_ns() says. */
extern u64 fake_ns;

#endif
