/*
 * Where text for the operator goes. The console device is given at start, so
 * that lib/ knows no driver; text written before that is dropped. One write is
 * never mixed with another CPU's.
 */
#ifndef LIB_CONSOLE_H
#define LIB_CONSOLE_H

#include "lib/types.h"

typedef void (*console_write_fn)(const char *text, size_t len);

void console_init(console_write_fn write);
void console_write(const char *text, size_t len);

/* For panic: whoever holds the console will not come back. */
void console_break_lock(void);

#endif
