/*
 * The line for programs: a second serial line that speaks JSON, a line each.
 * Requests come in (request.h), answers and events (lib/notice.h) go out. See
 * docs/operator.md.
 */
#ifndef SHELL_CONTROL_H
#define SHELL_CONTROL_H

#include "lib/types.h"

/* Opens the line at an I/O port. False: no UART is there. */
bool control_init(u16 port, const char *host_name);

/* The first CPU's turn: takes requests, sends what is queued. */
void control_poll(void);

/* The TSC by which to look again, ~0: an interrupt will say. */
u64 control_wake(void);

#endif
