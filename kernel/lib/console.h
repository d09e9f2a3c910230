/*
 * Where text for the operator goes. The device is given at start, so that lib/
 * knows no driver; text written before that is dropped. One write is never
 * mixed with another CPU's, and does not wait for a slow line: what the device
 * has not sent yet goes out with console_poll().
 */
#ifndef LIB_CONSOLE_H
#define LIB_CONSOLE_H

#include "lib/types.h"

struct console_device {
	void (*write)(void *line, const char *text, size_t len); /* of lines */
	void (*write_raw)(void *line, const char *bytes, size_t n);
	size_t (*room)(void *line); /* bytes that it takes without waiting */
	void (*poll)(void *line);   /* sends what the line takes now */
	void (*drain)(void *line);  /* waits until all is sent */
};

void console_init(const struct console_device *device, void *line);
void console_write(const char *text, size_t len);

/* Bytes of someone else's terminal session, just as they are. */
void console_write_raw(const char *bytes, size_t n);

/*
 * How much of what can wait may be written now: less than what the device
 * takes, so that the host itself does not wait.
 */
size_t console_room(void);

/*
 * Text that stands in the last line while the operator types, moved down
 * whenever something else is written. It must stay; NULL: nothing.
 */
void console_set_prompt(const char *text);

/* For the serving CPU's loop; the device's interrupt wakes it when idle. */
void console_poll(void);

void console_drain(void);

/* For panic: whoever holds the console will not come back. */
void console_break_lock(void);

#endif
