/*
 * Guests' consoles on serial lines of their own (`console-line`): what comes in
 * goes to the guest, what it writes goes out, byte for byte both ways. The
 * first CPU's business.
 */
#ifndef SHELL_GUEST_LINES_H
#define SHELL_GUEST_LINES_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

/* Opens the line that vm's configuration names. E_NOTFOUND: no UART there. */
err_t guest_line_open(struct vm *vm);

/*
 * Takes what has come in; what guests write goes out by vm_console_serve().
 * True: something came, look at all lines again before halting.
 */
bool guest_lines_poll(void);

/* The host TSC by which to look again, ~0: an interrupt will tell. */
u64 guest_lines_wake(void);

#endif
