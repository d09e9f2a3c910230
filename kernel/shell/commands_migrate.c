/* Commands that move VMs between hosts. */
#include "lib/printf.h"
#include "lib/string.h"
#include "migration/migration.h"
#include "shell/command.h"
#include "vm/vm.h"

/* The next word of *text, cut off; NULL: there is none. */
static char *next_word(char **text)
{
	char *word = *text;

	while (*word == ' ')
		word++;
	if (!*word)
		return NULL;
	for (*text = word; **text && **text != ' '; ++*text)
		;
	if (**text)
		*(*text)++ = '\0';
	return word;
}

static bool set_word(const char *const *words, const char *value, unsigned *to)
{
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(words[i], value))
			continue;
		*to = i;
		return true;
	}
	return false;
}

static bool set_number(const char *value, u64 low, u64 high, unsigned *to)
{
	u64 n;

	if (!parse_number(value, &n) || n < low || n > high)
		return false;
	*to = (unsigned)n;
	return true;
}

static bool set_option(struct migration_options *o, const char *name,
		       const char *value)
{
	if (!strcmp(name, "policy"))
		return set_word(migration_policies, value, &o->policy);
	if (!strcmp(name, "dirty"))
		return set_word(migration_ways, value, &o->dirty);
	if (!strcmp(name, "security"))
		return set_word(migration_securities, value, &o->security);
	if (!strcmp(name, "downtime"))
		return set_number(value, 1, MIGRATION_DOWNTIME_MAX,
				  &o->downtime);
	if (!strcmp(name, "rounds"))
		return set_number(value, 1, MIGRATION_ROUNDS_MAX, &o->rounds);
	if (!strcmp(name, "codecs"))
		return migration_codecs(value, strlen(value), &o->codecs);
	if (!strcmp(name, "limit"))
		return parse_number(value, &o->limit);
	if (!strcmp(name, "cache"))
		return parse_number(value, &o->cache) &&
		       o->cache <= MIGRATION_CACHE_MAX;
	return false;
}

static bool read_options(struct answer *a, char *text,
			 struct migration_options *options)
{
	char *word;

	while ((word = next_word(&text))) {
		char *equal = strchr(word, '=');

		if (equal)
			*equal = '\0';
		if (equal && set_option(options, word, equal + 1))
			continue;
		answer_error(a, E_INVALID,
			     "migrate: \"%s%s%s\" is not possible (expected "
			     "policy=, downtime=, rounds=, dirty=, security=, "
			     "limit=, codecs= or cache=, see the manual)",
			     word, equal ? "=" : "", equal ? equal + 1 : "");
		return false;
	}
	return true;
}

/* "VM to HOST name=value ..." */
static void start(struct answer *a, const char *argument, bool dry_run)
{
	struct migration_options options = *migration_defaults();
	char text[COMMAND_MAX + 1], *at = text, *name, *to, *host;
	struct vm *vm;

	copy_string(text, sizeof(text), argument ? argument : "");
	name = next_word(&at);
	to = next_word(&at);
	host = next_word(&at);
	if (!host || strcmp(to, "to")) {
		answer_error(a, E_INVALID,
			     "migrate: what and where to? (expected VM to "
			     "HOST)");
		return;
	}
	vm = vm_find(name);
	if (!vm) {
		answer_error(a, E_NOTFOUND,
			     "migrate: no VM \"%s\" (see `vm list`)", name);
		return;
	}
	options.dry_run = dry_run;
	if (read_options(a, at, &options))
		migration_start(a, vm, host, &options);
}

static void run_migrate(struct answer *a, struct vm *vm, const char *argument)
{
	start(a, argument, false);
}

static void run_dry(struct answer *a, struct vm *vm, const char *argument)
{
	start(a, argument, true);
}

static void run_status(struct answer *a, struct vm *vm, const char *argument)
{
	migration_status(a);
}

static void run_cancel(struct answer *a, struct vm *vm, const char *argument)
{
	migration_cancel(a);
}

static void run_wait(struct answer *a, struct vm *vm, const char *argument)
{
	unsigned seconds = 0;

	if (argument && !set_number(argument, 1, 3600, &seconds)) {
		answer_error(a, E_INVALID,
			     "migrate wait: \"%s\" is not a number of seconds "
			     "up to 3600",
			     argument);
		return;
	}
	migration_wait(a, seconds);
}

static void run_doubt(struct answer *a, struct vm *vm, const char *argument)
{
	migration_in_doubt(a);
}

static void run_resume(struct answer *a, struct vm *vm, const char *argument)
{
	migration_force_source(a, true);
}

static void run_release(struct answer *a, struct vm *vm, const char *argument)
{
	migration_force_source(a, false);
}

static void run_run(struct answer *a, struct vm *vm, const char *argument)
{
	migration_force_target(a, true);
}

static void run_discard(struct answer *a, struct vm *vm, const char *argument)
{
	migration_force_target(a, false);
}

const struct command migrate_commands[] = {
	{"migrate status", "", "VMs that leave or arrive", TAKES_WORD,
	 run_status},
	{"migrate cancel", "", "the VM that leaves stays", TAKES_WORD,
	 run_cancel},
	{"migrate wait", "[SECONDS]", "until none leaves or arrives",
	 TAKES_WORD, run_wait},
	{"migrate dry-run", "VM to HOST ...", "what it would take", TAKES_LINE,
	 run_dry},
	{"migrate in-doubt", "", "what waits for a word of yours", TAKES_WORD,
	 run_doubt},
	{"migrate resume", "", "in doubt: run the VM here again", TAKES_WORD,
	 run_resume},
	{"migrate release", "", "in doubt: let go of the VM", TAKES_WORD,
	 run_release},
	{"migrate run", "", "in doubt: run the VM that arrived", TAKES_WORD,
	 run_run},
	{"migrate discard", "", "forget the VM that arrives", TAKES_WORD,
	 run_discard},
	{"migrate", "VM to HOST ...", "move it while it runs", TAKES_LINE,
	 run_migrate},
	{NULL},
};
