/* No ACPI tables: what loaders get where nobody makes any. */
#include "machine/acpi_tables.h"

__attribute__((weak)) err_t acpi_tables(struct vm *vm, u64 *rsdp)
{
	*rsdp = 0;
	return E_OK;
}
