/*
 * Dates of the Gregorian calendar and seconds since 1970; and what the host's
 * own clock with a battery said at start.
 */
#ifndef CPU_CALENDAR_H
#define CPU_CALENDAR_H

#include "lib/types.h"

struct calendar {
	unsigned year;	  /* 1970 and later */
	unsigned month;	  /* 1 to 12 */
	unsigned day;	  /* 1 to 31 */
	unsigned weekday; /* 0: Sunday; not needed to make seconds */
	unsigned hour, minute, second;
};

struct calendar calendar_of(u64 seconds);

/* What is out of range counts on: month 13 is January of the next year. */
u64 calendar_seconds(const struct calendar *c);

/* Reads the host's clock, once; then it goes by the TSC. */
void wall_clock_init(void);
u64 wall_clock_seconds(void);

#endif
