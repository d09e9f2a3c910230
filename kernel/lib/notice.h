/*
 * What happens on the host, told to programs: a line with a JSON object each,
 * with the event's name and the host's time. From any CPU, whatever locks are
 * held; nothing here waits.
 *
 *	struct notice n;
 *
 *	notice_begin(&n, "vm");
 *	json_text(&n.json, "vm", vm->config.name);
 *	notice_end(&n);
 */
#ifndef LIB_NOTICE_H
#define LIB_NOTICE_H

#include "lib/json.h"

#define NOTICE_MAX 1024

struct notice {
	struct json json;
	char text[NOTICE_MAX];
};

void notice_begin(struct notice *n, const char *name);
void notice_end(struct notice *n);

/*
 * Where the lines go, newline included. An event that there is no room for may
 * be dropped and counted, an answer may not.
 */
struct notice_device {
	void (*send)(const char *line, size_t n, bool may_drop);
	void (*poll)(void);  /* sends what the line takes now */
	void (*drain)(void); /* waits until all is sent */
};

void notice_init(const struct notice_device *device);

/* An answer, among the events and never mixed with one. */
void notice_answer(const char *line, size_t n);

void notice_poll(void); /* for the serving CPU's loop */
void notice_drain(void);

/* For panic: whoever holds the device will not come back. */
void notice_break_lock(void);

#endif
