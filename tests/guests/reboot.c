/* Asks for a reset at once, each time, by the register that the FADT names. */
#include "chipset.h"

#define FADT_RESET	 120 /* the register's address */
#define FADT_RESET_VALUE 128

int guest_main(void)
{
	const u8 *fadt = acpi_table("FACP");

	if (!fadt)
		return 2;
	print("reboots\n");
	outb(GET(u64, fadt, FADT_RESET), fadt[FADT_RESET_VALUE]);
	return 2; /* still here */
}
