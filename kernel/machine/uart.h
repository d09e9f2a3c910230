/*
 * The guest's serial port: a 16550A at 0x3f8 (PC16550D data sheet; sections
 * and tables by that). What it sends goes to the VM's console at once, what is
 * typed there it receives; there is no line, so nothing is late. Nothing is
 * lost either: when the console has no room, the transmitter is not empty.
 * vm->lock guards it, as it does the whole port bus.
 */
#ifndef MACHINE_UART_H
#define MACHINE_UART_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

struct vm;

#define UART_PORT  0x3f8
#define UART_PORTS 8
#define UART_FIFO  16

struct uart {
	struct vm *vm;
	u8 ier, fcr, lcr, mcr, scr;
	u8 lsr; /* OE, BI: until read */
	u8 msr; /* changes: until read */
	u8 divisor[2];
	u8 thre_pending; /* the transmitter's interrupt */
	u8 tx_full;	 /* it waits for the console to have room */
	u8 rx[UART_FIFO], rx_head, rx_count;
};

extern const struct device_description uart_description;

/* Onto vm->ports, and into vm->uart. */
err_t uart_create(struct vm *vm);
void uart_destroy(struct vm *vm);
void uart_reset(struct uart *uart);

/* What its interrupt line should be, and setting it: something was typed. */
bool uart_irq_level(struct uart *uart);
void uart_interrupt(struct uart *uart);

#endif
