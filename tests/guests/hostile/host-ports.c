/*
 * The ports by which an emulated PC is switched off or reset. None of them may
 * reach the machine that we run on.
 */
#include "guest.h"

int guest_main(void)
{
	static const char shutdown[] = "Shutdown";

	for (unsigned i = 0; i < sizeof(shutdown) - 1; i++)
		outb(0x8900, shutdown[i]); /* Bochs */
	outw(0x604, 0x2000);		   /* QEMU q35: ACPI S5 */
	outw(0xb004, 0x2000);		   /* PIIX4 */
	outw(0x4004, 0x3400);
	outb(0x92, 1);	/* fast reset */
	outw(0x501, 1); /* debug exit, at its other place */
	outb(0x402, 'x');
	return 0;
}
