/*
 * Where things are in the PC that a guest sees: one place for what devices and
 * the ACPI tables must agree on.
 */
#ifndef MACHINE_LAYOUT_H
#define MACHINE_LAYOUT_H

#include "lib/types.h"

/* Interrupt lines (global system interrupts): ISA's, then PCI's INTx. */
#define GSI_TIMER     0u /* the PIT; at the I/O APIC it arrives at pin 2 */
#define GSI_CASCADE   2u
#define GSI_UART      4u
#define GSI_RTC	      8u
#define GSI_SCI	      9u /* level, active high */
#define GSI_PCI	      16u
#define GSI_PCI_COUNT 4u
#define GSI_COUNT     24u

/* INTx of a PCI slot: pins A-D of each slot go on by one, as on PCs. */
#define GSI_OF_PCI(slot, pin) (GSI_PCI + ((slot) + (pin)) % GSI_PCI_COUNT)

/* Memory: PCI's window lies in the hole below 4 GiB. */
#define PCI_WINDOW	((u64)0xc0000000)
#define PCI_WINDOW_SIZE ((u64)0x3e000000)
#define IOAPIC_ADDRESS	((u64)0xfec00000)

/* Ports. */
#define PORT_PM_EVENT	 0x600 /* PM1a_EVT: 4 bytes */
#define PORT_PM_CONTROL	 0x604 /* PM1a_CNT: 2 bytes */
#define PORT_PM_TIMER	 0x608 /* 4 bytes, 3.579545 MHz */
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA	 0xcfc

/* ACPI tables: reserved memory below 1 MiB, where every kernel looks. */
#define ACPI_START ((u64)0xe0000)
#define ACPI_END   ((u64)0x100000)

#endif
