/*
 * A 16550 UART, polled: the operator's console. Its receive interrupt is
 * turned on so that a halted host wakes on a key press; nothing else uses it.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "lib/types.h"

/* The port from boot_info, 0 for COM1. False: nothing answers there. */
bool serial_init(u16 port);

/* The legacy interrupt line of the port, -1 when it has none. */
int serial_irq(void);

/* "\n" is sent as "\r\n". */
void serial_write(const char *text, size_t len);

/* The next byte received, -1 for none. */
int serial_read(void);

/* Waits until the last byte is on the wire. */
void serial_drain(void);

#endif
