/*
 * The ring keeps whole lines with their time; the console gets them as they
 * come. A line longer than a slot is cut in the ring only.
 */
#include "cpu/time.h"
#include "lib/console.h"
#include "lib/log.h"
#include "lib/notice.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define RING_LINES 512
#define LINE_MAX   256

static struct log_entry ring[RING_LINES];
static u64 lines_written;
static struct spinlock lock = SPINLOCK_INIT;
static enum log_level console_level = LOG_INFO;

static const char *const level_names[LOG_LEVELS] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static const char *const level_marks[LOG_LEVELS] = {
	[LOG_DEBUG] = "",
	[LOG_INFO] = "",
	[LOG_WARN] = "warning: ",
	[LOG_ERROR] = "error: ",
};

void log_set_level(enum log_level level)
{
	console_level = level;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

bool log_parse_level(const char *name, enum log_level *level)
{
	for (unsigned i = 0; i < LOG_LEVELS; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* One write, so that lines of several CPUs do not mix. */
static void show(u64 ns, enum log_level level, const char *text)
{
	char out[LINE_MAX + 40];
	size_t len;

	len = (size_t)snprintf(out, sizeof(out) - 1, "[%5lu.%06lu] %s%s",
			       ns / NS_PER_S, ns % NS_PER_S / NS_PER_US,
			       level_marks[level], text);
	len = MIN(len, sizeof(out) - 2);
	out[len++] = '\n';
	console_write(out, len);
}

/* Programs are told what a person should not miss. */
static void tell(enum log_level level, const char *text)
{
	struct notice n;

	notice_begin(&n, "log");
	json_text(&n.json, "level", level_names[level]);
	json_text(&n.json, "text", text);
	notice_end(&n);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX];
	struct log_entry *slot;
	u64 ns = now_ns();
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	spin_lock(&lock);
	slot = &ring[lines_written++ % RING_LINES];
	slot->ns = ns;
	slot->level = level;
	copy_string(slot->text, sizeof(slot->text), text);
	spin_unlock(&lock);

	if (level >= console_level)
		show(ns, level, text);
	if (level >= LOG_WARN)
		tell(level, text);
}

void log_read(unsigned lines,
	      void (*take)(void *context, const struct log_entry *line),
	      void *context)
{
	u64 end = __atomic_load_n(&lines_written, __ATOMIC_RELAXED);
	u64 count = MIN(MIN(lines, RING_LINES), end);

	for (u64 i = end - count; i < end; i++) {
		struct log_entry line;

		spin_lock(&lock);
		line = ring[i % RING_LINES];
		spin_unlock(&lock);
		take(context, &line);
	}
}
