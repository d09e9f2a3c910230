/*
 * The guest's local APIC: its timer (SDM vol. 3A 11.5.4).
 *
 *	links: kernel/machine/lapic.c kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c
 *	links: kernel/machine/lapic_ipi.c kernel/machine/lapic_timer.c
 *	links: kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 */
#include "tests/unit/fake_lapic.h"

#define DIVIDE_1 0xb

static void pass_ns(u64 ns)
{
	fake_tsc += ns * (FAKE_TSC_HZ / 100000000) / 10;
}

static bool timer_fired(u8 vector)
{
	poll();
	if (vlapic_pending(cpu) != vector)
		return false;
	take(vector);
	put(APIC_EOI, 0);
	return true;
}

TEST(one_shot)
{
	u64 due;

	start(1);
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	CHECK_EQ(poll(), ~0ULL);
	fake_requests(cpu);
	put(APIC_INITIAL, 1000000);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	due = poll();
	CHECK_EQ(due, fake_tsc + 2600000);
	CHECK_EQ(cpu->timer_deadline, due);
	CHECK_EQ(get(APIC_CURRENT), 1000000);
	pass_ns(400000);
	CHECK(get(APIC_CURRENT) - 600000 <= 1);
	CHECK(!timer_fired(0x30));
	fake_tsc = due - 1;
	CHECK_EQ(get(APIC_CURRENT), 1);
	CHECK(!timer_fired(0x30));
	fake_tsc = due;
	CHECK_EQ(get(APIC_CURRENT), 0);
	CHECK(timer_fired(0x30));
	CHECK_EQ(poll(), ~0ULL);
	pass_ns(1ULL << 40);
	CHECK(!timer_fired(0x30));
	CHECK_EQ(get(APIC_INITIAL), 1000000);
	finish();
}

TEST(one_shot_stopped_and_masked)
{
	start(1);
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	put(APIC_INITIAL, 1000);
	put(APIC_INITIAL, 0);
	CHECK_EQ(poll(), ~0ULL);
	pass_ns(2000);
	CHECK(!timer_fired(0x30));
	put(APIC_LVT + LVT_TIMER, 0x10030);
	put(APIC_INITIAL, 1000);
	pass_ns(500);
	CHECK(get(APIC_CURRENT) > 0); /* masked, it counts all the same */
	pass_ns(1000);
	CHECK(!timer_fired(0x30));
	CHECK_EQ(get(APIC_CURRENT), 0);
	/* A vector that cannot be is an error. */
	put(APIC_LVT + LVT_TIMER, 0x05);
	put(APIC_INITIAL, 10);
	pass_ns(1000);
	poll();
	put(APIC_ESR, 0);
	CHECK_EQ(get(APIC_ESR), ESR_RECEIVE_VECTOR);
	finish();
}

TEST(count_never_runs_backwards)
{
	u64 seed = 7, fired = 0;
	u32 last;

	start(1);
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	put(APIC_INITIAL, 50000000);
	last = get(APIC_CURRENT);
	while (last) {
		u32 count;

		/* Sometimes the clock itself steps back, as between CPUs. */
		fake_tsc += fake_random(&seed) % 4000;
		fake_tsc -= fake_random(&seed) % 1000;
		count = get(APIC_CURRENT);
		CHECK(count <= last);
		/* 0 and the interrupt come together. */
		fired += timer_fired(0x30);
		CHECK_EQ(fired, count == 0);
		last = count;
	}
	finish();
}

TEST(divide_configuration)
{
	static const struct {
		u32 value;
		unsigned by;
	} cases[] = {{0x0, 2},	{0x1, 4},  {0x2, 8},   {0x3, 16},
		     {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

	start(1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		put(APIC_DIVIDE, cases[i].value);
		put(APIC_INITIAL, 1000000);
		CHECK_EQ(poll(), fake_tsc + 2600000ULL * cases[i].by);
	}
	/* In flight: what is left counts at the new rate. */
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_INITIAL, 1000000);
	pass_ns(400000);
	put(APIC_DIVIDE, 0x1);
	CHECK(get(APIC_CURRENT) - 600000 <= 1);
	CHECK((poll() - fake_tsc) - 600000 * 4 * 26 / 10 <= 20);
	/* The largest there is does not overflow. */
	put(APIC_DIVIDE, 0xa);
	put(APIC_INITIAL, 0xffffffff);
	CHECK_EQ(poll(), fake_tsc + (0xffffffffULL * 128 * 26 / 10));
	CHECK_EQ(get(APIC_CURRENT), 0xffffffff);
	finish();
}

TEST(periodic)
{
	u64 first;

	start(1);
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_PERIODIC | 0x30);
	put(APIC_INITIAL, 1000000);
	first = poll();
	for (unsigned i = 1; i <= 100; i++) {
		CHECK_EQ(poll(), first + (i - 1) * 2600000);
		fake_tsc = poll() + 17; /* a bit late, but without drift */
		CHECK(timer_fired(0x30));
		CHECK(!timer_fired(0x30));
		CHECK(1000000 - get(APIC_CURRENT) < 10);
	}
	/* Nobody looked for 7.5 periods: one interrupt, still in step. */
	fake_tsc = first + 99 * 2600000 + 15 * 1300000;
	CHECK(timer_fired(0x30));
	CHECK(!timer_fired(0x30));
	CHECK_EQ((poll() - first) % 2600000, 0);
	CHECK_EQ(poll() - fake_tsc, 1300000);
	/* Ends as a one-shot when asked to. */
	put(APIC_LVT + LVT_TIMER, 0x30);
	fake_tsc = poll();
	CHECK(timer_fired(0x30));
	CHECK_EQ(poll(), ~0ULL);
	finish();
}

