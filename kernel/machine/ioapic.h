/*
 * The I/O APIC (82093AA data sheet, with the EOI register of version 0x20): 24
 * inputs, each with an entry that says to which local APICs its interrupt goes.
 * Lines are asserted or not: an entry's polarity is kept, but says nothing.
 * irq.c calls from any CPU under its lock.
 */
#ifndef MACHINE_IOAPIC_H
#define MACHINE_IOAPIC_H

#include "lib/types.h"
#include "machine/fields.h"

struct vm;

#define IOAPIC_PINS 24
#define IOAPIC_SIZE PAGE_SIZE

struct ioapic {
	struct vm *vm;
	u64 entry[IOAPIC_PINS];
	u32 lines; /* asserted now */
	u32 id;
	u8 select;
};

extern const struct device_description ioapic_description;

void ioapic_reset(struct ioapic *ioapic);
void ioapic_line(struct ioapic *ioapic, unsigned pin, bool high);

/* A local APIC's EOI, or the register's. */
void ioapic_eoi(struct ioapic *ioapic, u8 vector);

/* The page: offset 0-0xfff, 32 bits. */
u32 ioapic_read(struct ioapic *ioapic, u32 offset);
void ioapic_write(struct ioapic *ioapic, u32 offset, u32 value);

#endif
