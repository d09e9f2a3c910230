/*
 * The calendar, and the clock with its battery: what it shows, how it is set,
 * its three interrupts.
 *
 *	links: kernel/machine/rtc.c kernel/vm/fields.c
 *	links: kernel/cpu/calendar.c tests/unit/fake_vm.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/bus.c
 *	links: kernel/files.c
 */
#include "test.h"

#include <time.h>

#include "cpu/calendar.h"
#include "cpu/time.h"
#include "machine/chipset.h"
#include "machine/layout.h"
#include "tests/unit/fake_vm.h"

/* 2026-11-28 23:59:58 UTC, a Saturday */
#define START 1795910398ULL

static struct chipset chipset;
static struct rtc *const rtc = &chipset.rtc;
static struct vm vm = {.chipset = &chipset};
static u64 now;

u64 machine_ns(const struct vm *v)
{
	return now;
}

void chipset_moved(struct vm *v)
{
}

static u8 get(u8 index)
{
	rtc->index = index;
	return rtc_read(rtc, now);
}

static void put(u8 index, u8 value)
{
	rtc->index = index;
	rtc_write(rtc, value, now);
}

static void start(void)
{
	rtc_reset(rtc, START, MIB(128));
	now = NS_PER_MS;
	fake_lines = 0;
}

static bool line(void)
{
	return fake_lines & BIT(GSI_RTC);
}

TEST(calendar_is_the_c_library_s)
{
	u64 seed = 11;

	for (unsigned i = 0; i < 100000; i++) {
		time_t t = fake_random(&seed) % 8000000000ULL;
		struct calendar c = calendar_of(t);
		struct tm tm;

		gmtime_r(&t, &tm);
		CHECK_EQ(c.year, tm.tm_year + 1900);
		CHECK_EQ(c.month, tm.tm_mon + 1);
		CHECK_EQ(c.day, tm.tm_mday);
		CHECK_EQ(c.weekday, tm.tm_wday);
		CHECK_EQ(c.hour, tm.tm_hour);
		CHECK_EQ(c.minute, tm.tm_min);
		CHECK_EQ(c.second, tm.tm_sec);
		CHECK_EQ(calendar_seconds(&c), t);
	}
}

TEST(shows_time_in_all_its_forms)
{
	start();
	CHECK_EQ(get(0), 0x58);
	CHECK_EQ(get(2), 0x59);
	CHECK_EQ(get(4), 0x23);
	CHECK_EQ(get(6), 0x07);
	CHECK_EQ(get(7), 0x28);
	CHECK_EQ(get(8), 0x11);
	CHECK_EQ(get(9), 0x26);
	CHECK_EQ(get(0x32), 0x20);
	put(0x0b, 0x04); /* binary, 12 hours */
	CHECK_EQ(get(0), 58);
	CHECK_EQ(get(4), 0x80 | 11);
	now += 2 * NS_PER_S;
	CHECK_EQ(get(0), 0);
	CHECK_EQ(get(4), 12); /* midnight */
	CHECK_EQ(get(7), 29);
	CHECK_EQ(get(0x0d), 0x80);
}

TEST(update_in_progress_before_the_second)
{
	start();
	CHECK_EQ(get(0x0a), 0x26);
	now = NS_PER_S - 100 * NS_PER_US;
	CHECK_EQ(get(0x0a), 0xa6);
	now = NS_PER_S;
	CHECK_EQ(get(0x0a), 0x26);
}

TEST(is_set_and_goes_on)
{
	start();
	put(0x0b, 0x82);
	put(0, 0x30);
	put(2, 0x15);
	put(4, 0x08);
	put(7, 0x29);
	put(8, 0x02);
	put(9, 0x28);
	put(0x32, 0x20);
	now += 10 * NS_PER_S;
	CHECK_EQ(get(0), 0x30); /* stands */
	put(0x0b, 0x02);
	now += 45 * NS_PER_S;
	CHECK_EQ(get(0), 0x15);
	CHECK_EQ(get(2), 0x16);
	CHECK_EQ(get(7), 0x29);
	now += 86400 * NS_PER_S;
	CHECK_EQ(get(7), 0x01);
	CHECK_EQ(get(8), 0x03);
	put(4, 0x11); /* while it runs */
	CHECK_EQ(get(4), 0x11);
	CHECK_EQ(get(2), 0x16);
}

