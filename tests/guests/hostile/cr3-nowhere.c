/*
 * Page tables where there is no memory.
 */
#include "guest.h"

int guest_main(void)
{
	write_cr3(0xfd000000);
	return 0;
}
