/*
 * What guests print: kept in a ring, and shown as fast as the host's console,
 * or the line that is the guest's own, takes it. When neither has room the
 * guest waits: nothing is lost.
 */
#include "lib/console.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define LINE_ROOM    1024 /* a line, and the prompt anew: less than that */
#define SCREEN_LINES 24
#define SCREEN_BYTES 4096

/* Its console's lock guards that it is this one. */
struct vm *vm_console_attached;

static u64 unshown(const struct vm_console *con)
{
	return con->out_count - con->shown;
}

/* --- by line */

/* A guest's bytes never reach the operator's terminal as commands to it. */
static char harmless(char c)
{
	return (u8)c >= 0x20 && (u8)c < 0x7f ? c : c == '\t' ? ' ' : '.';
}

static void flush_line(struct vm *vm)
{
	char text[VM_NAME_MAX + VM_LINE_MAX + 8];
	int n = snprintf(text, sizeof(text), "%s| %.*s\n", vm->config.name,
			 (int)vm->console.line_used, vm->console.line);

	console_write(text, n);
	vm->console.line_used = 0;
}

static void add_to_line(struct vm *vm, char c)
{
	struct vm_console *con = &vm->console;

	if (c == '\n') {
		flush_line(vm);
		return;
	}
	if (c == '\r')
		return;
	con->line[con->line_used++] = harmless(c);
	if (con->line_used == sizeof(con->line))
		flush_line(vm);
}

static void show_lines(struct vm *vm)
{
	struct vm_console *con = &vm->console;

	while (unshown(con) && console_room() >= LINE_ROOM)
		add_to_line(vm, con->out[con->shown++ % VM_CONSOLE_SIZE]);
	if (con->ended && con->line_used && !unshown(con))
		flush_line(vm);
}

/* --- attached, or on its own line: byte for byte */

static bool is_raw(const struct vm *vm)
{
	return vm->console.own || vm_console_attached == vm;
}

static size_t raw_room(const struct vm_console *con)
{
	return con->own ? con->own->room(con->own_line) : console_room();
}

static void write_raw(struct vm_console *con, const char *bytes, size_t n)
{
	if (con->own)
		con->own->write_raw(con->own_line, bytes, n);
	else
		console_write_raw(bytes, n);
}

static void show_raw(struct vm_console *con)
{
	for (;;) {
		u64 at = con->shown % VM_CONSOLE_SIZE;
		u64 n = MIN(unshown(con), VM_CONSOLE_SIZE - at);

		n = MIN(n, raw_room(con));
		if (!n)
			return;
		write_raw(con, con->out + at, n);
		con->shown += n;
	}
}

/* The oldest byte, whether there is room for it or it must wait. */
static void push_one(struct vm *vm)
{
	struct vm_console *con = &vm->console;
	char c = con->out[con->shown++ % VM_CONSOLE_SIZE];

	if (is_raw(vm))
		write_raw(con, &c, 1);
	else
		add_to_line(vm, c);
}

/* With its lock. */
static void show(struct vm *vm)
{
	if (is_raw(vm))
		show_raw(&vm->console);
	else
		show_lines(vm);
}

/* Where the last screen of what has been shown begins: with a line. */
static u64 last_screen(const struct vm_console *con)
{
	u64 at = con->shown, lowest = con->began, start = at;
	unsigned lines = 0;

	if (con->out_count > VM_CONSOLE_SIZE)
		lowest = MAX(lowest, con->out_count - VM_CONSOLE_SIZE);
	if (at > SCREEN_BYTES)
		lowest = MAX(lowest, at - SCREEN_BYTES);
	for (; at > lowest && lines <= SCREEN_LINES; at--) {
		if (con->out[(at - 1) % VM_CONSOLE_SIZE] != '\n')
			continue;
		start = at;
		lines++;
	}
	return at == con->began ? at : start;
}

void vm_console_attach(struct vm *vm)
{
	struct vm_console *con = &vm->console;

	spin_lock(&con->lock);
	con->shown = last_screen(con);
	con->line_used = 0;
	vm_console_attached = vm;
	show(vm);
	spin_unlock(&con->lock);
}

