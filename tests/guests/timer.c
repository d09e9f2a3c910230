/* The local APIC's timer: one-shot, periodic, by TSC deadline. */
#include "apic.h"

#define VEC_TIMER 0x50
#define SHORT	  200000u

static volatile unsigned fired;
static volatile u64 fired_at;

static bool fire(struct trap_frame *frame)
{
	fired++;
	fired_at = rdtsc();
	apic_eoi();
	return true;
}

static void set_up(u32 mode)
{
	apic_start();
	trap_hooks[VEC_TIMER] = fire;
	fired = 0;
	apic_write(APIC_TIMER, VEC_TIMER | mode);
	sti();
}

static void tear_down(void)
{
	cli();
	apic_write(APIC_INITIAL, 0);
	apic_write(APIC_TIMER, APIC_MASKED);
}

/* The count and the TSC at the same time, as nearly as can be had. */
static u32 count_now(u64 *tsc)
{
	u32 count;
	u64 start;

	for (unsigned tries = 0; tries < 100; tries++) {
		start = rdtsc();
		count = apic_read(APIC_CURRENT);
		*tsc = rdtsc();
		if (*tsc - start < LONG_TIME / 2000)
			break;
	}
	return count;
}

/* TSC ticks that 2^20 counts take, from looking at the running count. */
static u64 ticks_per_count(u32 divide)
{
	u64 start, end;
	u32 first, last;

	apic_write(APIC_TIMER, APIC_MASKED);
	apic_write(APIC_DIVIDE, divide);
	apic_write(APIC_INITIAL, 0xffffffff);
	first = count_now(&start);
	while (rdtsc() < start + LONG_TIME / 20)
		cpu_relax();
	last = count_now(&end);
	apic_write(APIC_INITIAL, 0);
	expect(first > last, "it does not count");
	return first > last ? ((end - start) << 20) / (first - last) : 1;
}

static u64 measure(u32 count)
{
	u64 start = rdtsc();

	fired = 0;
	apic_write(APIC_INITIAL, count);
	expect(wait_for(fired), "%u counts: it never fired", count);
	return fired_at - start;
}

static void test_one_shot(void)
{
	set_up(0);
	measure(SHORT);
	expect(apic_read(APIC_CURRENT) == 0, "count is %u after the end",
	       apic_read(APIC_CURRENT));
	for (u64 end = rdtsc() + LONG_TIME / 50; rdtsc() < end;)
		cpu_relax();
	expect(fired == 1, "fired %u times", fired);
	tear_down();
}

/* It never fires early; how late it may be depends on who else is there. */
static void test_not_early(void)
{
	u64 rate, ticks;

	set_up(0);
	rate = ticks_per_count(APIC_DIVIDE_1);
	apic_write(APIC_TIMER, VEC_TIMER);
	for (u32 count = SHORT; count < 100 * SHORT; count *= 3) {
		ticks = measure(count);
		expect(ticks > (count * rate >> 20) * 9 / 10,
		       "%u counts took %lu ticks, not %lu", count, ticks,
		       count * rate >> 20);
	}
	tear_down();
}

static void test_divide(void)
{
	u64 one, sixteen;

	set_up(0);
	one = ticks_per_count(APIC_DIVIDE_1);
	sixteen = ticks_per_count(APIC_DIVIDE_16);
	expect(sixteen > 12 * one && sixteen < 20 * one,
	       "%lu ticks, divided by 16 %lu", one, sixteen);
	tear_down();
}

static void test_current(void)
{
	u32 last, now;

	set_up(APIC_MASKED);
	apic_write(APIC_INITIAL, 0xffffffff);
	last = apic_read(APIC_CURRENT);
	for (unsigned i = 0; i < 100; i++) {
		now = apic_read(APIC_CURRENT);
		expect(now <= last, "counted up from %u to %u", last, now);
		last = now;
	}
	expect(last < 0xffffffff, "it does not count");
	apic_write(APIC_INITIAL, 0);
	expect(apic_read(APIC_CURRENT) == 0, "0 does not stop it");
	tear_down();
}

