/*
 * Reads and writes every port in every size, but for the guest's own console
 * and its end. Nothing of the host's may be reached.
 */
#include "guest.h"

/* Ports that mean something to us: text, end, reset. */
static bool is_ours(u32 port)
{
	return (port >= PORT_DEBUG - 3 && port <= PORT_END) ||
	       (port >= PORT_UART - 3 && port < PORT_UART + 8) ||
	       (port >= 0x61 && port <= 0x64) ||
	       (port >= 0xcf6 && port <= 0xcf9);
}

static void touch(u16 port, unsigned size)
{
	u32 value = 0;

	switch (size) {
	case 0:
		asm volatile("inb %1, %b0" : "+a"(value) : "d"(port));
		asm volatile("outb %b0, %1" ::"a"(value), "d"(port));
		break;
	case 1:
		asm volatile("inw %1, %w0" : "+a"(value) : "d"(port));
		asm volatile("outw %w0, %1" ::"a"(value), "d"(port));
		break;
	default:
		asm volatile("inl %1, %0" : "+a"(value) : "d"(port));
		asm volatile("outl %0, %1" ::"a"(value), "d"(port));
	}
}

int guest_main(void)
{
	for (u32 port = 0; port < 0x10000; port++)
		if (!is_ours(port))
			touch(port, port % 3);
	for (u32 port = 0; port < 0x1000; port++)
		if (!is_ours(port))
			touch(port, (port + 1) % 3);
	for (unsigned size = 0; size < 3; size++)
		touch(0xffff, size);
	return 0;
}
