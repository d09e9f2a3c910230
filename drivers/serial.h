/*
 * A 16550 UART: the operator's console. Nothing here waits for the line: text
 * is queued and sent as the line takes it, by polling. The UART's interrupt
 * (byte received; room to send while something is queued) is for waking a
 * halted host only.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "lib/console.h"
#include "lib/types.h"

/* The port from boot_info, 0 for COM1. False: nothing answers there. */
bool serial_init(u16 port);

/* The legacy interrupt line of the port, -1 when it has none. */
int serial_irq(void);

/* The next byte received, -1 for none. */
int serial_read(void);

/* Sends "\n" as "\r\n". Callers are serialized by lib/console. */
extern const struct console_device serial_console;

#endif
