/*
 * What a command answers. A command says it once, as named values; people get
 * lines and tables, programs the members of a JSON object.
 *
 *	answer_line(a, "memory    {}, {} free");
 *	answer_bytes(a, "memory", total);
 *	answer_bytes(a, "memory_free", free);
 *
 * is "memory    1014M, 990M free" and "memory":1063256064,"memory_free":...
 * The braces of a line take the values in the order in which they are given.
 * In them may stand a width (negative: to the left), and after a colon what is
 * shown before the value if there is one: {-16}, {8}, {:status }. Without a
 * line each value is one of its own: its key, and the value.
 *
 *	answer_list(a, "vms", "{-16} {8}");
 *	for (...) {
 *		answer_row(a);
 *		answer_text(a, "name", vm->config.name);
 *		answer_number(a, "exits", exits);
 *	}
 *	answer_end(a);
 *
 * is a table with the keys for its heading, and an array of objects. (A row
 * with words of its own has no heading.) Lists may stand in rows.
 */
#ifndef SHELL_ANSWER_H
#define SHELL_ANSWER_H

#include "lib/error.h"
#include "lib/json.h"

#define ANSWER_LISTS 3	 /* in each other */
#define ANSWER_LINE  512 /* of text for people */

struct answer_list {
	const char *shape;
	bool in_row;
	bool shown; /* its heading */
};

struct answer {
	struct json *json; /* NULL: for a person */
	err_t err;	   /* of answer_error() */
	char error[160];
	bool waiting;	    /* for command_waiting() to end it, when */
	bool (*busy)(void); /* this is false; NULL: when no VM runs; */
	u64 wait_end;	    /* at this TSC at the latest */

	/* For people: the line that is being made, and the heading above. */
	const char *shape;
	char line[ANSWER_LINE], heading[ANSWER_LINE];
	unsigned used, heading_used;
	bool worded;
	struct answer_list list[ANSWER_LISTS];
	unsigned lists;
};

/* json: where the members go, an object is open; NULL: to the console. */
void answer_begin(struct answer *a, struct json *json);

void answer_line(struct answer *a, const char *shape);

/* text NULL: as answer_none(). */
void answer_text(struct answer *a, const char *key, const char *text);
void answer_number(struct answer *a, const char *key, u64 value);
void answer_bytes(struct answer *a, const char *key, u64 bytes);
void answer_time(struct answer *a, const char *key, u64 ns);
void answer_flag(struct answer *a, const char *key, bool value);
void answer_none(struct answer *a, const char *key); /* there is no such */

void answer_list(struct answer *a, const char *key, const char *shape);
void answer_row(struct answer *a);
void answer_end(struct answer *a);

/* Words for people only, a line or several: what programs do not need. */
void answer_say(struct answer *a, const char *fmt, ...) PRINTF(2);

/* The command has failed; the text names what was wrong. */
void answer_error(struct answer *a, err_t err, const char *fmt, ...) PRINTF(3);

#endif
