/*
 * Text made to harm the operator's terminal or to look like the host's own
 * lines. What is shown must be harmless.
 */
#include "guest.h"

static void put(const char *text)
{
	while (*text)
		outb(PORT_DEBUG, *text++);
	outb(PORT_DEBUG, '\n');
}

int guest_main(void)
{
	put("\x1b[2J\x1b[H\x1b[31mred");
	put("\x1b]0;title\x07\x1b]52;c;Zm9v\x07");
	put("\x1bP+q\x1b\\ \x9b"
	    "2J \x90 \x9d"
	    "0;c1\x9c");
	put("\r[    0.000000] error: the host has a problem");
	put("\x08\x08\x08\x08\x08\x08"
	    "host| a line of another VM");
	put("\x7f\x00\xff\xfe\xc0\x80\xe2\x80\xae");
	for (unsigned i = 0; i < 2000; i++)
		outb(PORT_DEBUG, i);
	outb(PORT_DEBUG, '\n');
	return 0;
}
