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
void shell_init(const char *host_name, const char *script);

/* The first CPU's turn: reads keys, goes on with the script. */
void shell_poll(void);

/* Is a script still running? */
bool shell_scripted(void);

/* commands.c: runs one line; prints the answer. */
void command_run(char *line);

/* For `wait` in a script: true until what it waits for has happened. */
bool command_waiting(void);
u64 command_wake(void); /* the TSC by which to look again, ~0: none */

/* For `vm console`: keys go to this VM from now on. */
struct vm;
void shell_attach(struct vm *vm);

#endif
