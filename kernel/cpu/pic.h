/*
 * The two legacy 8259A interrupt controllers, behind the bootstrap CPU's LINT0:
 * enough for the console's and PCI's interrupts, without ACPI or I/O APIC.
 */
#ifndef CPU_PIC_H
#define CPU_PIC_H

#include "lib/types.h"

#define PIC_LINES 16

/* Moves the lines to VECTOR_PIC and masks them all. */
void pic_init(void);

void pic_unmask(unsigned line);
void pic_mask(unsigned line);

void pic_acknowledge(unsigned line);

#endif
