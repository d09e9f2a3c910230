#include "shell/shell.h"

#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define LINE_MAX   200
#define KEY_DETACH 0x1d /* Ctrl-] */
#define KEY_ABORT  0x03 /* Ctrl-C */
#define KEY_KILL   0x15 /* Ctrl-U */

static char prompt[40];
static char line[LINE_MAX + 1];
static char shown[sizeof(prompt) + sizeof(line)];
static unsigned length;
static bool after_cr;
static const char *script;

/* What stands in the console's last line while the operator types. */
static void show_prompt(void)
{
	snprintf(shown, sizeof(shown), "%s%s", prompt, line);
	console_set_prompt(shown);
}

void shell_init(const char *host_name, const char *commands)
{
	snprintf(prompt, sizeof(prompt), "%s> ", host_name);
	script = commands && *commands ? commands : NULL;
	if (!script)
		show_prompt();
}

bool shell_scripted(void)
{
	return script;
}

void shell_attach(struct vm *vm)
{
	printf("console of %s; Ctrl-] comes back here\n", vm->config.name);
	vm_console_attached = vm;
}

static void detach(void)
{
	printf("\n%s keeps running; back in the shell\n",
	       vm_console_attached->config.name);
	vm_console_attached = NULL;
	show_prompt();
}

static void run(char *text)
{
	console_set_prompt(NULL);
	command_run(text);
	if (!vm_console_attached)
		show_prompt();
}

static void enter_line(void)
{
	char text[LINE_MAX + 1];

	memcpy(text, line, sizeof(text));
	printf("%s%s\n", prompt, line);
	length = 0;
	line[0] = '\0';
	run(text);
}

static void edit(int c)
{
	if (c == '\b' || c == 0x7f) {
		if (length)
			line[--length] = '\0';
	} else if (c == KEY_KILL || c == KEY_ABORT) {
		length = 0;
		line[0] = '\0';
	} else if (c >= 0x20 && c < 0x7f && length < LINE_MAX) {
		line[length++] = c;
		line[length] = '\0';
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
	char text[LINE_MAX + 1];
	const char *end;
	size_t n;

	while (*script == ' ')
		script++;
	end = strchr(script, ';');
	n = end ? (size_t)(end - script) : strlen(script);
	n = MIN(n, LINE_MAX);
	memcpy(text, script, n);
	text[n] = '\0';
	script = end ? end + 1 : NULL;
	printf("%s%s\n", prompt, text);
	command_run(text);
	if (!script && !command_waiting() && !vm_console_attached)
		show_prompt();
}

void shell_poll(void)
{
	int c;

	console_poll();
	if (command_waiting())
		return;
	if (script) {
		script_step();
		return;
	}
	while (!command_waiting() && (c = serial_read()) >= 0)
		key(c);
}
