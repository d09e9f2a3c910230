/* The commands: a table of words, what they take, and what they do. */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/power.h"
#include "cpu/time.h"
#include "files.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "shell/config.h"
#include "shell/net_commands.h"
#include "shell/shell.h"
#include "vm/selftest.h"
#include "vm/vm.h"

#define WORDS 4

struct command {
	const char *name; /* one word, or two: "vm start" */
	const char *arguments;
	const char *help;
	bool needs_vm; /* the argument names one, resolved before the call */
	void (*run)(struct vm *vm, const char *argument);
};

static bool waiting;
static u64 wait_end; /* TSC */

/* --- what the machine is */

static void show_engine(void)
{
	if (!engine) {
		printf("engine    none: no guest can run here (see `log`)\n");
		return;
	}
	printf("engine    %s: %s\n", engine->name, engine_caps.features);
	if (engine_caps.missing[0])
		printf("          without %s\n", engine_caps.missing);
}

static void run_info(struct vm *vm, const char *argument)
{
	const struct page_stats pages = page_stats();
	struct file file;

	printf("host      %s, up %lu.%03lu s\n", config.name,
	       now_ns() / NS_PER_S, now_ns() / NS_PER_MS % 1000);
	printf("cpu       %s, %u running, TSC %lu.%03lu MHz by %s\n",
	       features.brand, cpu_count(), tsc_khz / 1000, tsc_khz % 1000,
	       time_source_text());
	show_engine();
	printf("memory    %lu MiB, %lu MiB free\n", pages.total >> 20,
	       pages.free >> 20);
	for_each_cpu (cpu)
		printf("cpu %-5u apic id %u, idle %lu%%\n", cpu->id,
		       cpu->apic_id, cpu->idle_tsc * 100 / (ns_to_tsc(now_ns()) | 1));
	for (unsigned i = 0; file_at(i, &file); i++)
		printf("file      %s, %lu bytes\n", file.name, file.size);
}

static void run_log(struct vm *vm, const char *argument)
{
	u64 lines = 40;

	if (argument && !parse_number(argument, &lines))
		printf("log: \"%s\" is not a number of lines\n", argument);
	else
		log_show(MIN(lines, 100000));
}

/* --- virtual machines */

static void show_vm(const struct vm *vm)
{
	u64 exits = 0;

	for (unsigned i = 0; i < vm->vcpus; i++)
		for (unsigned r = 0; r < EXIT_REASON_COUNT; r++)
			exits += vm->vcpu[i]->exits[r].count;
	printf("%-16s %-8s %4u %6lu %4d %10lu  ", vm->config.name,
	       life_name(vm->life), vm->config.cpus, vm->config.memory >> 20,
	       vm->vcpus ? (int)vm->vcpu[0]->host_cpu : -1, exits);
	if (vm->life == VM_ENDED)
		printf("status %u", vm->status);
	printf("%s\n", vm->reason);
}

static void run_vm_list(struct vm *vm, const char *argument)
{
	if (!vm_count)
		printf("no VMs: godwit.conf describes none\n");
	else
		printf("%-16s %-8s %4s %6s %4s %10s\n", "NAME", "STATE", "CPUS",
		       "MIB", "CPU", "EXITS");
	for (unsigned i = 0; i < vm_count; i++)
		show_vm(vms[i]);
}

static void show_result(const struct vm *vm, const char *what, err_t err)
{
	if (err)
		printf("%s: %s: %s (it is %s)\n", vm->config.name, what,
		       err_text(err), life_name(vm->life));
	else
		printf("%s: %s\n", vm->config.name, life_name(vm->life));
}

static void run_vm_start(struct vm *vm, const char *argument)
{
	show_result(vm, "start", vm_start(vm));
}

static void run_vm_stop(struct vm *vm, const char *argument)
{
	show_result(vm, "stop", vm_stop(vm));
}

static void run_vm_pause(struct vm *vm, const char *argument)
{
	show_result(vm, "pause", vm_pause(vm));
}

static void run_vm_resume(struct vm *vm, const char *argument)
{
	show_result(vm, "resume", vm_resume(vm));
}

static void run_vm_console(struct vm *vm, const char *argument)
{
	shell_attach(vm);
}

static void show_exits(const struct vm *vm)
{
	u64 guest = 0, host = 0;

	printf("%-18s %12s %12s\n", vm->config.name, "EXITS", "AVG CYCLES");
	for (unsigned r = 0; r < EXIT_REASON_COUNT; r++) {
		struct exit_count sum = {0};

		for (unsigned i = 0; i < vm->vcpus; i++) {
			sum.count += vm->vcpu[i]->exits[r].count;
			sum.cycles += vm->vcpu[i]->exits[r].cycles;
		}
		host += sum.cycles;
		if (sum.count)
			printf("  %-16s %12lu %12lu\n", exit_names[r],
			       sum.count, sum.cycles / sum.count);
	}
	for (unsigned i = 0; i < vm->vcpus; i++)
		guest += vm->vcpu[i]->run_ticks;
	printf("  in the guest %lu cycles, in the host %lu\n", guest - host,
	       host);
}

