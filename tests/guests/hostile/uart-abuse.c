/*
 * Noise into every register of the UART; and its interrupts on, to nowhere.
 */
#include "guest.h"

int guest_main(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		u64 r = random_number();
		u16 port = PORT_UART + r % 8;
		u32 value;

		if (port != PORT_UART) /* text is the console's test */
			outb(port, r >> 8);
		(void)inb(PORT_UART + (r >> 16) % 8);
		asm volatile("inl %1, %0"
			     : "=a"(value)
			     : "d"((u16)(PORT_UART + 1 + (r >> 20) % 7)));
	}
	return 0;
}
