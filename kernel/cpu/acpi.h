/*
 * ACPI tables, as far as a kernel without AML needs them: finding them, with
 * every length and checksum checked, since firmware is not always right. A
 * machine without ACPI is no error.
 */
#ifndef CPU_ACPI_H
#define CPU_ACPI_H

#include "lib/types.h"

struct PACKED acpi_header {
	char signature[4];
	u32 length; /* of the whole table */
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	u32 creator_id;
	u32 creator_revision;
};
ASSERT_SIZE(struct acpi_header, 36);

/* rsdp: physical address, 0 for none. */
void acpi_init(u64 rsdp);

/* The first table with that signature, at least min_length long, or NULL. */
const void *acpi_find(const char signature[4], size_t min_length);

/* What the tables say of the hardware; 0: nothing. */
u16 acpi_pm_timer_port(void);
u64 acpi_hpet_base(void);
/* The enabled CPUs' APIC ids, the caller's included. */
unsigned acpi_cpus(u32 *apic_ids, unsigned max);

#endif
