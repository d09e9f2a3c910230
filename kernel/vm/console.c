/* What guests print: kept, and shown on the host's console line by line. */
#include "lib/console.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/vm.h"

struct vm *vm_console_attached;

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

void vm_console_write(struct vm *vm, const char *bytes, size_t n)
{
	struct vm_console *con = &vm->console;

	for (size_t i = 0; i < n; i++)
		con->out[con->out_count++ % VM_CONSOLE_SIZE] = bytes[i];
	if (vm_console_attached == vm) {
		console_write(bytes, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add_to_line(vm, bytes[i]);
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

bool vm_console_type(struct vm *vm, char byte)
{
	struct vm_console *con = &vm->console;
	u32 head = con->in_head;

	if (head - __atomic_load_n(&con->in_tail, __ATOMIC_ACQUIRE) ==
	    sizeof(con->in))
		return false;
	con->in[head % sizeof(con->in)] = byte;
	__atomic_store_n(&con->in_head, head + 1, __ATOMIC_RELEASE);
	return true;
}
