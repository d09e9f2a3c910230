#include <cpuid.h>

#define BLOCKS	 4
#define CHACHA20 chacha20
#include "migrate/chacha_blocks.h"

#define XCR0_YMM 6 /* the operating system keeps XMM and YMM */

bool chacha20_is_wide(void)
{
	unsigned a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & XCR0_YMM) == XCR0_YMM &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
