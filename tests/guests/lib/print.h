/* Formatting, for the files of the library. */
#ifndef PRINT_H
#define PRINT_H

#include <stdarg.h>

#include "traps.h"

size_t vformat(char *text, size_t size, const char *fmt, va_list *args);
void print_bytes(const char *text, size_t n);

#endif
