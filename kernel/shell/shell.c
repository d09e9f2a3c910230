#include "shell/shell.h"

#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/notice.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "shell/command.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define KEY_DETACH 0x1d /* Ctrl-] */
#define KEY_ABORT  0x03 /* Ctrl-C */
#define KEY_KILL   0x15 /* Ctrl-U */

static char prompt[40];
static char typed[COMMAND_MAX + 1];
static char shown[sizeof(prompt) + sizeof(typed)];
static unsigned length;
static bool after_cr;
static const char *script;
static struct answer answer;
static struct serial *keyboard;

/* What stands in the console's last line while the operator types. */
static void show_prompt(void)
{
	snprintf(shown, sizeof(shown), "%s%s", prompt, typed);
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
	tell_attached(vm, true);
	printf("console of %s; Ctrl-] comes back here\n", vm->config.name);
	vm_console_attached = vm;
}

static void detach(void)
{
	printf("\n%s keeps running; back in the shell\n",
	       vm_console_attached->config.name);
	tell_attached(vm_console_attached, false);
	vm_console_attached = NULL;
	show_prompt();
}

static void run(char *text)
{
	console_set_prompt(NULL);
	answer_begin(&answer, NULL);
	command_run(&answer, text);
	if (!vm_console_attached)
		show_prompt();
}

static void enter_line(void)
{
	char text[COMMAND_MAX + 1];

	memcpy(text, typed, sizeof(text));
	printf("%s%s\n", prompt, typed);
	length = 0;
	typed[0] = '\0';
	run(text);
}

static void edit(int c)
{
	if (c == '\b' || c == 0x7f) {
		if (length)
			typed[--length] = '\0';
	} else if (c == KEY_KILL || c == KEY_ABORT) {
		length = 0;
		typed[0] = '\0';
	} else if (c >= 0x20 && c < 0x7f && length < COMMAND_MAX) {
		typed[length++] = c;
		typed[length] = '\0';
	} else {
		return;
	}
	show_prompt();
}

static void type(int c)
{
	struct vm *vm = vm_console_attached;

	if (vm_console_type(vm, c) && vm->vcpus)
		machine->typed(vm);
}

static void key(int c)
{
	bool second_half = after_cr && c == '\n';

	after_cr = c == '\r';
	if (vm_console_attached) {
		if (c == KEY_DETACH)
			detach();
		else
			type(c);
	} else if (c == '\r' || (c == '\n' && !second_half)) {
		console_set_prompt(NULL);
		enter_line();
	} else {
		edit(c);
	}
}

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
	printf("%s%s\n", prompt, text);
	answer_begin(&answer, NULL);
	command_run(&answer, text);
	if (!script && !command_waiting(&answer) && !vm_console_attached)
		show_prompt();
}

void shell_poll(void)
{
	int c;

	console_poll();
	if (command_waiting(&answer))
		return;
	if (script) {
		script_step();
		return;
	}
	while (!command_waiting(&answer) && (c = serial_read(keyboard)) >= 0)
		key(c);
}

bool shell_busy(void)
{
	return script || command_waiting(&answer);
}

u64 shell_wake(void)
{
	if (answer.waiting)
		return answer.wait_end;
	return script ? 0 : ~0ULL;
}
