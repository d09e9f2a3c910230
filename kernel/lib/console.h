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
	void (*write)(const char *text, size_t len);
	void (*poll)(void);  /* sends what the line takes now */
	void (*drain)(void); /* waits until all is sent */
};

void console_init(const struct console_device *device);
void console_write(const char *text, size_t len);

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
