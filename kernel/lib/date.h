/* Calendar dates and seconds since 1970, for clocks that keep dates. */
#ifndef LIB_DATE_H
#define LIB_DATE_H

#include "lib/types.h"

struct date {
	unsigned year, month, day; /* 1970..., 1-12, 1-31 */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday; not looked at on the way back */
};

struct date date_of(u64 seconds);

/* A date that is none counts on: the 31st of April is the 1st of May. */
u64 date_seconds(const struct date *date);

#endif
