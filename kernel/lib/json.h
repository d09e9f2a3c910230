/*
 * Writes one JSON object into a buffer, member by member. The result is plain
 * ASCII on one line: whatever bytes a text holds, they come out as escapes, so
 * that no text can break the line or the object. What does not fit makes the
 * whole object void rather than cut.
 *
 *	json_begin(&j, text, sizeof(text));
 *	json_text(&j, "name", "hello");
 *	json_array(&j, "exits");
 *	json_object(&j, NULL);		in an array there are no keys
 *	json_number(&j, "count", 7);
 *	n = json_finish(&j);		{"name":"hello","exits":[{"count":7}]}\n
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/types.h"

#define JSON_DEPTH 16

struct json {
	char *text;
	size_t size, used;
	unsigned depth;
	u32 arrays;   /* by depth: is it an array? */
	bool follows; /* a member before: a comma is due */
	bool cut;
};

/* Opens the outermost object. */
void json_begin(struct json *j, char *text, size_t size);

void json_text(struct json *j, const char *key, const char *text);
void json_number(struct json *j, const char *key, u64 value);
void json_signed(struct json *j, const char *key, i64 value);
void json_flag(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* A value that is JSON already. */
void json_raw(struct json *j, const char *key, const char *value);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* the innermost that is open */

/* Ends all, and the line. Its length, 0: it did not fit. */
size_t json_finish(struct json *j);

#endif
