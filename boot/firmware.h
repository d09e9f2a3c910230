/*
 * What only the firmware knows about the machine, as far as the kernel wants
 * to hear of it. None of it is needed to boot: what is missing is left 0.
 */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include <efi.h>

#include "boot/boot_info.h"

/* Fills rsdp and firmware. */
void firmware_tables(EFI_SYSTEM_TABLE *system, struct boot_info *info);

/* Fills console. */
void firmware_console(EFI_BOOT_SERVICES *bs, struct boot_info *info);

/* Fills cpus and cpu_count; fails only for want of memory. */
EFI_STATUS firmware_cpus(EFI_BOOT_SERVICES *bs, struct boot_info *info);

#endif
