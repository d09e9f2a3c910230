/* JSON by RFC 8259, as much of it as a request has: one flat object. */
#include "shell/request.h"

#include <stdarg.h>

#include "lib/printf.h"
#include "lib/string.h"

struct reader {
	const char *text;
	size_t n, at;
	char *why;
	size_t size;
};

static err_t fail(struct reader *r, const char *fmt, ...) PRINTF(2);
static err_t fail(struct reader *r, const char *fmt, ...)
{
	va_list args;
	size_t used =
		snprintf(r->why, r->size, "request, column %zu: ", r->at + 1);

	va_start(args, fmt);
	if (used < r->size)
		vsnprintf(r->why + used, r->size - used, fmt, args);
	va_end(args);
	return E_FORMAT;
}

/* The next byte, -1 behind the last. */
static int peek(const struct reader *r)
{
	return r->at < r->n ? (u8)r->text[r->at] : -1;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r')
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

/* --- strings */

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static err_t read_unicode(struct reader *r, unsigned *value)
{
	*value = 0;
	for (unsigned i = 0; i < 4; i++) {
		int digit = hex_digit(peek(r));

		if (digit < 0)
			return fail(r, "expected four digits after \\u");
		*value = *value * 16 + digit;
		r->at++;
	}
	return E_OK;
}

static err_t read_escape(struct reader *r, unsigned *value)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	int c = peek(r);
	const char *name = c > 0 ? strchr(names, c) : NULL;

	if (c != 'u' && !name)
		return fail(r, "no such escape in a string");
	r->at++;
	if (c == 'u')
		return read_unicode(r, value);
	*value = (u8)values[name - names];
	return E_OK;
}

/*
 * The text of a string, its quote taken already. Commands and keys are ASCII:
 * a character beyond has no place in either. NULL: only its form is checked.
 */
static err_t read_string(struct reader *r, const char *what, char *text,
			 size_t size)
{
	size_t used = 0;

	for (;;) {
		int c = peek(r);
		unsigned value = c;
		err_t err = E_OK;

		if (c < 0)
			return fail(r, "%s: the string does not end", what);
		if (c < ' ' || c >= 0x7f)
			return fail(r, "%s: byte 0x%02x (expected ASCII)", what,
				    c);
		r->at++;
		if (c == '"')
			break;
		if (c == '\\')
			err = read_escape(r, &value);
		if (err)
			return err;
		if (!text)
			continue;
		if (value < ' ' || value >= 0x7f)
			return fail(r, "%s: character 0x%x (expected ASCII)",
				    what, value);
		if (used + 1 >= size)
			return fail(r, "%s: more than %zu characters", what,
				    size - 1);
		text[used++] = value;
	}
	if (text)
		text[used] = '\0';
	return E_OK;
}

/* --- members */

static err_t read_number(struct reader *r)
{
	size_t start;

	if (peek(r) == '-')
		r->at++;
	start = r->at;
	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	if (r->at == start)
		return fail(r, "id: expected a whole number or a string");
	if (r->text[start] == '0' && r->at > start + 1)
		return fail(r, "id: a number does not begin with 0");
	return E_OK;
}

/* Goes back as it came, whatever that was: only its form is checked. */
static err_t read_id(struct reader *r, struct request *out)
{
	size_t start;
	err_t err;

	if (out->id[0])
		return fail(r, "id: given twice");
	skip_blanks(r);
	start = r->at;
	if (take(r, '"'))
		err = read_string(r, "id", NULL, 0);
	else
		err = read_number(r);
	if (err)
		return err;
	if (r->at - start > ID_MAX)
		return fail(r, "id: longer than %u bytes", ID_MAX);
	memcpy(out->id, r->text + start, r->at - start);
	out->id[r->at - start] = '\0';
	return E_OK;
}

static err_t read_command(struct reader *r, struct request *out)
{
	if (out->command[0])
		return fail(r, "command: given twice");
	if (!take(r, '"'))
		return fail(r, "command: expected a string");
	return read_string(r, "command", out->command, sizeof(out->command));
}

static err_t read_member(struct reader *r, struct request *out)
{
	char key[16];
	err_t err;

	if (!take(r, '"'))
		return fail(r, "expected a key in quotes");
	err = read_string(r, "key", key, sizeof(key));
	if (err)
		return err;
	if (!take(r, ':'))
		return fail(r, "expected a colon");
	if (!strcmp(key, "id"))
		return read_id(r, out);
	if (!strcmp(key, "command"))
		return read_command(r, out);
	return fail(r, "%s: no such key (expected id or command)", key);
}

static err_t read_object(struct reader *r, struct request *out)
{
	if (!take(r, '{'))
		return fail(r, "expected an object, {\"command\": ...}");
	do {
		err_t err = read_member(r, out);

		if (err)
			return err;
	} while (take(r, ','));
	if (!take(r, '}'))
		return fail(r, "expected , or }");
	skip_blanks(r);
	if (r->at < r->n)
		return fail(r, "something follows the object");
	if (!out->command[0])
		return fail(r, "no command");
	return E_OK;
}

err_t request_parse(const char *line, size_t n, struct request *out, char *why,
		    size_t size)
{
	struct reader r = {.text = line, .n = n, .why = why, .size = size};
	err_t err;

	out->id[0] = out->command[0] = '\0';
	err = read_object(&r, out);
	if (!out->id[0])
		copy_string(out->id, sizeof(out->id), "null");
	return err;
}
