/*
 * Sleeps until something is typed at its serial port, which interrupts it, and
 * says what; `q` ends it.
 */
#include "chipset.h"

#define VEC_UART  0x51
#define UART_IER  (PORT_UART + 1)
#define UART_FCR  (PORT_UART + 2)
#define UART_MCR  (PORT_UART + 4)
#define UART_LSR  (PORT_UART + 5)
#define IER_RX	  0x01
#define FCR_FIFOS 0x01
#define MCR_OUT2  0x08
#define LSR_DATA  0x01

static volatile bool over;

static bool typed(struct trap_frame *frame)
{
	while (inb(UART_LSR) & LSR_DATA) {
		u8 byte = inb(PORT_UART);

		print("typed %c\n", byte);
		over |= byte == 'q';
	}
	apic_eoi();
	return true;
}

int guest_main(void)
{
	apic_start();
	trap_hooks[VEC_UART] = typed;
	outb(UART_FCR, FCR_FIFOS);
	outb(UART_MCR, MCR_OUT2);
	ioapic_route(PIN_UART, VEC_UART);
	outb(UART_IER, IER_RX);
	print("listens\n");
	while (!over) {
		sti_hlt();
		cli();
	}
	return 0;
}
