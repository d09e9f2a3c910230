/*
 * Code that runs off the end of RAM.
 */
#include "guest.h"
#include "multiboot.h"

int guest_main(void)
{
	u64 end = MIB(1) + ((u64)boot_info->mem_upper << 10);

	end &= ~0xfffULL;
	memset((void *)(end - 64), 0x90, 64);
	asm volatile("jmp *%0" ::"r"(end - 64));
	return 0;
}
