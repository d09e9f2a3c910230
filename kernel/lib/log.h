/*
 * The host's log: a level, a time stamp and one line each. Lines go to the
 * console when their level is at or above the console's, and always to a ring
 * in memory that the shell's `log` shows; warnings and errors are events, too.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/printf.h"
#include "lib/types.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVELS };

/* fmt is one line, without the newline: "vmx: CPU %u has no EPT". */
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2);

/* What the console shows; the ring takes everything. */
void log_set_level(enum log_level level);
bool log_parse_level(const char *name, enum log_level *level);

const char *log_level_name(enum log_level level);

struct log_entry {
	u64 ns;
	enum log_level level;
	char text[116]; /* as much of it as is kept */
};
ASSERT_SIZE(struct log_entry, 128);

/* The newest `lines` lines of the ring, oldest first. */
void log_read(unsigned lines,
	      void (*take)(void *context, const struct log_entry *line),
	      void *context);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
