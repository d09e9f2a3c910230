/* Bytes as text (RFC 4648), for what goes where only text may go. */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include "lib/types.h"

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* Writes BASE64_SIZE(n) bytes, the last of them 0. */
void base64(char *to, const void *from, size_t n);

#endif