void vm_console_detach(void)
{
	struct vm_console *con = &vm_console_attached->console;

	spin_lock(&con->lock);
	vm_console_attached = NULL;
	spin_unlock(&con->lock);
}

/* --- the guest's end */

static size_t room(const struct vm_console *con)
{
	return VM_CONSOLE_SIZE - unshown(con);
}

size_t vm_console_room(struct vm *vm)
{
	struct vm_console *con = &vm->console;
	size_t n;

	spin_lock(&con->lock);
	n = room(con);
	if (n < VM_CONSOLE_SIZE / 2)
		con->wants_room = true;
	spin_unlock(&con->lock);
	return n;
}

void vm_console_write(struct vm *vm, const char *bytes, size_t n)
{
	struct vm_console *con = &vm->console;

	spin_lock(&con->lock);
	for (size_t i = 0; i < n; i++) {
		if (!room(con))
			push_one(vm);
		con->out[con->out_count++ % VM_CONSOLE_SIZE] = bytes[i];
	}
	show(vm);
	spin_unlock(&con->lock);
}

int vm_console_read(struct vm *vm)
{
	struct vm_console *con = &vm->console;
	u32 tail = con->in_tail;

	if (__atomic_load_n(&con->in_head, __ATOMIC_ACQUIRE) == tail)
		return -1;
	__atomic_store_n(&con->in_tail, tail + 1, __ATOMIC_RELEASE);
	return (u8)con->in[tail % sizeof(con->in)];
}

/* --- the host's end */

bool vm_console_full(struct vm *vm)
{
	const struct vm_console *con = &vm->console;

	return con->in_head -
		       __atomic_load_n(&con->in_tail, __ATOMIC_ACQUIRE) ==
	       sizeof(con->in);
}

bool vm_console_type(struct vm *vm, char byte)
{
	struct vm_console *con = &vm->console;
	u32 head = con->in_head;

	if (vm_console_full(vm))
		return false;
	con->in[head % sizeof(con->in)] = byte;
	__atomic_store_n(&con->in_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* True: the guest has waited for room, and there is some. */
static bool serve_one(struct vm *vm)
{
	struct vm_console *con = &vm->console;
	bool tell;

	if (!unshown(con) && !con->wants_room && !con->own)
		return false;
	spin_lock(&con->lock);
	if (con->own)
		con->own->poll(con->own_line);
	show(vm);
	tell = con->wants_room && room(con) >= VM_CONSOLE_SIZE / 2;
	if (tell)
		con->wants_room = false;
	spin_unlock(&con->lock);
	return tell;
}

/* Each time another one first, so that who prints most leaves room. */
void vm_console_serve(void)
{
	static unsigned first;

	first++;
	for (unsigned i = 0; i < vm_count; i++) {
		struct vm *vm = vms[(first + i) % vm_count];

		if (serve_one(vm) && vm->vcpus)
			machine->typed(vm);
	}
}

void vm_console_drain(void)
{
	for (unsigned i = 0; i < vm_count; i++) {
		struct vm_console *con = &vms[i]->console;

		spin_lock(&con->lock);
		while (unshown(con))
			push_one(vms[i]);
		if (con->line_used)
			flush_line(vms[i]);
		if (con->own)
			con->own->drain(con->own_line);
		spin_unlock(&con->lock);
	}
}

void vm_console_own(struct vm *vm, const struct console_device *device,
		    void *line)
{
	struct vm_console *con = &vm->console;

	spin_lock(&con->lock);
	con->own = device;
	con->own_line = line;
	spin_unlock(&con->lock);
}

void vm_console_begin(struct vm *vm)
{
	struct vm_console *con = &vm->console;

	spin_lock(&con->lock);
	con->in_head = con->in_tail = 0;
	con->began = con->out_count;
	con->wants_room = con->ended = false;
	spin_unlock(&con->lock);
}

void vm_console_end(struct vm *vm)
{
	struct vm_console *con = &vm->console;

	spin_lock(&con->lock);
	con->ended = true;
	show(vm);
	spin_unlock(&con->lock);
}
