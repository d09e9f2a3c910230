#include "lib/base64.h"

void base64(char *to, const void *from, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const u8 *at = from;

	for (; n; at += 3) {
		size_t here = MIN(n, 3);
		u32 bits = (u32)at[0] << 16;

		bits |= here > 1 ? (u32)at[1] << 8 : 0;
		bits |= here > 2 ? at[2] : 0;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = here > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = here > 2 ? digits[bits & 63] : '=';
		n -= here;
	}
	*to = '\0';
}
