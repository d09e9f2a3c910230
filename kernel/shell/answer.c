#include "shell/answer.h"

#include "cpu/time.h"
#include "lib/printf.h"
#include "lib/string.h"

void answer_begin(struct answer *a, struct json *json)
{
	memset(a, 0, sizeof(*a));
	a->json = json;
}

/* --- lines for people */

static void append(char *text, unsigned *used, const char *what, size_t n,
		   int width)
{
	size_t pad = width < 0 ? -width : width;
	char blanks[48];

	pad = pad > n ? MIN(pad - n, sizeof(blanks)) : 0;
	memset(blanks, ' ', sizeof(blanks));
	*used += snprintf(text + *used, ANSWER_LINE - *used, "%.*s%.*s%.*s",
			  width > 0 ? (int)pad : 0, blanks, (int)n, what,
			  width < 0 ? (int)pad : 0, blanks);
	*used = MIN(*used, ANSWER_LINE - 1u);
}

static struct answer_list *this_list(struct answer *a)
{
	return a->lists ? &a->list[a->lists - 1] : NULL;
}

/* Trailing blanks are a column's padding. */
static unsigned trimmed(const char *text, unsigned n)
{
	while (n && text[n - 1] == ' ')
		n--;
	return n;
}

static void flush_line(struct answer *a)
{
	struct answer_list *list = this_list(a);
	int heading = trimmed(a->heading, a->heading_used);

	if (!a->shape)
		return;
	if (list && list->in_row && !list->shown && heading && !a->worded) {
		printf("%.*s\n", heading, a->heading);
		list->shown = true;
	}
	printf("%.*s\n", (int)trimmed(a->line, a->used), a->line);
	a->used = a->heading_used = 0;
	a->worded = false;
	a->shape = NULL;
}

/*
 * What stands before the next brace; in the heading only its room. A line that
 * has words of its own needs none.
 */
static void copy_words(struct answer *a)
{
	const char *brace = strchr(a->shape, '{');
	size_t n = brace ? (size_t)(brace - a->shape) : strlen(a->shape);

	append(a->line, &a->used, a->shape, n, 0);
	append(a->heading, &a->heading_used, "", 0, n);
	for (size_t i = 0; i < n; i++)
		a->worded |= a->shape[i] != ' ';
	a->shape += n;
}

static int read_width(const char **at)
{
	bool left = **at == '-';
	int width = 0;

	if (left)
		(*at)++;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		width = width * 10 + (**at - '0');
	return left ? -width : width;
}

/* A key as a label: "up_ns" is "up" or, as a heading, "UP". */
static unsigned label(const char *key, bool heading, char *text, size_t size)
{
	size_t n = MIN(strlen(key), size);

	if (n > 3 && !strcmp(key + n - 3, "_ns"))
		n -= 3;
	for (size_t i = 0; i < n; i++) {
		text[i] = key[i] == '_' ? ' ' : key[i];
		if (heading && text[i] >= 'a' && text[i] <= 'z')
			text[i] += 'A' - 'a';
	}
	return n;
}

/* Text goes into the next brace; NULL: there is no value. */
static void fill(struct answer *a, const char *key, const char *text)
{
	const char *at = a->shape + 1;
	int width = read_width(&at);
	const char *words = *at == ':' ? at + 1 : at;
	const char *end = strchr(words, '}');
	char name[32];

	if (text)
		append(a->line, &a->used, words, end - words, 0);
	else
		text = width ? "-" : "";
	append(a->line, &a->used, text, strlen(text), width);
	if (width)
		append(a->heading, &a->heading_used, name,
		       label(key, true, name, sizeof(name)), width);
	a->shape = end + 1;
	copy_words(a);
	if (!*a->shape)
		flush_line(a);
}

static void show(struct answer *a, const char *key, const char *text)
{
	char name[32];

	if (a->shape)
		fill(a, key, text);
	else
		printf("%-18.*s%s\n",
		       (int)label(key, false, name, sizeof(name)), name,
		       text ? text : "-");
}

void answer_line(struct answer *a, const char *shape)
{
	if (a->json)
		return;
	flush_line(a);
	a->shape = shape;
	copy_words(a);
}

/* --- values */

void answer_text(struct answer *a, const char *key, const char *text)
{
	if (!text)
		answer_none(a, key);
	else if (a->json)
		json_text(a->json, key, text);
	else
		show(a, key, text);
}

void answer_number(struct answer *a, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	if (a->json)
		json_number(a->json, key, value);
	else
		show(a, key, text);
}

/* As the configuration takes it: with the largest unit that is exact. */
void answer_bytes(struct answer *a, const char *key, u64 bytes)
{
	static const char units[] = "\0KMG";
	unsigned unit = 0;
	u64 rest = bytes;
	char text[24];

	for (; unit < 3 && rest && rest % 1024 == 0; unit++)
		rest /= 1024;
	snprintf(text, sizeof(text), "%lu%c", rest, units[unit]);
	if (a->json)
		json_number(a->json, key, bytes);
	else
		show(a, key, text);
}

void answer_time(struct answer *a, const char *key, u64 ns)
{
	char text[40];

	snprintf(text, sizeof(text), "%lu.%06lu s", ns / NS_PER_S,
		 ns % NS_PER_S / NS_PER_US);
	if (a->json)
		json_number(a->json, key, ns);
	else
		show(a, key, text);
}

void answer_flag(struct answer *a, const char *key, bool value)
{
	if (a->json)
		json_flag(a->json, key, value);
	else
		show(a, key, value ? "yes" : "no");
}

void answer_none(struct answer *a, const char *key)
{
	if (a->json)
		json_null(a->json, key);
	else
		show(a, key, NULL);
}

/* --- lists */

void answer_list(struct answer *a, const char *key, const char *shape)
{
	if (a->json)
		json_array(a->json, key);
	else
		flush_line(a);
	a->list[a->lists++] = (struct answer_list){.shape = shape};
}

static void end_row(struct answer *a)
{
	struct answer_list *list = this_list(a);

	if (a->json && list->in_row)
		json_end(a->json);
	else if (!a->json)
		flush_line(a);
	list->in_row = false;
}

void answer_row(struct answer *a)
{
	end_row(a);
	if (a->json)
		json_object(a->json, NULL);
	else
		answer_line(a, this_list(a)->shape);
	this_list(a)->in_row = true;
}

void answer_end(struct answer *a)
{
	end_row(a);
	a->lists--;
	if (a->json)
		json_end(a->json);
}

/* --- words */

void answer_say(struct answer *a, const char *fmt, ...)
{
	va_list args;

	if (a->json)
		return;
	flush_line(a);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
}

void answer_error(struct answer *a, err_t err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->error, sizeof(a->error), fmt, args);
	va_end(args);
	a->err = err;
	if (!a->json)
		printf("%s\n", a->error);
}
