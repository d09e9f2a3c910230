/*
 * The commands: a table per group, each of words, what they take, and what they
 * do. People type them at the console, programs send them over the JSON line;
 * a command sees no difference (answer.h).
 *
 * A new group is a file with a table that ends with a NULL name, and a line in
 * commands.c.
 */
#ifndef SHELL_COMMAND_H
#define SHELL_COMMAND_H

#include "shell/answer.h"

struct vm;

/*
 * The argument: a word; a VM's name, resolved before the call, which gets what
 * follows it; all the rest.
 */
enum command_takes { TAKES_WORD, TAKES_VM, TAKES_LINE };

struct command {
	const char *name; /* one word, or two: "vm start" */
	const char *arguments;
	const char *help;
	enum command_takes takes;
	void (*run)(struct answer *a, struct vm *vm, const char *argument);
};

extern const struct command host_commands[];	/* commands_host.c */
extern const struct command vm_commands[];	/* commands_vm.c */
extern const struct command net_commands[];	/* net_list.c */
extern const struct command migrate_commands[]; /* commands_migrate.c */
extern const struct command trace_commands[];	/* commands_trace.c */

#define COMMAND_MAX 200 /* characters of a line */

/* Runs one line; its words are cut apart. */
void command_run(struct answer *a, char *line);

/*
 * Of `wait`, after command_run(): true until what it waits for has happened;
 * then the answer is complete.
 */
bool command_waiting(struct answer *a);
u64 command_wake(const struct answer *a); /* host TSC to ask again, or ~0 */

/*
 * Completes the last word of a line in place: as far as all that it can become
 * agree. How many there are; with `list`, they are shown to the operator.
 */
unsigned command_complete(char *line, size_t size, bool list);

#endif
