#include "cpu/calendar.h"

#define DAY_SECONDS 86400u

/*
 * Years begin in March here, so that the leap day is the last of one; an era is
 * the 400 years after which the calendar repeats.
 */
#define ERA_DAYS   146097u
#define EPOCH_DAYS 719468u /* from 0000-03-01 to 1970-01-01 */

/* Days of the months before the one that is `month` after March. */
static unsigned days_before(unsigned month)
{
	return (153 * month + 2) / 5;
}

struct calendar calendar_of(u64 seconds)
{
	u64 days = seconds / DAY_SECONDS + EPOCH_DAYS;
	unsigned rest = seconds % DAY_SECONDS;
	unsigned in_era = days % ERA_DAYS;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 -
			 in_era / (ERA_DAYS - 1)) /
			365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153;

	return (struct calendar){
		.year = days / ERA_DAYS * 400 + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = in_year - days_before(month) + 1,
		.weekday = (seconds / DAY_SECONDS + 4) % 7,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
	};
}

u64 calendar_seconds(const struct calendar *c)
{
	unsigned months = (c->month ? c->month - 1 : 0) + 10; /* since March */
	u64 year = c->year + months / 12 - 1;
	u64 days = year / 400 * ERA_DAYS + year % 400 * 365 + year % 400 / 4 -
		   year % 400 / 100 + days_before(months % 12) +
		   (c->day ? c->day - 1 : 0) - EPOCH_DAYS;

	return days * DAY_SECONDS + c->hour * 3600u + c->minute * 60u +
	       c->second;
}
