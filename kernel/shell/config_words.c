#include "lib/printf.h"
#include "lib/string.h"
#include "shell/config_parser.h"

#define FILE_NAME "godwit.conf"

static err_t fail_at(struct parser *p, unsigned line, const char *fmt,
		     va_list args)
{
	int used = snprintf(p->error, p->error_size, FILE_NAME ":%u: ", line);

	if ((size_t)used < p->error_size)
		vsnprintf(p->error + used, p->error_size - used, fmt, args);
	return E_FORMAT;
}

err_t config_fail(struct parser *p, const char *fmt, ...)
{
	va_list args;
	err_t err;

	va_start(args, fmt);
	err = fail_at(p, p->line, fmt, args);
	va_end(args);
	return err;
}

/* What is missing is the section's fault, not its last line's. */
err_t config_fail_section(struct parser *p, const char *fmt, ...)
{
	va_list args;
	err_t err;

	va_start(args, fmt);
	err = fail_at(p, p->section_line, fmt, args);
	va_end(args);
	return err;
}

/* --- words */

bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice trim(struct slice s)
{
	while (s.n && is_blank(s.at[0])) {
		s.at++;
		s.n--;
	}
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

bool equals(struct slice s, const char *word)
{
	return s.n == strlen(word) && !memcmp(s.at, word, s.n);
}

bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
		    (c < '0' || c > '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.n > 0;
}

bool slice_copy(char *to, size_t size, struct slice s)
{
	if (s.n >= size)
		return false;
	memcpy(to, s.at, s.n);
	to[s.n] = '\0';
	return true;
}

bool slice_number(struct slice s, u64 *value)
{
	char text[32];

	return slice_copy(text, sizeof(text), s) && parse_number(text, value);
}
