/* Commands about virtual machines. */
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "shell/command.h"
#include "shell/shell.h"
#include "vm/dirty.h"
#include "vm/machine.h"
#include "vm/rebuild.h"
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

static void show_rebuild(struct answer *a, const struct rebuild_report *r)
{
	answer_line(a, "{} bytes; freeze {}, save {}, discard {}, restore {}, "
		       "run {}; it stood still for {}");
	answer_number(a, "bytes", r->bytes);
	answer_time(a, "freeze", r->freeze_ns);
	answer_time(a, "save", r->save_ns);
	answer_time(a, "discard", r->discard_ns);
	answer_time(a, "restore", r->restore_ns);
	answer_time(a, "run", r->run_ns);
	answer_time(a, "total", r->total_ns);
}

static void run_rebuild(struct answer *a, struct vm *vm, const char *argument)
{
	struct rebuild_report report;
	char why[160];
	err_t err = vm_rebuild(vm, &report, why, sizeof(why));

	if (err && why[0])
		answer_error(a, err, "%s: rebuild: %s", vm->config.name, why);
	else
		show_result(a, vm, "rebuild", err);
	if (!err)
		show_rebuild(a, &report);
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

static void show_dirty(struct answer *a, const struct vm *vm, u64 pages)
{
	struct dirty_stats s;

	dirty_get_stats(vm, &s);
	answer_line(a, "{}: {}, {} pages written since the last time");
	answer_text(a, "vm", vm->config.name);
	answer_text(a, "way", dirty_names[dirty_way(vm)]);
	answer_number(a, "pages", pages);
	answer_line(a, "  on in {}, off in {}; {} harvests found {} pages");
	answer_time(a, "on_ns", s.on_ns);
	answer_time(a, "off_ns", s.off_ns);
	answer_number(a, "harvests", s.harvests);
	answer_number(a, "found", s.pages);
	answer_line(a, "  in {}, the longest {}; tables held for {} at most");
	answer_time(a, "harvest_ns", s.harvest_ns);
	answer_time(a, "longest_ns", s.longest_ns);
	answer_time(a, "held_ns", s.held_ns);
	answer_line(a, "  {} faults, {} full logs, {} splits, {} merges");
	answer_number(a, "faults", s.faults);
	answer_number(a, "drains", s.drains);
	answer_number(a, "splits", s.splits);
	answer_number(a, "merges", s.merges);
}

static enum dirty_way way_named(const char *name)
{
	enum dirty_way way = DIRTY_OFF;

	while (way < DIRTY_WAYS && strcmp(name, dirty_names[way]))
		way++;
	return way;
}

/* VMs whose pages we follow; a migration's are not ours to harvest. */
static u64 followed;

static u64 harvest_pages(struct vm *vm)
{
	u64 *bitmap = kzalloc(BITMAP_WORDS(vm->memory.size >> PAGE_SHIFT) *
			      sizeof(u64));
	u64 pages = bitmap ? dirty_harvest(vm, bitmap) : 0;

	kfree(bitmap);
	return pages;
}

static err_t follow(struct vm *vm, enum dirty_way way)
{
	err_t err = E_OK;

	if (way == DIRTY_WAYS)
		return E_INVALID;
	if (way != DIRTY_OFF)
		err = dirty_on(vm, way);
	else if (bitmap_test(&followed, vm->index))
		dirty_off(vm);
	if (!err && way != DIRTY_OFF)
		bitmap_set(&followed, vm->index);
	return err;
}

/* For scripts. */
static void run_type(struct answer *a, struct vm *vm, const char *argument)
{
	const char *next = argument ? argument : "";

	while (*next && vm->vcpus && vm_console_type(vm, *next))
		next++;
	if (next != argument && vm->vcpus)
		machine->typed(vm);
	if (!argument)
		answer_error(a, E_INVALID,
			     "vm type: %s: what? (expected a word)",
			     vm->config.name);
	else if (*next)
		answer_error(a, E_BUSY, "vm type: %s takes no \"%s\"",
			     vm->config.name, next);
}

static void run_dirty(struct answer *a, struct vm *vm, const char *argument)
{
	u64 pages = 0;
	err_t err = E_OK;

	if (dirty_way(vm) == DIRTY_OFF)
		bitmap_clear(&followed, vm->index);
	if (argument)
		err = follow(vm, way_named(argument));
	else if (bitmap_test(&followed, vm->index))
		pages = harvest_pages(vm);
	if (err)
		answer_error(a, err, "vm dirty: %s: %s: %s", vm->config.name,
			     argument, err_text(err));
	else
		show_dirty(a, vm, pages);
}

const struct command vm_commands[] = {
	{"vm list", "", "all VMs and how they are", TAKES_WORD, run_list},
	{"vm start", "NAME", "start it from its files", TAKES_VM, run_start},
	{"vm stop", "NAME", "stop it for good", TAKES_VM, run_stop},
	{"vm pause", "NAME", "hold it where it is", TAKES_VM, run_pause},
	{"vm resume", "NAME", "let it go on", TAKES_VM, run_resume},
	{"vm rebuild", "NAME", "move it to itself, all but its memory",
	 TAKES_VM, run_rebuild},
	{"vm console", "NAME", "its console; Ctrl-] comes back", TAKES_VM,
	 run_console},
	{"vm type", "NAME WORD", "what its console gets as typed", TAKES_VM,
	 run_type},
	{"vm dirty", "NAME [WAY]",
	 "pages written; off, wp, dbit, pml: how that is seen", TAKES_VM,
	 run_dirty},
	{"exits", "[NAME]", "exits by reason, average cycles", TAKES_WORD,
	 run_exits},
	{NULL},
};
