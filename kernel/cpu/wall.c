#include "cpu/wall.h"

#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/date.h"

/* MC146818 registers and bits, as every PC has them. */
#define RTC_INDEX 0x70
#define RTC_DATA  0x71

enum {
	RTC_SECOND = 0,
	RTC_MINUTE = 2,
	RTC_HOUR = 4,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_A = 10,
	RTC_B = 11
};

#define A_UPDATING 0x80
#define B_BINARY   0x04
#define B_24H	   0x02
#define HOUR_PM	   0x80

#define UPDATE_NS (10 * NS_PER_MS) /* an update takes 2 ms at most */

static u8 read_register(u8 index)
{
	outb(RTC_INDEX, index);
	return inb(RTC_DATA);
}

static unsigned number(u8 value, u8 b)
{
	return b & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static unsigned hours(u8 value, u8 b)
{
	unsigned hour = number(value & (b & B_24H ? 0xff : 0x7f), b);

	if (b & B_24H)
		return hour;
	return hour % 12 + (value & HOUR_PM ? 12 : 0);
}

static u64 read_rtc(void)
{
	u8 b = read_register(RTC_B);
	struct date date = {
		.second = number(read_register(RTC_SECOND), b),
		.minute = number(read_register(RTC_MINUTE), b),
		.hour = hours(read_register(RTC_HOUR), b),
		.day = number(read_register(RTC_DAY), b),
		.month = number(read_register(RTC_MONTH), b),
		.year = 2000 + number(read_register(RTC_YEAR), b),
	};

	return date_seconds(&date);
}

/* A clock that stands may say for ever that it is being updated. */
static void wait_for_update(void)
{
	u64 end = now_ns() + UPDATE_NS;

	while ((read_register(RTC_A) & A_UPDATING) && now_ns() < end)
		;
}

u64 wall_ns(void)
{
	static u64 at_zero;

	if (!at_zero) {
		wait_for_update();
		at_zero = read_rtc() * NS_PER_S - now_ns();
	}
	return at_zero + now_ns();
}
