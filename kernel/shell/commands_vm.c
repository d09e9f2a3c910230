/* Commands about virtual machines. */
#include "shell/command.h"
#include "shell/shell.h"
#include "vm/vm.h"

static u64 exits_of(const struct vm *vm)
{
	u64 exits = 0;

	for (unsigned i = 0; i < vm->vcpus; i++)
		for (unsigned r = 0; r < EXIT_REASON_COUNT; r++)
			exits += vm->vcpu[i]->exits[r].count;
	return exits;
}

static void show_vm(struct answer *a, const struct vm *vm)
{
	answer_text(a, "name", vm->config.name);
	answer_text(a, "state", life_name(vm->life));
	answer_number(a, "cpus", vm->config.cpus);
	answer_bytes(a, "memory", vm->config.memory);
	if (vm->vcpus)
		answer_number(a, "cpu", vm->vcpu[0]->host_cpu);
	else
		answer_none(a, "cpu");
	answer_number(a, "exits", exits_of(vm));
	if (vm->life == VM_ENDED)
		answer_number(a, "status", vm->status);
	else
		answer_none(a, "status");
	answer_text(a, "reason", vm->reason[0] ? vm->reason : NULL);
}

static void run_list(struct answer *a, struct vm *vm, const char *argument)
{
	if (!vm_count)
		answer_say(a, "no VMs: godwit.conf describes none\n");
	answer_list(a, "vms", "{-16} {-8} {4} {6} {4} {10}  {:status }{}");
	for (unsigned i = 0; i < vm_count; i++) {
		answer_row(a);
		show_vm(a, vms[i]);
	}
	answer_end(a);
}

static void show_result(struct answer *a, const struct vm *vm, const char *what,
			err_t err)
{
	if (err) {
		answer_error(a, err, "%s: %s: %s (it is %s)", vm->config.name,
			     what, err_text(err), life_name(vm->life));
		return;
	}
	answer_line(a, "{}: {}");
	answer_text(a, "vm", vm->config.name);
	answer_text(a, "state", life_name(vm->life));
}

static void run_start(struct answer *a, struct vm *vm, const char *argument)
{
	show_result(a, vm, "start", vm_start(vm));
}

static void run_stop(struct answer *a, struct vm *vm, const char *argument)
{
	show_result(a, vm, "stop", vm_stop(vm));
}

static void run_pause(struct answer *a, struct vm *vm, const char *argument)
{
	show_result(a, vm, "pause", vm_pause(vm));
}

static void run_resume(struct answer *a, struct vm *vm, const char *argument)
{
	show_result(a, vm, "resume", vm_resume(vm));
}

static void run_console(struct answer *a, struct vm *vm, const char *argument)
{
	if (a->json)
		answer_error(a, E_UNSUPPORTED,
			     "vm console: only at the host's own console");
	else if (vm->console.own)
		answer_error(a, E_STATE, "%s: its console is on COM%u",
			     vm->config.name, vm->config.console_line);
	else
		shell_attach(vm);
}

static void show_exits(struct answer *a, const struct vm *vm)
{
	u64 guest = 0, host = 0;

	answer_text(a, "name", vm->config.name);
	answer_list(a, "reasons", "  {-16} {12} {12}");
	for (unsigned r = 0; r < EXIT_REASON_COUNT; r++) {
		struct exit_count sum = {0};

		for (unsigned i = 0; i < vm->vcpus; i++) {
			sum.count += vm->vcpu[i]->exits[r].count;
			sum.cycles += vm->vcpu[i]->exits[r].cycles;
		}
		host += sum.cycles;
		if (!sum.count)
			continue;
		answer_row(a);
		answer_text(a, "reason", exit_names[r]);
		answer_number(a, "exits", sum.count);
		answer_number(a, "avg_cycles", sum.cycles / sum.count);
	}
	answer_end(a);
	for (unsigned i = 0; i < vm->vcpus; i++)
		guest += vm->vcpu[i]->run_ticks;
	answer_line(a, "  in the guest {} cycles, in the host {}");
	answer_number(a, "guest_cycles", guest - host);
	answer_number(a, "host_cycles", host);
}

static void run_exits(struct answer *a, struct vm *vm, const char *argument)
{
	const struct vm *one = argument ? vm_find(argument) : NULL;

	if (argument && !one) {
		answer_error(a, E_NOTFOUND,
			     "exits: no VM \"%s\" (see `vm list`)", argument);
		return;
	}
	answer_list(a, "vms", "{}");
	for (unsigned i = 0; i < vm_count; i++) {
		if (one ? vms[i] != one : !vms[i]->vcpus)
			continue;
		answer_row(a);
		show_exits(a, vms[i]);
	}
	answer_end(a);
}

const struct command vm_commands[] = {
	{"vm list", "", "all VMs and how they are", false, run_list},
	{"vm start", "NAME", "start it from its files", true, run_start},
	{"vm stop", "NAME", "stop it for good", true, run_stop},
	{"vm pause", "NAME", "hold it where it is", true, run_pause},
	{"vm resume", "NAME", "let it go on", true, run_resume},
	{"vm console", "NAME", "its console; Ctrl-] comes back", true,
	 run_console},
	{"exits", "[NAME]", "exits by reason, average cycles", false,
	 run_exits},
	{NULL},
};
