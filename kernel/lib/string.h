/* Memory and strings; the first four are also called by the compiler. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
bool is_zero(const void *at, size_t n); /* all of it */
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies what fits and always terminates; false when it was cut. */
bool copy_string(char *dst, size_t size, const char *src);

/*
 * Decimal, 0x hexadecimal, with an optional K, M or G suffix; the whole of s
 * must be the number. false: not a number or too large.
 */
bool parse_number(const char *s, u64 *value);

#endif