static void run_exits(struct vm *vm, const char *argument)
{
	if (argument) {
		vm = vm_find(argument);
		if (vm)
			show_exits(vm);
		else
			printf("exits: no VM \"%s\" (see `vm list`)\n",
			       argument);
		return;
	}
	for (unsigned i = 0; i < vm_count; i++)
		if (vms[i]->vcpus)
			show_exits(vms[i]);
}

/* --- the rest */

static void run_selftest(struct vm *vm, const char *argument)
{
	selftest_run(argument);
}

static void run_wait(struct vm *vm, const char *argument)
{
	u64 seconds = 0;

	if (argument && (!parse_number(argument, &seconds) || seconds > 3600)) {
		printf("wait: \"%s\" is not a number of seconds up to 3600\n",
		       argument);
		return;
	}
	waiting = true;
	wait_end = argument ? rdtsc() + ns_to_tsc(seconds * NS_PER_S) : ~0ULL;
}

static void run_off(struct vm *vm, const char *argument)
{
	bool pass = !argument || strcmp(argument, "fail");

	for (unsigned i = 0; i < vm_count; i++)
		vm_stop(vms[i]);
	machine_end(pass);
}

/* For seeing that it is readable, and that a run ends with it. */
static void run_panic(struct vm *vm, const char *argument)
{
	panic("asked for by the operator");
}

static void run_help(struct vm *vm, const char *argument);

static const struct command commands[] = {
	{"help", "", "this list", false, run_help},
	{"info", "", "what this host is", false, run_info},
	{"hosts", "", "the hosts known: this one", false, run_info},
	{"vm list", "", "all VMs and how they are", false, run_vm_list},
	{"vm start", "NAME", "start it from its files", true, run_vm_start},
	{"vm stop", "NAME", "stop it for good", true, run_vm_stop},
	{"vm pause", "NAME", "hold it where it is", true, run_vm_pause},
	{"vm resume", "NAME", "let it go on", true, run_vm_resume},
	{"vm console", "NAME", "its console; Ctrl-] comes back", true,
	 run_vm_console},
	{"net list", "", "the host's network devices", false, run_net_list},
	{"net switch", "", "its ports, whom it heard where", false,
	 run_net_switch},
	{"net bench", "WHAT,KEY=VALUE", "blast, ping or sink frames", false,
	 run_net_bench},
	{"exits", "[NAME]", "exits by reason, average cycles", false,
	 run_exits},
	{"log", "[LINES]", "the newest log lines", false, run_log},
	{"selftest", "[NAME]", "test the engine on this machine", false,
	 run_selftest},
	{"wait", "[SECONDS]", "until no VM runs, or so long", false, run_wait},
	{"panic", "", "break the host on purpose", false, run_panic},
	{"off", "[fail]", "stop all VMs and end the run", false, run_off},
};

static void run_help(struct vm *vm, const char *argument)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s %-9s %s\n", commands[i].name,
		       commands[i].arguments, commands[i].help);
}

bool command_waiting(void)
{
	if (!waiting)
		return false;
	waiting = false;
	if (rdtsc() >= wait_end)
		return false;
	for (unsigned i = 0; i < vm_count; i++)
		waiting |= vms[i]->life == VM_RUNNING;
	return waiting;
}

u64 command_wake(void)
{
	return waiting ? wait_end : ~0ULL;
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

static void explain(char *const word[], unsigned n)
{
	size_t first = strlen(word[0]);
	bool known = false;

	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		const char *name = commands[i].name;

		if (strncmp(word[0], name, first) ||
		    (name[first] && name[first] != ' '))
			continue;
		if (!known && n > 1)
			printf("%s: no \"%s\"; there is\n", word[0], word[1]);
		else if (!known)
			printf("%s: what? there is\n", word[0]);
		known = true;
		printf("  %-10s %-9s %s\n", name, commands[i].arguments,
		       commands[i].help);
	}
	if (known)
		return;
	printf("no command \"%s\"", word[0]);
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if (!strncmp(word[0], commands[i].name, MIN(first, 2)))
			printf("; `%s`?", commands[i].name);
	printf(" (`help` lists them)\n");
}

static void call(const struct command *c, const char *argument)
{
	struct vm *vm = NULL;

	if (c->needs_vm && !argument) {
		printf("%s: which VM? (see `vm list`)\n", c->name);
		return;
	}
	if (c->needs_vm) {
		vm = vm_find(argument);
		if (!vm) {
			printf("%s: no VM \"%s\" (see `vm list`)\n", c->name,
			       argument);
			return;
		}
	}
	c->run(vm, argument);
}

void command_run(char *line)
{
	char *word[WORDS];
	unsigned n = split(line, word), used;

	if (!n)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

		if (!matches(c, word, n, &used))
			continue;
		if (n > used && !c->arguments[0])
			printf("%s: takes nothing more, not \"%s\"\n", c->name,
			       word[used]);
		else if (n > used + 1)
			printf("%s: one word too many: \"%s\"\n", c->name,
			       word[used + 1]);
		else
			call(c, n > used ? word[used] : NULL);
		return;
	}
	explain(word, n);
}
