/*
 * The operator's console: a line editor on the host's serial line, commands,
 * and the way into a guest's console and out again (Ctrl-]). Also runs the
 * configuration's `run` script, a command at a time.
 */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H

#include "lib/types.h"

/* What godwit.conf says, or its defaults; main.c reads it. */
struct config;
extern struct config config;

/* script: commands separated by ';', NULL for none; it must stay. */
struct serial;
void shell_init(struct serial *line, const char *host_name, const char *script);

/* The first CPU's turn: reads keys, goes on with the script. */
void shell_poll(void);

/* Is a script still running, or a `wait` going on? */
bool shell_busy(void);

/* The TSC by which to look again, 0: now, ~0: an interrupt will say. */
u64 shell_wake(void);

/* For `vm console`: keys go to this VM from now on. */
struct vm;
void shell_attach(struct vm *vm);

#endif
