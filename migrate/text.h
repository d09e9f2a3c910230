/* Text into a buffer of fixed size, cut where it is full, always ended. */
#ifndef MIGRATE_TEXT_H
#define MIGRATE_TEXT_H

#include "migrate/types.h"

struct text {
	char *at;
	size_t size, used;
};

void text_begin(struct text *text, char *at, size_t size);
void text_add(struct text *text, const char *string);
void text_number(struct text *text, u64 number);
void text_hex(struct text *text, u64 number);

#endif
