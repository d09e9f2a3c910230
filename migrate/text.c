#include "migrate/text.h"

void text_begin(struct text *text, char *at, size_t size)
{
	text->at = at;
	text->size = size;
	text->used = 0;
	at[0] = 0;
}

void text_add(struct text *text, const char *string)
{
	while (*string != 0 && text->used + 1 < text->size)
		text->at[text->used++] = *string++;
	text->at[text->used] = 0;
}

static void add_digits(struct text *text, u64 number, unsigned base)
{
	char digits[24];
	unsigned at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	text_add(text, digits + at);
}

void text_number(struct text *text, u64 number)
{
	add_digits(text, number, 10);
}

void text_hex(struct text *text, u64 number)
{
	text_add(text, "0x");
	add_digits(text, number, 16);
}
