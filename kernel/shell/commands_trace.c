/* Commands about the trace (trace/trace.h), and how it gets out. */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/base64.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "shell/command.h"
#include "trace/trace.h"
#include "vm/vm.h"

#define BATCH 1000 /* records in an answer, which has 64 KiB */

/*
 * What emulators have for their guests' debug texts; a read says that it is
 * there. Of a machine without one the port reads as ones.
 */
#define DEBUG_PORT	 0xe9
#define SPILL_BATCHES	 16 /* at a time: others want this CPU too */
#define SPILL_LINE	 30 /* records in a line of text */
#define SPILL_LINE_BYTES (SPILL_LINE * sizeof(struct trace_record))

static void show_classes(struct answer *a)
{
	answer_list(a, "traced", "  {}");
	for (unsigned i = 0; trace_classes[i]; i++) {
		if (!(trace_wanted & BIT(i)))
			continue;
		answer_row(a);
		answer_text(a, "class", trace_classes[i]);
	}
	answer_end(a);
}

/* Whose numbers stand in records. */
static void show_names(struct answer *a)
{
	if (!a->json)
		return;
	answer_list(a, "vms", "");
	for (unsigned i = 0; i < vm_count; i++) {
		answer_row(a);
		answer_text(a, "name", vms[i]->config.name);
		answer_number(a, "vcpus", vms[i]->vcpus);
	}
	answer_end(a);
	answer_list(a, "reasons", "");
	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++) {
		answer_row(a);
		answer_text(a, "reason", exit_names[i]);
	}
	answer_end(a);
}

static void show_status(struct answer *a)
{
	struct trace_stats stats = trace_stats();

	answer_line(a, trace_wanted ? "{} records wait, of {}; {} lost; traced:"
				    : "{} records wait, of {}; {} lost; off");
	answer_number(a, "waiting", stats.waiting);
	answer_number(a, "room", stats.room);
	answer_number(a, "lost", stats.lost);
	show_classes(a);
	if (!a->json)
		return;
	answer_number(a, "tsc_khz", tsc_khz);
	answer_number(a, "record", sizeof(struct trace_record));
	show_names(a);
}

static u64 class_named(const char *name, size_t n)
{
	for (unsigned i = 0; trace_classes[i]; i++)
		if (strlen(trace_classes[i]) == n &&
		    !strncmp(trace_classes[i], name, n))
			return BIT(i);
	return 0;
}

/* "exits,frames"; 0: a word in it is none. */
static u64 classes_named(const char *text)
{
	u64 classes = 0;

	for (;;) {
		const char *comma = strchr(text, ',');
		size_t n = comma ? (size_t)(comma - text) : strlen(text);
		u64 class = class_named(text, n);

		if (!class)
			return 0;
		classes |= class;
		if (!comma)
			return classes;
		text = comma + 1;
	}
}

static void run_on(struct answer *a, struct vm *vm, const char *argument)
{
	u64 classes =
		argument ? classes_named(argument) : BIT(TRACE_CLASSES) - 1;
	err_t err;

	if (!classes) {
		answer_error(
			a, E_INVALID,
			"trace on: \"%s\" is not possible (expected some "
			"of exits,interrupts,turns,migration,frames,dirty)",
			argument);
		return;
	}
	err = trace_on(classes);
	if (err)
		answer_error(a, err, "trace on: %s", err_text(err));
	else
		show_status(a);
}

static void run_off(struct answer *a, struct vm *vm, const char *argument)
{
	trace_off();
	show_status(a);
}

static void run_status(struct answer *a, struct vm *vm, const char *argument)
{
	show_status(a);
}

static void answer_records(struct answer *a, const struct trace_record *records,
			   size_t n, char *text)
{
	base64(text, records, n * sizeof(*records));
	answer_number(a, "records", n);
	answer_number(a, "left", trace_stats().waiting);
	answer_number(a, "lost", trace_stats().lost);
	answer_text(a, "data", text);
}

static void put_out(const char *text, size_t n)
{
	asm volatile("rep outsb"
		     : "+S"(text), "+c"(n)
		     : "d"(DEBUG_PORT)
		     : "memory");
}

/* Lines, so that they can be told from what else an emulator says there. */
static void spill_line(const struct trace_record *records, size_t n)
{
	static const char head[] = "\ngodwit-trace ";
	char text[BASE64_SIZE(SPILL_LINE_BYTES)];

	base64(text, records, n * sizeof(*records));
	put_out(head, sizeof(head) - 1);
	put_out(text, strlen(text));
	put_out("\n", 1);
}

static u64 spill(struct trace_record *records)
{
	u64 sum = 0;

	for (unsigned i = 0; i < SPILL_BATCHES; i++) {
		size_t n = trace_read(records, BATCH);

		for (size_t at = 0; at < n; at += SPILL_LINE)
			spill_line(records + at, MIN(n - at, SPILL_LINE));
		sum += n;
	}
	return sum;
}

static void run_spill(struct answer *a, struct vm *vm, const char *argument)
{
	struct trace_record *records;

	if (inb(DEBUG_PORT) != DEBUG_PORT) {
		answer_error(a, E_UNSUPPORTED,
			     "trace spill: this machine has no debug port");
		return;
	}
	records = kmalloc(BATCH * sizeof(*records));
	if (!records) {
		answer_error(a, E_NOMEM, "trace spill: %s", err_text(E_NOMEM));
		return;
	}
	answer_line(a, "{} records to the debug port, {} left; {} lost");
	answer_number(a, "records", spill(records));
	answer_number(a, "left", trace_stats().waiting);
	answer_number(a, "lost", trace_stats().lost);
	kfree(records);
}

static void run_read(struct answer *a, struct vm *vm, const char *argument)
{
	size_t size = BATCH * sizeof(struct trace_record);
	struct trace_record *records;
	char *text;

	if (!a->json) {
		answer_error(a, E_UNSUPPORTED,
			     "trace read: for programs (see tools/trace)");
		return;
	}
	records = kmalloc(size);
	text = kmalloc(BASE64_SIZE(size));
	if (records && text)
		answer_records(a, records, trace_read(records, BATCH), text);
	else
		answer_error(a, E_NOMEM, "trace read: %s", err_text(E_NOMEM));
	kfree(records);
	kfree(text);
}

const struct command trace_commands[] = {
	{"trace on", "[KINDS]", "exits,interrupts,turns,migration,frames,dirty",
	 TAKES_WORD, run_on},
	{"trace off", "", "no more; what is there can be read", TAKES_WORD,
	 run_off},
	{"trace status", "", "what is traced, and what waits", TAKES_WORD,
	 run_status},
	{"trace read", "", "for programs: the oldest records", TAKES_WORD,
	 run_read},
	{"trace spill", "", "the same to an emulator's debug port", TAKES_WORD,
	 run_spill},
	{NULL},
};
