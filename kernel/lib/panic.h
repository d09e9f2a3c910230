/*
 * The end: a bug of our own. Prints what, where, registers and a backtrace with
 * symbol names, stops the other CPUs, and ends an emulator run with a non-zero
 * status. Nothing a guest or a frame does may lead here.
 */
#ifndef LIB_PANIC_H
#define LIB_PANIC_H

#include "lib/types.h"

void panic_at(const char *file, int line, const char *fmt, ...)
	PRINTF(3) NORETURN;

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

#define ASSERT(cond)                                   \
	do {                                           \
		if (unlikely(!(cond)))                 \
			panic("assertion: %s", #cond); \
	} while (0)

#endif