TEST(update_interrupt_each_second)
{
	u64 next;

	start();
	CHECK_EQ(rtc_poll(&vm, now), ~0ULL);
	put(0x0b, 0x12);
	next = rtc_poll(&vm, now);
	CHECK_EQ(next, NS_PER_S);
	now = next;
	CHECK_EQ(rtc_poll(&vm, now), ~0ULL); /* not before it is read */
	CHECK(line());
	CHECK_EQ(get(0x0c), 0xd0);
	CHECK_EQ(get(0x0c), 0);
	CHECK_EQ(rtc_poll(&vm, now), 2 * NS_PER_S);
	CHECK(!line());
}

TEST(periodic_interrupt_at_its_rate)
{
	unsigned n = 0;

	start();
	put(0x0a, 0x26); /* 1024 Hz */
	put(0x0b, 0x42);
	while (now < 2 * NS_PER_S) {
		u64 next = rtc_poll(&vm, now);

		if (line()) {
			CHECK_EQ(get(0x0c) & 0xc0, 0xc0);
			n++;
			continue;
		}
		CHECK(next > now && next != ~0ULL);
		now = next;
	}
	CHECK(n >= 2046 && n <= 2048);
}

/* What became due just before the enable went away interrupts nobody. */
TEST(no_interrupt_once_it_is_off)
{
	start();
	put(0x0a, 0x26);
	put(0x0b, 0x42);
	get(0x0c);
	now += 10 * NS_PER_MS;
	put(0x0b, 0x02);
	rtc_poll(&vm, now);
	CHECK(!line());
	CHECK_EQ(get(0x0c), 0x40);
	put(0x0b, 0x42);
	rtc_poll(&vm, now);
	CHECK(!line());
}

TEST(alarm_at_its_second)
{
	start();
	put(1, 0x02);
	put(3, 0xc0); /* any minute, any hour */
	put(5, 0xff);
	put(0x0b, 0x22);
	for (unsigned i = 0; i < 3; i++) {
		now = rtc_poll(&vm, now);
		rtc_poll(&vm, now);
		CHECK_EQ(line(), false);
	}
	now = rtc_poll(&vm, now); /* 00:00:02 */
	rtc_poll(&vm, now);
	CHECK(line());
	CHECK_EQ(get(0x0c), 0xf0);
}

TEST(flags_without_interrupts)
{
	start();
	get(0x0c);
	now += 3 * NS_PER_S;
	CHECK_EQ(get(0x0c), 0x70); /* midnight was in between */
	rtc_poll(&vm, now);
	CHECK(!line());
}

TEST(memory_size_and_what_was_written)
{
	start();
	CHECK_EQ(get(0x15) | get(0x16) << 8, 640);
	CHECK_EQ(get(0x17) | get(0x18) << 8, 0xffff);
	CHECK_EQ(get(0x34) | get(0x35) << 8, MIB(112) >> 16);
	put(0x70, 0x5a);
	CHECK_EQ(get(0x70), 0x5a);
	put(0x0d, 0);
	CHECK_EQ(get(0x0d), 0x80);
}

TEST(random_programs_stay_sane)
{
	u64 seed = 5;

	start();
	for (unsigned i = 0; i < 100000; i++) {
		u64 r = fake_random(&seed) >> 16;

		if (r & 3)
			put(r >> 8 & 0x7f, r >> 16);
		else
			get(r >> 8 & 0x7f);
		CHECK(rtc_poll(&vm, now) > now);
		now += r >> 40 & 0x3fffffff;
	}
}