static void test_periodic(void)
{
	set_up(APIC_PERIODIC);
	apic_write(APIC_INITIAL, SHORT);
	expect(wait_for(fired >= 20), "fired %u times", fired);
	apic_write(APIC_INITIAL, 0);
	cpuid(0, 0);
	fired = 0;
	for (u64 end = rdtsc() + LONG_TIME / 50; rdtsc() < end;)
		cpu_relax();
	expect(!fired, "fired %u times after it was stopped", fired);
	tear_down();
}

static void test_masked(void)
{
	set_up(APIC_MASKED);
	apic_write(APIC_INITIAL, SHORT);
	expect(wait_for(!apic_read(APIC_CURRENT)), "it does not run out");
	cpuid(0, 0);
	expect(!fired, "fired though masked");
	tear_down();
}

static void need_deadline(void)
{
	if (!(cpuid(1, 0).ecx & BIT(24)))
		skip("no TSC deadline here");
	set_up(APIC_DEADLINE);
}

static void test_deadline(void)
{
	need_deadline();
	for (unsigned i = 1; i <= 20 && !test_failed(); i++) {
		u64 at = rdtsc() + i * SHORT;

		wrmsr(MSR_TSC_DEADLINE, at);
		expect(wait_for(fired == i), "deadline %u: fired %u times", i,
		       fired);
		expect(fired_at >= at, "early by %lu", at - fired_at);
		expect(rdmsr(MSR_TSC_DEADLINE) == 0, "the MSR is still %lx",
		       rdmsr(MSR_TSC_DEADLINE));
	}
	tear_down();
}

static void test_deadline_past(void)
{
	need_deadline();
	wrmsr(MSR_TSC_DEADLINE, 1);
	expect(wait_for(fired == 1), "fired %u times", fired);
	tear_down();
}

/*
 * Arms the timer, reads it back and cancels it; returns the deadline. A guest
 * that was held up beyond that tries again: it may have fired by right.
 */
static u64 arm_and_cancel(u64 *reads)
{
	u64 at;

	for (unsigned tries = 0; tries < 20; tries++) {
		fired = 0;
		at = rdtsc() + LONG_TIME / 20;
		wrmsr(MSR_TSC_DEADLINE, at);
		*reads = rdmsr(MSR_TSC_DEADLINE);
		wrmsr(MSR_TSC_DEADLINE, 0);
		if (rdtsc() < at)
			break;
	}
	return at;
}

static void test_deadline_cancel(void)
{
	u64 at, reads;

	need_deadline();
	at = arm_and_cancel(&reads);
	expect(reads == at, "reads as %lx", reads);
	while (rdtsc() < at + LONG_TIME / 50)
		cpu_relax();
	expect(!fired, "fired though cancelled");
	tear_down();
}

/* In the other modes the MSR does nothing and reads 0 (11.5.4.1). */
static void test_deadline_other_mode(void)
{
	need_deadline();
	apic_write(APIC_TIMER, VEC_TIMER);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	for (u64 end = rdtsc() + LONG_TIME / 50; rdtsc() < end;)
		cpu_relax();
	expect(!fired && !rdmsr(MSR_TSC_DEADLINE), "one-shot: fired %u", fired);
	tear_down();
}

/* A guest that does not exit by itself gets its interrupt all the same. */
static void test_busy(void)
{
	set_up(0);
	apic_write(APIC_INITIAL, 10 * SHORT);
	expect(wait_for(fired), "it never fired");
	tear_down();
}

static const struct test tests[] = {
	TEST("timer.one-shot", test_one_shot),
	TEST("timer.not-early", test_not_early),
	TEST("timer.divide", test_divide),
	TEST("timer.current", test_current),
	TEST("timer.periodic", test_periodic),
	TEST("timer.masked", test_masked),
	TEST("timer.busy", test_busy),
	TEST("timer.deadline", test_deadline),
	TEST("timer.deadline-past", test_deadline_past),
	TEST("timer.deadline-cancel", test_deadline_cancel),
	TEST("timer.deadline-other-mode", test_deadline_other_mode),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
