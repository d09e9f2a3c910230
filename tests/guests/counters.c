/*
 * What a guest sees of its own exits (`counters = yes`): are they counted, each
 * as its kind, with cycles that can be true?
 */
#include "counters.h"

#include "apic.h"

#define SOME 100

static void test_leaves(void)
{
	expect(exits_visible(), "the highest leaf is %x",
	       cpuid(LEAF_GODWIT, 0).eax);
}

static void one_cpuid(void)
{
	cpuid(0, 0);
}

static void one_unknown_leaf(void)
{
	cpuid(0x40000003, 0);
}

static void one_port(void)
{
	outb(0x5658, 0);
}

static void one_msr_read(void)
{
	rdmsr(MSR_PAT);
}

static void one_msr_write(void)
{
	wrmsr(MSR_PAT, 0x0007040600070406);
}

static void one_wbinvd(void)
{
	asm volatile("wbinvd" ::: "memory");
}

/* The question for CPUID's count is one of them. */
static void test_kinds(void)
{
	static const struct {
		enum exit_reason kind;
		void (*once)(void);
		unsigned own;
	} all[] = {
		{EXIT_CPUID, one_cpuid, 1},
		{EXIT_CPUID, one_unknown_leaf, 1},
		{EXIT_IO, one_port, 0},
		{EXIT_MSR_READ, one_msr_read, 0},
		{EXIT_MSR_WRITE, one_msr_write, 0},
		{EXIT_CACHE, one_wbinvd, 0},
	};

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		u64 before = exits_of(all[i].kind).exits, after;

		for (unsigned n = 0; n < SOME; n++)
			all[i].once();
		after = exits_of(all[i].kind).exits;
		expect(after - before == SOME + all[i].own,
		       "%u: kind %u went from %lu to %lu", i, all[i].kind,
		       before, after);
	}
}

/* The host's own interrupts come in between. */
static void test_sum(void)
{
	u64 before = exits_all().exits, sum = 0, after;

	for (u32 kind = 0; kind < EXIT_REASON_COUNT; kind++)
		sum += exit_cost(LEAF_EXIT_KIND, kind).exits;
	after = exits_all().exits;
	expect(before < sum && sum < after, "%lu in all, then %lu, then %lu",
	       before, sum, after);
}

/* The cycles of some exits are part of the time that they took. */
static void test_cycles(void)
{
	u64 start = rdtsc(), took;
	struct exit_cost before = exits_of(EXIT_IO), after;
	struct exit_cost all_before = exits_all(), all_after;

	for (unsigned n = 0; n < SOME; n++)
		one_port();
	after = exits_of(EXIT_IO);
	all_after = exits_all();
	took = rdtsc() - start;
	expect(after.cycles - before.cycles >= SOME &&
		       after.cycles - before.cycles < took,
	       "%lu cycles of %lu", after.cycles - before.cycles, took);
	expect(all_after.cycles - all_before.cycles >
			       after.cycles - before.cycles &&
		       all_after.cycles - all_before.cycles < took,
	       "%lu cycles of %lu in all", all_after.cycles - all_before.cycles,
	       took);
}

static void test_beyond(void)
{
	static const u32 kinds[] = {EXIT_REASON_COUNT, 0x7fffffff, 0x80000000,
				    0xffffffff};

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		struct exit_cost c = exit_cost(LEAF_EXIT_KIND, kinds[i]);

		expect(!c.exits && !c.cycles, "kind %x: %lu, %lu", kinds[i],
		       c.exits, c.cycles);
	}
	expect(!cpuid(LEAF_EXIT_KIND + 1, 0).eax, "a leaf beyond the last");
}

static const struct test tests[] = {
	GODWIT_TEST("counters.leaves", test_leaves),
	GODWIT_TEST("counters.kinds", test_kinds),
	GODWIT_TEST("counters.sum", test_sum),
	GODWIT_TEST("counters.cycles", test_cycles),
	GODWIT_TEST("counters.beyond", test_beyond),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
