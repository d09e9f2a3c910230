/*
 * 16550 UARTs: the host's own serial lines. Nothing here waits for a line:
 * bytes are queued and sent as the line takes them, by polling. A UART's
 * interrupt (byte received; room to send while something is queued) is for
 * waking a halted host only.
 *
 * A line has no lock: whoever opens it sees to that.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "lib/console.h"
#include "lib/types.h"

#define SERIAL_LINES 4 /* COM1 to COM4 */

struct serial {
	u16 port;	/* 0: closed */
	unsigned burst; /* bytes that may follow one THRE */
	bool room_wanted;
	char *queue; /* ring of what is to be sent */
	size_t size;
	u64 in, out; /* bytes ever queued, ever sent */
};

/* The I/O port of COM1 to COM4, by number. */
u16 serial_port(unsigned com);

/* False: nothing answers at that port. */
bool serial_open(struct serial *line, u16 port, char *queue, size_t size);

/* Its legacy interrupt line, -1 when it has none. */
int serial_irq(const struct serial *line);

/* The next byte received, -1 for none. */
int serial_read(struct serial *line);

/* Bytes that serial_write() takes without waiting. */
size_t serial_room(const struct serial *line);

/* Waits when there is no room; a line that is dead loses bytes. */
void serial_write(struct serial *line, const char *bytes, size_t n);

void serial_poll(struct serial *line);	/* sends what the line takes now */
void serial_drain(struct serial *line); /* waits until all is sent */

/*
 * Up to that time all lines queue only, and a guest that stands still need not
 * wait for text: an emulator takes microseconds for each byte. serial_drain()
 * sends in any case, and so does a write that finds no room. 0: from now on.
 */
void serial_hush(u64 until_ns);

/* A line as lib/console's device. */
extern const struct console_device serial_console;

#endif
