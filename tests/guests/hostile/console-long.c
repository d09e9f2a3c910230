/*
 * A line that does not end, and many that are empty.
 */
#include "guest.h"

static u8 text[4096];

int guest_main(void)
{
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < 16; i++) {
		const u8 *at = text;
		u64 n = sizeof(text);

		asm volatile("rep outsb"
			     : "+S"(at), "+c"(n)
			     : "d"(PORT_DEBUG)
			     : "memory");
	}
	for (unsigned i = 0; i < 200; i++)
		outb(PORT_DEBUG, '\n');
	return 0;
}
