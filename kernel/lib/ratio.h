/*
 * A ratio that is applied without dividing and without overflow, exact to one
 * unit: x * to / from = x * whole + (x * part >> 64). What does not fit into 64
 * bits becomes the largest number.
 */
#ifndef LIB_RATIO_H
#define LIB_RATIO_H

#include "lib/types.h"

struct ratio {
	u64 whole; /* to / from */
	u64 part;  /* (to % from) * 2^64 / from */
};

/* high:low / by, for high < by. */
static inline u64 divide_wide(u64 high, u64 low, u64 by)
{
	u64 quotient, rest;

	asm("divq %4"
	    : "=a"(quotient), "=d"(rest)
	    : "a"(low), "d"(high), "r"(by)
	    : "cc");
	return quotient;
}

static inline struct ratio ratio_make(u64 from, u64 to)
{
	return (struct ratio){to / from, divide_wide(to % from, 0, from)};
}

static inline u64 ratio_apply(struct ratio r, u64 x)
{
	unsigned __int128 whole = (unsigned __int128)x * r.whole;
	unsigned __int128 part = (unsigned __int128)x * r.part >> 64;

	whole += part;
	return whole >> 64 ? UINT64_MAX : (u64)whole;
}

#endif
