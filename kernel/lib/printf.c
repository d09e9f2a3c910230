/* One formatter, two sinks: a buffer of the caller's and the console. */
#include "lib/console.h"
#include "lib/printf.h"
#include "lib/string.h"

/* Text goes into buf; a full one is flushed if the sink can, else cut. */
struct sink {
	char *buf;
	size_t size;
	size_t used;
	int total;
	bool console;
};

struct spec {
	bool left;
	bool zero;
	int width;
	int precision; /* -1: none given */
	int length;    /* bytes of the argument */
};

static void put(struct sink *sink, char c)
{
	sink->total++;
	if (sink->used == sink->size && sink->console) {
		console_write(sink->buf, sink->used);
		sink->used = 0;
	}
	if (sink->used < sink->size)
		sink->buf[sink->used++] = c;
}

static void pad(struct sink *sink, char c, int n)
{
	while (n-- > 0)
		put(sink, c);
}

static void put_text(struct sink *sink, const struct spec *spec,
		     const char *text, size_t len)
{
	int fill = spec->width - (int)len;

	if (!spec->left)
		pad(sink, ' ', fill);
	while (len-- > 0)
		put(sink, *text++);
	if (spec->left)
		pad(sink, ' ', fill);
}

/* prefix is "", "-" or "0x". */
static void put_number(struct sink *sink, const struct spec *spec, u64 value,
		       unsigned base, bool upper, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0, zeroes, fill;

	for (; value != 0; value /= base)
		text[n++] = digits[value % base];
	zeroes = (spec->precision >= 0 ? spec->precision : 1) - n;
	zeroes = MAX(zeroes, 0);
	fill = spec->width - n - zeroes - (int)strlen(prefix);
	if (spec->zero && !spec->left && spec->precision < 0 && fill > 0) {
		zeroes += fill;
		fill = 0;
	}
	if (!spec->left)
		pad(sink, ' ', fill);
	while (*prefix != '\0')
		put(sink, *prefix++);
	pad(sink, '0', zeroes);
	while (n > 0)
		put(sink, text[--n]);
	if (spec->left)
		pad(sink, ' ', fill);
}

static int parse_count(const char **fmt, va_list *args)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(*args, int);
	}
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++) {
		if (n < 10000)
			n = n * 10 + (**fmt - '0');
	}
	return n;
}

static struct spec parse_spec(const char **fmt, va_list *args)
{
	struct spec spec = {.precision = -1, .length = sizeof(int)};

	for (;; (*fmt)++) {
		if (**fmt == '-')
			spec.left = true;
		else if (**fmt == '0')
			spec.zero = true;
		else
			break;
	}
	spec.width = parse_count(fmt, args);
	if (spec.width < 0) {
		spec.left = true;
		spec.width = -spec.width;
	}
	if (**fmt == '.') {
		(*fmt)++;
		spec.precision = parse_count(fmt, args);
	}
	for (;; (*fmt)++) {
		if (**fmt == 'h')
			spec.length /= 2;
		else if (**fmt == 'l' || **fmt == 'z')
			spec.length = sizeof(long);
		else
			return spec;
	}
}

static u64 unsigned_arg(const struct spec *spec, va_list *args)
{
	u64 value = spec->length == sizeof(long) ? va_arg(*args, u64)
						 : va_arg(*args, unsigned);

	if (spec->length < 8)
		value &= BIT(spec->length * 8) - 1;
	return value;
}

static i64 signed_arg(const struct spec *spec, va_list *args)
{
	if (spec->length == sizeof(long))
		return va_arg(*args, i64);
	if (spec->length == 2)
		return (short)va_arg(*args, int);
	if (spec->length == 1)
		return (signed char)va_arg(*args, int);
	return va_arg(*args, int);
}

static void put_signed(struct sink *sink, const struct spec *spec, i64 value)
{
	bool negative = value < 0;
	u64 size = negative ? -(u64)value : (u64)value;

	put_number(sink, spec, size, 10, false, negative ? "-" : "");
}

static void put_string(struct sink *sink, const struct spec *spec,
		       const char *s)
{
	size_t max = spec->precision >= 0 ? (size_t)spec->precision : SIZE_MAX;

	if (s == NULL)
		s = "(null)";
	put_text(sink, spec, s, strnlen(s, max));
}

static void convert(struct sink *sink, char type, const struct spec *spec,
		    va_list *args)
{
	char c;

	switch (type) {
	case 'd':
	case 'i':
		put_signed(sink, spec, signed_arg(spec, args));
		break;
	case 'u':
		put_number(sink, spec, unsigned_arg(spec, args), 10, false, "");
		break;
	case 'x':
	case 'X':
		put_number(sink, spec, unsigned_arg(spec, args), 16,
			   type == 'X', "");
		break;
	case 'p':
		put_number(sink, spec, (u64)va_arg(*args, void *), 16, false,
			   "0x");
		break;
	case 's':
		put_string(sink, spec, va_arg(*args, const char *));
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(sink, spec, &c, 1);
		break;
	default: /* "%%", and what we do not know shows as it is */
		put(sink, type);
	}
}

static void format(struct sink *sink, const char *fmt, va_list *args)
{
	while (*fmt != '\0') {
		struct spec spec;

		if (*fmt != '%') {
			put(sink, *fmt++);
			continue;
		}
		fmt++;
		spec = parse_spec(&fmt, args);
		if (*fmt != '\0')
			convert(sink, *fmt++, &spec, args);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink sink = {.buf = buf, .size = size > 0 ? size - 1 : 0};
	va_list copy; /* an array type: its address is taken only here */

	va_copy(copy, args);
	format(&sink, fmt, &copy);
	va_end(copy);
	if (size > 0)
		buf[sink.used] = '\0';
	return sink.total;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

int vprintf(const char *fmt, va_list args)
{
	char buf[256];
	struct sink sink = {.buf = buf, .size = sizeof(buf), .console = true};
	va_list copy;

	va_copy(copy, args);
	format(&sink, fmt, &copy);
	va_end(copy);
	console_write(buf, sink.used);
	return sink.total;
}

int printf(const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vprintf(fmt, args);
	va_end(args);
	return n;
}
