#include "lib/json.h"

#include "lib/panic.h"
#include "lib/printf.h"

static void put(struct json *j, char c)
{
	if (j->used < j->size)
		j->text[j->used++] = c;
	else
		j->cut = true;
}

static void put_all(struct json *j, const char *text)
{
	while (*text)
		put(j, *text++);
}

/* RFC 8259, 7: quote, backslash and control characters must be escaped. */
static void put_string(struct json *j, const char *text)
{
	char escape[8];

	put(j, '"');
	for (; *text; text++) {
		u8 c = *text;

		if (c == '\n') {
			put_all(j, "\\n");
		} else if (c < ' ' || c >= 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			put_all(j, escape);
		} else {
			if (c == '"' || c == '\\')
				put(j, '\\');
			put(j, c);
		}
	}
	put(j, '"');
}

static void member(struct json *j, const char *key)
{
	if (j->follows)
		put(j, ',');
	j->follows = true;
	if (!key)
		return;
	put_string(j, key);
	put(j, ':');
}

static void open(struct json *j, bool array)
{
	if (j->depth == JSON_DEPTH)
		panic("JSON deeper than %u", JSON_DEPTH);
	j->arrays &= ~(u32)BIT(j->depth);
	if (array)
		j->arrays |= BIT(j->depth);
	j->depth++;
	j->follows = false;
	put(j, array ? '[' : '{');
}

void json_begin(struct json *j, char *text, size_t size)
{
	*j = (struct json){.text = text, .size = size};
	open(j, false);
}

void json_text(struct json *j, const char *key, const char *text)
{
	member(j, key);
	put_string(j, text);
}

void json_number(struct json *j, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	json_raw(j, key, text);
}

void json_signed(struct json *j, const char *key, i64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	json_raw(j, key, text);
}

void json_flag(struct json *j, const char *key, bool value)
{
	json_raw(j, key, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	json_raw(j, key, "null");
}

void json_raw(struct json *j, const char *key, const char *value)
{
	member(j, key);
	put_all(j, value);
}

void json_object(struct json *j, const char *key)
{
	member(j, key);
	open(j, false);
}

void json_array(struct json *j, const char *key)
{
	member(j, key);
	open(j, true);
}

void json_end(struct json *j)
{
	j->depth--;
	put(j, j->arrays & BIT(j->depth) ? ']' : '}');
	j->follows = true;
}

size_t json_finish(struct json *j)
{
	while (j->depth)
		json_end(j);
	put(j, '\n');
	return j->cut ? 0 : j->used;
}
