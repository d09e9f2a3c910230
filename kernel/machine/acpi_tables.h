/*
 * The ACPI tables a guest finds (RSDP, XSDT, FADT, FACS, MADT, DSDT), made for
 * its VM from layout.h and put between ACPI_START and ACPI_END.
 */
#ifndef MACHINE_ACPI_TABLES_H
#define MACHINE_ACPI_TABLES_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

/* *rsdp: the guest-physical address of the root pointer. */
err_t acpi_tables(struct vm *vm, u64 *rsdp);

#endif
