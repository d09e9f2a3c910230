#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/selftest.h"
#include "cpu/time.h"
#include "lib/log.h"

#define TIMER_NS (1 * NS_PER_MS)
#define LATE_NS	 (500 * NS_PER_MS) /* an emulator may be in no hurry */

/* XCR0 without its x87 bit is a #GP on every processor (SDM vol. 1 13.3). */
static const char *test_fixup(void)
{
	if (features.xsave && xsetbv_safe(0, 0))
		return "a refused XSETBV is told";
	if (features.xsave && !xsetbv_safe(0, features.xcr0))
		return "a right XSETBV is told";
	return NULL;
}

static const char *test_timer(void)
{
	struct cpu *cpu = this_cpu();
	u64 start = now_ns(), interrupts = cpu->timer_interrupts;
	u64 took;

	timer_arm(rdtsc() + ns_to_tsc(TIMER_NS));
	while (cpu->timer_interrupts == interrupts &&
	       now_ns() - start < LATE_NS)
		cpu_idle();
	took = now_ns() - start;
	if (took < TIMER_NS * 99 / 100 || took >= LATE_NS) {
		log_error("timer: 1 ms took %lu us", took / NS_PER_US);
		return "the timer comes when it should";
	}
	return NULL;
}

/* Where an emulator was away so long that it was due, once more. */
static const char *test_timer_cancel(void)
{
	struct cpu *cpu = this_cpu();
	u64 interrupts, due;
	bool in_time;

	do {
		interrupts = cpu->timer_interrupts;
		due = rdtsc() + ns_to_tsc(TIMER_NS);
		timer_arm(due);
		timer_cancel();
		in_time = rdtsc() < due;
		delay_ns(2 * TIMER_NS);
		cpu_take_interrupts();
	} while (!in_time);
	return cpu->timer_interrupts == interrupts
		       ? NULL
		       : "a cancelled timer stays away";
}

/* A deadline in the past comes at once. */
static const char *test_timer_past(void)
{
	struct cpu *cpu = this_cpu();
	u64 interrupts = cpu->timer_interrupts, end = now_ns() + LATE_NS;

	timer_arm(rdtsc());
	while (cpu->timer_interrupts == interrupts && now_ns() < end)
		cpu_take_interrupts();
	return cpu->timer_interrupts != interrupts ? NULL
						   : "a past deadline is now";
}

/* With no other interrupt to come, a lost kick would halt until the timer. */
static const char *test_own_kick(void)
{
	u64 start;

	cpu_take_interrupts();
	timer_arm(rdtsc() + ns_to_tsc(LATE_NS));
	start = now_ns();
	cpu_kick(this_cpu());
	cpu_idle();
	cpu_kick(this_cpu());
	cpu_take_kick(); /* the flag gone, the interrupt is still pending */
	cpu_idle();
	timer_cancel();
	return now_ns() - start < LATE_NS ? NULL : "a kick ends one HLT";
}

static const char *test_kicks(void)
{
	for_each_cpu (cpu) {
		u64 before = cpu->kicks, end = now_ns() + LATE_NS;

		if (cpu == this_cpu())
			continue;
		cpu_kick(cpu);
		while (__atomic_load_n(&cpu->kicks, __ATOMIC_RELAXED) ==
		       before) {
			if (now_ns() > end)
				return "every CPU answers a kick";
			cpu_relax();
		}
	}
	return NULL;
}

static const char *test_clock(void)
{
	u64 last = now_ns();

	for (unsigned i = 0; i < 1000; i++) {
		u64 now = now_ns();

		if (now < last)
			return "time does not run backwards";
		last = now;
	}
	return NULL;
}

static const char *(*const tests[])(void) = {
	test_fixup,	 test_clock,	test_timer, test_timer_cancel,
	test_timer_past, test_own_kick, test_kicks,
};

err_t cpu_selftest(void)
{
	err_t err = E_OK;

	for (unsigned i = 0; i < ARRAY_LEN(tests); i++) {
		const char *broken = tests[i]();

		if (broken == NULL)
			continue;
		log_error("cpu: it is not so that %s", broken);
		err = E_STATE;
	}
	return err;
}
