/*
 * A terminal's other end, at the serial port: writes `lines=N` numbered lines,
 * then sends back each byte as it came, until Ctrl-D. It asks the UART before
 * each byte, unless it is told to be `rude`; `debug` writes the lines to port
 * 0xe9 instead. `panic`: it says at the end that it has panicked.
 */
#include "guest.h"
#include "print.h"

#define CTRL_D	   0x04
#define PORT_PANIC 0x505

enum { DATA = PORT_UART, FCR = PORT_UART + 2, LSR = PORT_UART + 5 };

#define LSR_DATA 0x01
#define LSR_THRE 0x20

static bool rude;

static void send(u8 byte)
{
	while (!rude && !(inb(LSR) & LSR_THRE))
		cpu_relax();
	outb(DATA, byte);
}

static u8 receive(void)
{
	while (!(inb(LSR) & LSR_DATA))
		cpu_relax();
	return inb(DATA);
}

static void send_line(unsigned number)
{
	char text[72];

	format(text, sizeof(text),
	       "line %08u: what follows makes it as long as lines tend to "
	       "be\r\n",
	       number);
	for (const char *c = text; *c; c++)
		send(*c);
}

int guest_main(void)
{
	u64 lines = option_number("lines", 0);
	u8 byte;

	sti(); /* as kernels do; Bochs hides the host's interrupts else */
	rude = option("rude");
	outb(FCR, 1);
	for (unsigned i = 0; i < lines; i++) {
		if (option("debug"))
			print("line %08u of the debug port\n", i);
		else
			send_line(i);
	}
	while ((byte = receive()) != CTRL_D)
		send(byte);
	if (option("panic"))
		outb(PORT_PANIC, 1);
	return option("panic");
}
