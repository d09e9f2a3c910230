#include "shell/guest_lines.h"

#include "cpu/pic.h"
#include "cpu/regs.h"
#include "cpu/time.h"
#include "drivers/serial.h"
#include "vm/machine.h"
#include "vm/vm.h"

#define QUEUE	4096		 /* most that one turn sends */
#define LOOK_NS (10 * NS_PER_MS) /* at a line whose interrupt may not come */

struct guest_line {
	struct vm *vm; /* NULL: not open */
	struct serial serial;
	char queue[QUEUE];
};

static struct guest_line lines[SERIAL_LINES];

err_t guest_line_open(struct vm *vm)
{
	unsigned com = vm->config.console_line;
	struct guest_line *line = &lines[com - 1];
	struct serial *serial = &line->serial;

	if (!serial_open(serial, serial_port(com), line->queue, QUEUE))
		return E_NOTFOUND;
	pic_unmask((unsigned)serial_irq(serial));
	line->vm = vm;
	vm_console_own(vm, &serial_console, serial);
	return E_OK;
}

/*
 * While the guest has no room its bytes stay in the line, which tells the other
 * side. For a guest that is not there they are dropped, like keys typed before
 * a machine is switched on.
 */
static bool take_input(struct guest_line *line)
{
	struct vm *vm = line->vm;
	bool typed = false, came = false;
	int c;

	while ((!vm->vcpus || !vm_console_full(vm)) &&
	       (c = serial_read(&line->serial)) >= 0) {
		came = true;
		typed |= vm->vcpus && vm_console_type(vm, (char)c);
	}
	if (typed)
		machine->typed(vm);
	return came;
}

bool guest_lines_poll(void)
{
	bool came = false;

	for (unsigned i = 0; i < SERIAL_LINES; i++) {
		if (lines[i].vm)
			came |= take_input(&lines[i]);
	}
	return came;
}

/*
 * COM3 and COM4 share their interrupts, edges, with COM1 and COM2: while one of
 * a pair waits for its guest the other's edge is lost.
 */
static bool may_miss(const struct guest_line *line)
{
	return line->vm &&
	       (line->vm->config.console_line > 2 || vm_console_full(line->vm));
}

u64 guest_lines_wake(void)
{
	for (unsigned i = 0; i < SERIAL_LINES; i++) {
		if (may_miss(&lines[i]))
			return rdtsc() + ns_to_tsc(LOOK_NS);
	}
	return ~0ULL;
}
