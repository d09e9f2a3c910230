/* Commands about the host and the run. */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/power.h"
#include "cpu/time.h"
#include "files.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "shell/command.h"
#include "shell/config.h"
#include "shell/shell.h"
#include "vm/engine.h"
#include "vm/selftest.h"
#include "vm/vm.h"

static void show_engine(struct answer *a)
{
	answer_line(a, engine ? "engine    {}: {}"
			      : "engine    {}none: no guest can run here (see "
				"`log`){}");
	answer_text(a, "engine", engine ? engine->name : NULL);
	answer_text(a, "features", engine ? engine_caps.features : NULL);
	if (!engine_caps.missing[0])
		return;
	answer_line(a, "          without {}");
	answer_text(a, "missing", engine_caps.missing);
}

static void show_cpus(struct answer *a)
{
	answer_line(a, "cpu       {}, TSC {} kHz by {}");
	answer_text(a, "processor", features.brand);
	answer_number(a, "tsc_khz", tsc_khz);
	answer_text(a, "time_source", time_source_text());
	answer_list(a, "cpus", "cpu {-5} apic id {}, idle {}%");
	for_each_cpu (cpu) {
		answer_row(a);
		answer_number(a, "cpu", cpu->id);
		answer_number(a, "apic_id", cpu->apic_id);
		answer_number(a, "idle_percent",
			      cpu->idle_tsc * 100 / (ns_to_tsc(now_ns()) | 1));
	}
	answer_end(a);
}

static void run_info(struct answer *a, struct vm *vm, const char *argument)
{
	const struct page_stats pages = page_stats();
	struct file file;

	answer_line(a, "host      {}, up {}");
	answer_text(a, "host", config.name);
	answer_time(a, "up_ns", now_ns());
	show_engine(a);
	answer_line(a, "memory    {}, {} free");
	answer_bytes(a, "memory", ALIGN_DOWN(pages.total, MIB(1)));
	answer_bytes(a, "memory_free", ALIGN_DOWN(pages.free, MIB(1)));
	show_cpus(a);
	answer_list(a, "files", "file      {}, {} bytes");
	for (unsigned i = 0; file_at(i, &file); i++) {
		answer_row(a);
		answer_text(a, "file", file.name);
		answer_number(a, "size", file.size);
	}
	answer_end(a);
}

static void show_log_line(void *context, const struct log_entry *line)
{
	struct answer *a = context;

	answer_row(a);
	answer_time(a, "time_ns", line->ns);
	answer_text(a, "level", log_level_name(line->level));
	answer_text(a, "text", line->text);
}

static void run_log(struct answer *a, struct vm *vm, const char *argument)
{
	u64 lines = 40;

	if (argument && !parse_number(argument, &lines)) {
		answer_error(a, E_INVALID,
			     "log: \"%s\" is not a number of lines", argument);
		return;
	}
	answer_list(a, "lines", "{16} {-6} {}");
	log_read(MIN(lines, 100000), show_log_line, a);
	answer_end(a);
}

/* As every test prints it: `ok NAME`, `FAIL NAME: why`, `skip NAME: why`. */
static void show_verdict(void *context, const char *name,
			 enum selftest_verdict verdict, const char *why)
{
	static const char *const words[] = {"ok", "FAIL", "skip"};
	struct answer *a = context;

	answer_row(a);
	answer_text(a, "verdict", words[verdict]);
	answer_text(a, "test", name);
	if (why)
		answer_text(a, "why", why);
}

static void run_selftest(struct answer *a, struct vm *vm, const char *argument)
{
	err_t err;

	answer_list(a, "tests", "{} selftest.{}{:: }");
	err = selftest_run(argument, show_verdict, a);
	answer_end(a);
	if (err == E_NOTFOUND)
		answer_error(a, err, "selftest: no test \"%s\"", argument);
	else if (err)
		answer_error(a, err, "selftest: no engine on this machine");
}

static void run_wait(struct answer *a, struct vm *vm, const char *argument)
{
	u64 seconds = 0;

	if (argument && (!parse_number(argument, &seconds) || seconds > 3600)) {
		answer_error(a, E_INVALID,
			     "wait: \"%s\" is not a number of seconds up to "
			     "3600",
			     argument);
		return;
	}
	a->waiting = true;
	a->wait_end =
		argument ? rdtsc() + ns_to_tsc(seconds * NS_PER_S) : ~0ULL;
}

bool command_waiting(struct answer *a)
{
	unsigned running = 0;

	if (!a->waiting)
		return false;
	for (unsigned i = 0; i < vm_count; i++)
		running += vm_is_alive(vms[i]) && vms[i]->life != VM_PAUSED;
	a->waiting = (a->busy ? a->busy() : running) && rdtsc() < a->wait_end;
	if (!a->waiting && a->json)
		answer_number(a, "running", running);
	return a->waiting;
}

u64 command_wake(const struct answer *a)
{
	if (!a->waiting)
		return ~0ULL;
	return a->busy && !a->busy() ? 0 : a->wait_end;
}

static void run_off(struct answer *a, struct vm *vm, const char *argument)
{
	bool pass = !argument || strcmp(argument, "fail");

	for (unsigned i = 0; i < vm_count; i++)
		vm_stop(vms[i]);
	vm_console_drain();
	machine_end(pass);
}

/* For seeing that it is readable, and that a run ends with it. */
static void run_panic(struct answer *a, struct vm *vm, const char *argument)
{
	panic("asked for by the operator");
}

const struct command host_commands[] = {
	{"info", "", "what this host is", TAKES_WORD, run_info},
	{"hosts", "", "the hosts known: this one", TAKES_WORD, run_info},
	{"log", "[LINES]", "the newest log lines", TAKES_WORD, run_log},
	{"selftest", "[NAME]", "test the engine on this machine", TAKES_WORD,
	 run_selftest},
	{"wait", "[SECONDS]", "until no VM runs, or so long", TAKES_WORD,
	 run_wait},
	{"panic", "", "break the host on purpose", TAKES_WORD, run_panic},
	{"off", "[fail]", "stop all VMs and end the run", TAKES_WORD, run_off},
	{NULL},
};
