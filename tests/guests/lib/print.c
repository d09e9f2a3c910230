/* Text: formatted by line, and out by one string instruction per line. */
#include <stdarg.h>

#include "guest.h"
#include "print.h"

struct sink {
	char *text;
	size_t size, used;
};

static void put(struct sink *sink, char c)
{
	if (sink->used < sink->size)
		sink->text[sink->used++] = c;
}

static void put_padded(struct sink *sink, const char *text, size_t n, int width,
		       bool left, char pad)
{
	if (!left)
		for (int i = n; i < width; i++)
			put(sink, pad);
	for (size_t i = 0; i < n; i++)
		put(sink, text[i]);
	if (left)
		for (int i = n; i < width; i++)
			put(sink, ' ');
}

/* 32-bit guests have no 64-bit division. */
static u32 divide(u64 *value, u32 by)
{
	u64 quotient = 0, rest = 0;

	if (*value >> 32 == 0) {
		rest = (u32)*value % by;
		*value = (u32)*value / by;
		return rest;
	}
	for (int bit = 63; bit >= 0; bit--) {
		rest = rest << 1 | (*value >> bit & 1);
		quotient <<= 1;
		if (rest >= by) {
			rest -= by;
			quotient |= 1;
		}
	}
	*value = quotient;
	return rest;
}

static void put_number(struct sink *sink, u64 value, u32 base, bool negative,
		       int width, bool left, char pad)
{
	char text[24], *at = text + sizeof(text);

	do {
		*--at = "0123456789abcdef"[divide(&value, base)];
	} while (value);
	if (negative)
		*--at = '-';
	put_padded(sink, at, text + sizeof(text) - at, width, left, pad);
}

static u64 number_arg(va_list *args, unsigned longs, bool is_signed)
{
	if (longs > 1 || (longs && sizeof(long) == 8))
		return va_arg(*args, u64);
	return is_signed ? (u64)(i64)va_arg(*args, int)
			 : va_arg(*args, unsigned);
}

static void convert(struct sink *sink, const char **fmt, va_list *args)
{
	bool left = false;
	char pad = ' ', one;
	unsigned longs = 0;
	const char *text;
	int width = 0;
	u64 value;

	for (;; (*fmt)++) {
		if (**fmt == '-')
			left = true;
		else if (**fmt == '0')
			pad = '0';
		else
			break;
	}
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		width = width * 10 + **fmt - '0';
	for (; **fmt == 'l'; (*fmt)++)
		longs++;
	switch (*(*fmt)++) {
	case 'd':
		value = number_arg(args, longs, true);
		put_number(sink, (i64)value < 0 ? -value : value, 10,
			   (i64)value < 0, width, left, pad);
		break;
	case 'u':
		put_number(sink, number_arg(args, longs, false), 10, false,
			   width, left, pad);
		break;
	case 'x':
		put_number(sink, number_arg(args, longs, false), 16, false,
			   width, left, pad);
		break;
	case 'p':
		put_number(sink, (word)va_arg(*args, void *), 16, false, width,
			   left, pad);
		break;
	case 's':
		text = va_arg(*args, const char *);
		put_padded(sink, text, strlen(text), width, left, ' ');
		break;
	case 'c':
		one = va_arg(*args, int);
		put(sink, one);
		break;
	default:
		put(sink, '%');
	}
}

size_t vformat(char *text, size_t size, const char *fmt, va_list *args)
{
	struct sink sink = {text, size - 1, 0};

	while (*fmt) {
		if (*fmt != '%') {
			put(&sink, *fmt++);
			continue;
		}
		fmt++;
		convert(&sink, &fmt, args);
	}
	text[sink.used] = '\0';
	return sink.used;
}

void format(char *text, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vformat(text, size, fmt, &args);
	va_end(args);
}

void (*print_sink)(const char *text, size_t n) = print_bytes;

void print_bytes(const char *text, size_t n)
{
	asm volatile("rep outsb"
		     : "+S"(text), "+c"(n)
		     : "d"(PORT_DEBUG)
		     : "memory");
}

void print(const char *fmt, ...)
{
	char text[256];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vformat(text, sizeof(text), fmt, &args);
	va_end(args);
	print_sink(text, n);
}
