/*
 * The real-time clock of PCs (MC146818A data sheet): registers behind a pair of
 * ports, in BCD or binary, and void while an update is in progress. So it is
 * read until two readings agree.
 */
#include "cpu/wall.h"

#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/string.h"

#define PORT_INDEX 0x70
#define PORT_DATA  0x71

#define STATUS_A  0x0a
#define STATUS_B  0x0b
#define UPDATING  BIT(7) /* in A */
#define IS_BINARY BIT(2) /* in B */
#define IS_24H	  BIT(1)
#define PM	  BIT(7) /* in the hour, unless 24 hours */
#define TRIES	  100000

static u64 base_ns, base_tsc;

static u8 cmos(u8 index)
{
	outb(PORT_INDEX, index);
	return inb(PORT_DATA);
}

struct date {
	u8 second, minute, hour, day, month, year;
};

static struct date read_registers(void)
{
	return (struct date){cmos(0), cmos(2), cmos(4),
			     cmos(7), cmos(8), cmos(9)};
}

static bool read_date(struct date *date)
{
	struct date again;

	for (unsigned i = 0; i < TRIES; i++) {
		if (cmos(STATUS_A) & UPDATING)
			continue;
		*date = read_registers();
		again = read_registers();
		if (!memcmp(date, &again, sizeof(again)))
			return true;
	}
	return false;
}

static u8 number(u8 value, u8 status)
{
	return status & IS_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

/* Days from 1970 to a day of the civil calendar; the year begins in March. */
static u64 days_to(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month > 2 ? year : year - 1;
	unsigned m = month > 2 ? month - 3 : month + 9;

	return (u64)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 +
	       day - 1 - 719468;
}

static u64 seconds_of(const struct date *d, u8 status)
{
	u64 days = days_to(2000u + number(d->year, status),
			   number(d->month, status), number(d->day, status));
	u8 hour = number(d->hour & ~PM, status);

	if (!(status & IS_24H))
		hour = hour % 12 + (d->hour & PM ? 12 : 0);
	return ((days * 24 + hour) * 60 + number(d->minute, status)) * 60 +
	       number(d->second, status);
}

void wall_init(void)
{
	struct date date;

	base_tsc = rdtsc();
	if (read_date(&date))
		base_ns = seconds_of(&date, cmos(STATUS_B)) * NS_PER_S;
}

u64 wall_ns(u64 tsc)
{
	return base_ns ? base_ns + tsc_to_ns(tsc - base_tsc) : 0;
}
