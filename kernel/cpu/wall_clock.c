/*
 * The host's clock with a battery (MC146818A): read once, by polling. What it
 * says is believed only where it is a date; else time begins in 2000.
 */
#include "cpu/calendar.h"
#include "cpu/regs.h"
#include "cpu/time.h"

#define RTC_INDEX 0x70
#define RTC_DATA  0x71

#define REG_A	 0x0a
#define REG_B	 0x0b
#define UPDATING 0x80
#define BINARY	 0x04
#define HOURS_24 0x02
#define PM	 0x80

#define TRIES 100000 /* an update takes 2 ms */

static u64 at_start; /* seconds since 1970 at time zero */

static u8 rtc(u8 index)
{
	outb(RTC_INDEX, index);
	return inb(RTC_DATA);
}

static unsigned number(u8 index, bool binary)
{
	u8 value = rtc(index);

	return binary ? value : (value >> 4) * 10 + (value & 15);
}

static unsigned hour(bool binary, bool whole_day)
{
	u8 value = rtc(4), low = value & ~PM;
	unsigned h;

	if (whole_day)
		return number(4, binary);
	h = (binary ? low : (low >> 4) * 10 + (low & 15)) % 12;
	return value & PM ? h + 12 : h;
}

static struct calendar read(void)
{
	u8 b = rtc(REG_B);
	bool binary = b & BINARY;

	for (unsigned i = 0; i < TRIES && (rtc(REG_A) & UPDATING); i++)
		cpu_relax();
	return (struct calendar){
		.year = 2000 + number(9, binary),
		.month = number(8, binary),
		.day = number(7, binary),
		.hour = hour(binary, b & HOURS_24),
		.minute = number(2, binary),
		.second = number(0, binary),
	};
}

void wall_clock_init(void)
{
	struct calendar c = read();
	bool sound = c.month >= 1 && c.month <= 12 && c.day >= 1 &&
		     c.day <= 31 && c.hour < 24 && c.minute < 60 &&
		     c.second < 60 && c.year < 2100;

	if (!sound)
		c = (struct calendar){.year = 2000, .month = 1, .day = 1};
	at_start = calendar_seconds(&c) - now_ns() / NS_PER_S;
}

u64 wall_clock_seconds(void)
{
	return at_start + now_ns() / NS_PER_S;
}
