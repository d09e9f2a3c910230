/*
 * Formatted text without floating point: %d %i %u %x %X %p %s %c %%, flags
 * 0 and -, width and precision (also *), length hh h l ll z.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <stdarg.h>

#include "lib/types.h"

/* Both return the length the whole text has; at most size-1 is stored. */
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);

/* Straight to the console, no time stamp: for answers of the shell. */
int printf(const char *fmt, ...) PRINTF(1);
int vprintf(const char *fmt, va_list args);

#endif
