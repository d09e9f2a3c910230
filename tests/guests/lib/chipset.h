/*
 * The PC's interrupt controllers and clocks, as the tests use them: 8259A, I/O
 * APIC (82093AA), 8254, MC146818, 16550A, and the ACPI tables.
 */
#ifndef CHIPSET_H
#define CHIPSET_H

#include "apic.h"

#define PIC_COMMAND 0x20
#define PIC_DATA    0x21
#define PIC2_DATA   0xa1
#define PIC_EOI	    0x20

#define IOAPIC_BASE   0xfec00000u
#define IOAPIC_LEVEL  BIT(15)
#define IOAPIC_MASKED BIT(16)
#define IOAPIC_REMOTE BIT(14)
#define PIN_TIMER     2
#define PIN_UART      4
#define PIN_RTC	      8

#define PIT_CHANNEL_0 0x40
#define PIT_CHANNEL_2 0x42
#define PIT_CONTROL   0x43
#define PORT_GATE     0x61
#define GATE_ON	      0x01
#define GATE_OUT      0x20

/* Both chips: vectors from `base` on, everything masked but `irqs`. */
void pic_start(u8 base, u16 irqs);

u32 ioapic_read(unsigned reg);
void ioapic_write(unsigned reg, u32 value);
/* To this processor: vector, trigger mode and mask as in the entry. */
void ioapic_route(unsigned pin, u32 entry);
u32 ioapic_entry(unsigned pin);

/* Channel and mode; the count is what a guest writes, low byte first. */
void pit_start(unsigned channel, unsigned mode, u16 count);
u16 pit_count(unsigned channel);

u8 cmos_read(u8 index);
void cmos_write(u8 index, u8 value);

/* A table that the root pointer leads to, checksum and all; NULL: not right. */
const u8 *acpi_table(const char *signature);
/* The sum of n bytes. */
u8 byte_sum(const u8 *bytes, u32 n);
/* SLP_TYP of \_S5, -1: there is none. */
int acpi_off_type(void);

#define FADT_FACS	36
#define FADT_DSDT	40
#define FADT_PM_CONTROL 64
#define FADT_PM_TIMER	76
#define MADT_ENTRIES	44

#define GET(type, bytes, offset)                                           \
	({                                                                 \
		type get_value;                                            \
		memcpy(&get_value, (bytes) + (offset), sizeof(get_value)); \
		get_value;                                                 \
	})

#endif
