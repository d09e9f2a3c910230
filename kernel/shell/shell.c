#include "shell/shell.h"

#include "cpu/time.h"
#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/notice.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "shell/edit.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define KEY_DETACH 0x1d /* Ctrl-] */
#define KEY_ABORT  0x03 /* Ctrl-C */

#define LOOK_NS (1 * NS_PER_MS)	   /* for room for keys */
#define DEAF_NS (2000 * NS_PER_MS) /* a guest that takes none for so long */

static char prompt[40];
static char shown[sizeof(prompt) + COMMAND_MAX + 16];
static struct editor editor;
static bool after_cr;
static const char *script;
static struct answer answer;

/* Keys that came while a command was waiting. */
static struct serial *keyboard;
static char ahead[1024];
static unsigned ahead_in, ahead_out;

static u64 full_since_ns; /* the attached guest has no room; 0: it has */

/* --- the prompt */

/* What stands in the console's last line while the operator types. */
static void show_prompt(void)
{
	unsigned left = editor.length - editor.cursor;
	int n = snprintf(shown, sizeof(shown), "%s%s", prompt, editor.text);

	if (left)
		snprintf(shown + n, sizeof(shown) - n, "\x1b[%uD", left);
	console_set_prompt(shown);
}

void shell_init(struct serial *line, const char *host_name,
		const char *commands)
{
	keyboard = line;
	snprintf(prompt, sizeof(prompt), "%s> ", host_name);
	script = commands && *commands ? commands : NULL;
	if (!script)
		show_prompt();
}

static void run(char *text)
{
	printf("%s%s\n", prompt, text);
	answer_begin(&answer, NULL);
	command_run(&answer, text);
	if (!script && !command_waiting(&answer) && !vm_console_attached)
		show_prompt();
}

static void enter_line(void)
{
	char text[COMMAND_MAX + 1];

	memcpy(text, editor.text, sizeof(text));
	edit_clear(&editor, true);
	console_set_prompt(NULL);
	run(text);
}

/* The first Tab completes, the next lists what is left to choose from. */
static void complete(void)
{
	char text[COMMAND_MAX + 1];
	unsigned count;

	memcpy(text, editor.text, sizeof(text));
	count = command_complete(text, sizeof(text) - 1, false);
	if (count == 1 && strlen(text) < COMMAND_MAX)
		memcpy(text + strlen(text), " ", 2);
	if (count > 1 && !strcmp(text, editor.text)) {
		console_set_prompt(NULL);
		printf("%s%s\n", prompt, text);
		command_complete(text, sizeof(text), true);
	}
	edit_set(&editor, text);
	show_prompt();
}

/* --- a guest's console */

static void tell_attached(const struct vm *vm, bool attached)
{
	struct notice n;

	notice_begin(&n, "console");
	json_text(&n.json, "vm", vm->config.name);
	json_flag(&n.json, "attached", attached);
	notice_end(&n);
}

void shell_attach(struct vm *vm)
{
	printf("console of %s; Ctrl-] comes back here\n", vm->config.name);
	tell_attached(vm, true);
	full_since_ns = 0;
	vm_console_attach(vm);
}

static void detach(void)
{
	struct vm *vm = vm_console_attached;

	vm_console_detach();
	printf("\n%s is %s; back in the shell\n", vm->config.name,
	       life_name(vm->life));
	tell_attached(vm, false);
	show_prompt();
}

static void type(int c)
{
	struct vm *vm = vm_console_attached;

	if (vm_console_type(vm, c) && vm->vcpus)
		machine->typed(vm);
}

/*
 * Keys stay in the line while the guest has no room for them. Not for ever: the
 * way out lies behind them. What a guest that is deaf, or none, does not take
 * is lost.
 */
static bool has_room(void)
{
	struct vm *vm = vm_console_attached;

	if (!vm || !vm_console_full(vm)) {
		full_since_ns = 0;
		return true;
	}
	if (!full_since_ns)
		full_since_ns = now_ns();
	return !vm->vcpus || now_ns() - full_since_ns > DEAF_NS;
}

/* --- keys */

static void edit(int c)
{
	switch (edit_key(&editor, c)) {
	case EDIT_CHANGED:
		show_prompt();
		break;
	case EDIT_COMPLETE:
		complete();
		break;
	case EDIT_ENTER:
		enter_line();
		break;
	default:
		break;
	}
}

static void key(int c)
{
	bool second_half = after_cr && c == '\n';

	after_cr = c == '\r';
	if (vm_console_attached && c == KEY_DETACH)
		detach();
	else if (vm_console_attached)
		type(c);
	else if (!second_half)
		edit(c);
}

static int next_key(void)
{
	if (ahead_out != ahead_in)
		return (u8)ahead[ahead_out++ % sizeof(ahead)];
	return serial_read(keyboard);
}

/* Ends what the command waits for, and the script with it. */
static void abort_wait(void)
{
	answer.waiting = false;
	ahead_out = ahead_in;
	script = NULL;
	printf("^C\n");
	show_prompt();
}

static void read_ahead(void)
{
	int c;

	while (ahead_in - ahead_out < sizeof(ahead) &&
	       (c = serial_read(keyboard)) >= 0) {
		if (c == KEY_ABORT) {
			abort_wait();
			return;
		}
		ahead[ahead_in++ % sizeof(ahead)] = c;
	}
}

/* --- the first CPU's turn */

/* The next command of the script, up to its ';'. */
static void script_step(void)
{
	char text[COMMAND_MAX + 1];
	const char *end;
	size_t n;

	while (*script == ' ')
		script++;
	end = strchr(script, ';');
	n = end ? (size_t)(end - script) : strlen(script);
	n = MIN(n, COMMAND_MAX);
	memcpy(text, script, n);
	text[n] = '\0';
	script = end ? end + 1 : NULL;
	run(text);
}

/* Waiting has come to its end. */
static void end_wait(void)
{
	if (!script && !vm_console_attached)
		show_prompt();
}

void shell_poll(void)
{
	bool waited = answer.waiting;
	int c;

	console_poll();
	vm_console_serve();
	if (command_waiting(&answer)) {
		read_ahead();
		return;
	}
	if (waited)
		end_wait();
	if (script) {
		script_step();
		return;
	}
	while (!answer.waiting && has_room() && (c = next_key()) >= 0)
		key(c);
}

bool shell_busy(void)
{
	return script || command_waiting(&answer);
}

u64 shell_wake(void)
{
	if (full_since_ns)
		return rdtsc() + ns_to_tsc(LOOK_NS);
	if (answer.waiting)
		return command_wake(&answer);
	return script ? 0 : ~0ULL;
}
