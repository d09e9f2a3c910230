/* Finding the command that a line means, or saying what it could have meant. */
#include "shell/command.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "vm/vm.h"

#define WORDS 4

static void run_help(struct answer *a, struct vm *vm, const char *argument);

static const struct command help_commands[] = {
	{"help", "", "this list", TAKES_WORD, run_help},
	{NULL},
};

static const struct command *const groups[] = {
	help_commands, host_commands,	 vm_commands,
	net_commands,  migrate_commands, trace_commands,
};

#define for_each_command(c)                                 \
	for (unsigned g_ = 0; g_ < ARRAY_LEN(groups); g_++) \
		for (const struct command *c = groups[g_]; c->name; c++)

static void run_help(struct answer *a, struct vm *vm, const char *argument)
{
	answer_list(a, "commands", "  {-10} {-9} {}");
	for_each_command (c) {
		answer_row(a);
		answer_text(a, "command", c->name);
		answer_text(a, "takes", c->arguments);
		answer_text(a, "help", c->help);
	}
	answer_end(a);
}

/* Cuts the line into words; more than there is room for are left out. */
static unsigned split(char *line, char *word[WORDS])
{
	unsigned n = 0;

	while (*line && n < WORDS) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			break;
		word[n++] = line;
		while (*line && *line != ' ')
			line++;
	}
	if (*line)
		*line = '\0';
	return n;
}

/* How many words of the command match; all of them: it is the one. */
static bool matches(const struct command *c, char *const word[], unsigned n,
		    unsigned *used)
{
	const char *space = strchr(c->name, ' ');
	size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

	if (strlen(word[0]) != first || strncmp(word[0], c->name, first))
		return false;
	*used = space ? 2 : 1;
	return !space || (n > 1 && !strcmp(word[1], space + 1));
}

/* Is word the first of a command of two? */
static bool begins(const struct command *c, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(word, c->name, n) && c->name[n] == ' ';
}

static void explain_second(struct answer *a, char *const word[], unsigned n)
{
	const char *rest = a->json ? " (see `help`)" : "; there is";

	if (n > 1)
		answer_error(a, E_NOTFOUND, "%s: no \"%s\"%s", word[0], word[1],
			     rest);
	else
		answer_error(a, E_NOTFOUND, "%s: what?%s", word[0], rest);
	for_each_command (c)
		if (begins(c, word[0]))
			answer_say(a, "  %-10s %-9s %s\n", c->name,
				   c->arguments, c->help);
}

static void explain(struct answer *a, char *const word[], unsigned n)
{
	char text[160];
	size_t used;

	for_each_command (c) {
		if (begins(c, word[0])) {
			explain_second(a, word, n);
			return;
		}
	}
	used = snprintf(text, sizeof(text), "no command \"%.40s\"", word[0]);
	for_each_command (c)
		if (!strncmp(word[0], c->name, MIN(strlen(word[0]), 2)) &&
		    used < sizeof(text))
			used += snprintf(text + used, sizeof(text) - used,
					 "; `%s`?", c->name);
	answer_error(a, E_NOTFOUND, "%s (`help` lists them)", text);
}

/* Of a command that needs a VM the argument is what follows its name. */
static void call(struct answer *a, const struct command *c,
		 const char *argument, const char *second)
{
	struct vm *vm = NULL;

	if (c->takes == TAKES_VM && !argument) {
		answer_error(a, E_INVALID, "%s: which VM? (see `vm list`)",
			     c->name);
		return;
	}
	if (c->takes == TAKES_VM) {
		vm = vm_find(argument);
		if (!vm) {
			answer_error(a, E_NOTFOUND,
				     "%s: no VM \"%s\" (see `vm list`)",
				     c->name, argument);
			return;
		}
		argument = second;
	}
	c->run(a, vm, argument);
}

static unsigned most_words(const struct command *c)
{
	return strchr(c->arguments, ' ') ? 2 : 1;
}

void command_run(struct answer *a, char *line)
{
	char *word[WORDS], whole[COMMAND_MAX + 1];
	unsigned n, used;

	copy_string(whole, sizeof(whole), line);
	n = split(line, word);
	if (!n)
		return;
	for_each_command (c) {
		if (!matches(c, word, n, &used))
			continue;
		if (c->takes == TAKES_LINE) {
			c->run(a, NULL,
			       n > used ? whole + (word[used] - line) : NULL);
			return;
		}
		if (n > used && !c->arguments[0])
			answer_error(a, E_INVALID,
				     "%s: takes nothing more, not \"%s\"",
				     c->name, word[used]);
		else if (n > used + most_words(c))
			answer_error(a, E_INVALID,
				     "%s: one word too many: \"%s\"", c->name,
				     word[used + most_words(c)]);
		else
			call(a, c, n > used ? word[used] : NULL,
			     n > used + 1 ? word[used + 1] : NULL);
		return;
	}
	explain(a, word, n);
}

/* --- completion */

struct completion {
	const char *typed; /* the whole line so far */
	size_t n;
	char common[COMMAND_MAX + 1]; /* what all of them begin with */
	unsigned count;
	bool list;
};

static void consider(struct completion *c, const char *whole)
{
	size_t i = 0;

	if (strncmp(whole, c->typed, c->n))
		return;
	if (c->list)
		printf("  %s\n", whole);
	if (!c->count++) {
		copy_string(c->common, sizeof(c->common), whole);
		return;
	}
	while (whole[i] && whole[i] == c->common[i])
		i++;
	c->common[i] = '\0';
}

unsigned command_complete(char *line, size_t size, bool list)
{
	struct completion found = {
		.typed = line, .n = strlen(line), .list = list};
	char whole[COMMAND_MAX + 1];

	for_each_command (c) {
		consider(&found, c->name);
		for (unsigned i = 0; c->takes == TAKES_VM && i < vm_count;
		     i++) {
			snprintf(whole, sizeof(whole), "%s %s", c->name,
				 vms[i]->config.name);
			if (found.n > strlen(c->name))
				consider(&found, whole);
		}
	}
	if (found.count)
		copy_string(line, size, found.common);
	return found.count;
}
