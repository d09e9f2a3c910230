/*
 * The I/O APIC (Intel 82093AA data sheet; the EOI register is that of later
 * ones, version 0x20): 24 pins to messages for the local APICs. It is told of
 * pins and of the end of interrupts; it sends by irq.c.
 */
#ifndef MACHINE_IOAPIC_H
#define MACHINE_IOAPIC_H

#include "lib/types.h"
#include "vm/fields.h"

#define IOAPIC_PINS 24

struct ioapic {
	u8 select; /* the register that the window shows */
	u8 id;
	u32 pins; /* which are high */
	u64 entry[IOAPIC_PINS];
};

extern const struct device_description ioapic_description;

struct vm;

void ioapic_reset(struct ioapic *ioapic);

/* With the interrupt controllers' lock held, all of these. */
void ioapic_pin(struct vm *vm, unsigned pin, bool high);
void ioapic_eoi(struct vm *vm, u8 vector);
u32 ioapic_read(struct ioapic *ioapic, u64 offset);
void ioapic_write(struct vm *vm, u64 offset, u32 value);

#endif
