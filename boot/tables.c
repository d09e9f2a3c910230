/* The ACPI root pointer: UEFI 2.10, 4.6 "EFI Configuration Table". */
#include "boot/firmware.h"
#include "boot/say.h"
#include "lib/string.h"

static u64 find_table(EFI_SYSTEM_TABLE *system, const EFI_GUID *guid)
{
	for (UINTN i = 0; i < system->NumberOfTableEntries; i++) {
		EFI_CONFIGURATION_TABLE *table = &system->ConfigurationTable[i];

		if (!memcmp(&table->VendorGuid, guid, sizeof(*guid)))
			return (u64)table->VendorTable;
	}
	return 0;
}

void firmware_tables(EFI_SYSTEM_TABLE *system, struct boot_info *info)
{
	static const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID;
	static const EFI_GUID acpi_1 = ACPI_TABLE_GUID;

	info->rsdp = find_table(system, &acpi_2);
	if (!info->rsdp)
		info->rsdp = find_table(system, &acpi_1);
	if (system->FirmwareVendor)
		ascii_from_ucs2(info->firmware, sizeof(info->firmware),
				system->FirmwareVendor);
}
