#include "lib/date.h"

#define DAY ((u64)86400)

/*
 * Years begin in March here, so that a leap day is a year's last: days from the
 * 1st of March of year 0 to that of `year`, and to a month's 1st in it.
 */
static u64 days_before_year(u64 year)
{
	return year * 365 + year / 4 - year / 100 + year / 400;
}

/* Months from March are 31, 30, 31, 30, 31, again, and once more. */
static unsigned days_before_month(unsigned month)
{
	return (153 * month + 2) / 5;
}

#define EPOCH 719468 /* from that 1st of March to 1970 */

u64 date_seconds(const struct date *date)
{
	unsigned month = (date->month + 9) % 12;
	u64 year = date->year - (month >= 10);
	u64 days = days_before_year(year) + days_before_month(month) +
		   date->day - 1 - EPOCH;

	return days * DAY + date->hour * 3600 + date->minute * 60 +
	       date->second;
}

struct date date_of(u64 seconds)
{
	u64 days = seconds / DAY + EPOCH, year = days * 400 / 146097 + 1;
	unsigned rest = seconds % DAY, month = 11;

	while (days_before_year(year) > days)
		year--;
	days -= days_before_year(year);
	while (days_before_month(month) > days)
		month--;
	return (struct date){
		.year = year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = days - days_before_month(month) + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
		.weekday = (seconds / DAY + 4) % 7, /* a Thursday */
	};
}