TEST(periodic_does_not_storm)
{
	unsigned fired = 0;

	start(1);
	put(APIC_DIVIDE, DIVIDE_1);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_PERIODIC | 0x30);
	put(APIC_INITIAL, 1);
	for (unsigned i = 0; i < 1000; i++) {
		pass_ns(1000);
		fired += timer_fired(0x30);
		CHECK(get(APIC_CURRENT) == 1);
	}
	CHECK(fired >= 19 && fired <= 21); /* in a millisecond */
	finish();
}

TEST(tsc_deadline)
{
	u64 value;

	start(1);
	cpu->tsc_offset = -(u64)400000; /* the guest's TSC: fake_tsc - that */
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_DEADLINE | 0x30);
	CHECK_EQ(vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, vcpu_tsc(cpu) + 5000),
		 E_OK);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	CHECK_EQ(poll(), fake_tsc + 5000);
	vlapic_rdmsr(cpu, MSR_TSC_DEADLINE, &value);
	CHECK_EQ(value, vcpu_tsc(cpu) + 5000);
	put(APIC_INITIAL, 77); /* ignored */
	CHECK_EQ(get(APIC_INITIAL), 0);
	CHECK_EQ(get(APIC_CURRENT), 0);
	fake_tsc += 4999;
	CHECK(!timer_fired(0x30));
	fake_tsc++;
	CHECK(timer_fired(0x30));
	vlapic_rdmsr(cpu, MSR_TSC_DEADLINE, &value);
	CHECK_EQ(value, 0);
	CHECK_EQ(poll(), ~0ULL);
	/* In the past: at once. 0: never. */
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, 1);
	CHECK(timer_fired(0x30));
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, vcpu_tsc(cpu) + 5000);
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, 0);
	CHECK_EQ(poll(), ~0ULL);
	/* The end of time is not wrapped around. */
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, ~0ULL);
	CHECK(!timer_fired(0x30));
	finish();
}

TEST(tsc_deadline_follows_the_guests_clock)
{
	start(1);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_DEADLINE | 0x30);
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, vcpu_tsc(cpu) + 5000);
	cpu->tsc_offset += 3000; /* as by a write to IA32_TSC */
	CHECK_EQ(poll(), fake_tsc + 2000);
	cpu->tsc_offset += 2000;
	CHECK(timer_fired(0x30));
	finish();
}

TEST(timer_modes_disarm_each_other)
{
	u64 value;

	start(1);
	put(APIC_LVT + LVT_TIMER, 0x30);
	CHECK_EQ(vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, vcpu_tsc(cpu) + 5), E_OK);
	vlapic_rdmsr(cpu, MSR_TSC_DEADLINE, &value);
	CHECK_EQ(value, 0);
	put(APIC_INITIAL, 1000);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_DEADLINE | 0x30);
	CHECK_EQ(poll(), ~0ULL);
	CHECK_EQ(get(APIC_INITIAL), 0);
	vlapic_wrmsr(cpu, MSR_TSC_DEADLINE, vcpu_tsc(cpu) + 5000);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_PERIODIC | 0x30);
	CHECK_EQ(poll(), ~0ULL);
	pass_ns(10000);
	CHECK(!timer_fired(0x30));
	/* One-shot to periodic does not: the count goes on. */
	put(APIC_LVT + LVT_TIMER, 0x30);
	put(APIC_INITIAL, 100000);
	put(APIC_LVT + LVT_TIMER, LVT_TIMER_PERIODIC | 0x30);
	fake_tsc = poll();
	CHECK(timer_fired(0x30));
	CHECK(poll() != ~0ULL);
	finish();
}
