/* The other way into a panic (lib/panic.h): an exception of our own. */
#ifndef CPU_PANIC_H
#define CPU_PANIC_H

#include "cpu/traps.h"

void panic_trap(const struct trap_frame *frame) NORETURN;

#endif
