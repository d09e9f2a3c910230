/*
 * Lab 2's guest: asks the hypervisor by CPUID and by hypercalls, checks what it
 * is told, and counts what that cost (`counters = yes`).
 */
#include "counters.h"
#include "docs/labs/lab2/calls.h"
#include "guest.h"

static i64 call(u64 number, u64 first, u64 second)
{
	i64 answer = (i64)number;

	/* Either engine answers the other's instruction too. */
	asm volatile("vmcall"
		     : "+a"(answer)
		     : "b"(first), "c"(second)
		     : "memory");
	return answer;
}

static u64 address(const volatile void *at)
{
	return (u64)at; /* mapped one to one */
}

/* --- CPUID */

static void test_cpuid_returns(void)
{
	struct cpuid r = cpuid(0, 0);

	expect(r.eax >= 1 && r.eax < 0x1000, "the last leaf is %x", r.eax);
}

static void test_cpuid_leaves(void)
{
	struct cpuid id = cpuid(LEAF_GODWIT, 0);

	expect(id.ebx == 0x77646f47 && id.ecx == 0x6f477469 &&
		       id.edx == 0x74697764,
	       "leaf %x is %x %x %x, not \"GodwitGodwit\"", LEAF_GODWIT, id.ebx,
	       id.ecx, id.edx);
	expect(cpuid(1, 0).ecx & BIT(31), "leaf 1 hides the hypervisor");
	expect(cpuid(0xd, 0).eax != cpuid(0xd, 2).eax,
	       "subleaves 0 and 2 of leaf 0xd are the same");
}

static void test_cpuid_registers(void)
{
	u64 a = 0xffffffff00000000, b = ~0ULL, c = 0xffffffff00000000,
	    d = ~0ULL, si = 0x123456789abcdef, r15 = ~si;
	struct cpuid plain = cpuid(0, 0);

	asm volatile("mov %5, %%r15\n\tcpuid\n\tmov %%r15, %5"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+r"(r15)
		     :
		     : "r15");
	expect(a == plain.eax && b == plain.ebx && c == plain.ecx &&
		       d == plain.edx,
	       "RAX %lx RBX %lx RCX %lx RDX %lx: 32 bits each", a, b, c, d);
	expect(si == 0x123456789abcdef && r15 == ~si,
	       "RSI or R15 is not what it was");
}

/* --- hypercalls */

static void test_who(void)
{
	expect(call(CALL_WHO, 0, 0) == 0, "it answers %ld",
	       call(CALL_WHO, 0, 0));
}

static void test_unknown(void)
{
	static const u64 numbers[] = {0, 1, CALL_SUM + 1, CALL_WHO | 1ULL << 32,
				      ~0ULL};

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		expect(call(numbers[i], 0, 0) == CALL_UNKNOWN, "%lx: %ld",
		       numbers[i], call(numbers[i], 0, 0));
}

static i64 user_answer;

static void user_call_who(void)
{
	user_answer = call(CALL_WHO, 0, 0);
}

static void test_user(void)
{
	user_call(user_call_who);
	expect(user_answer == CALL_FORBIDDEN, "user mode is told %ld",
	       user_answer);
}

static void test_say(void)
{
	static const char text[] =
		"hello, this is \x1b[31mred\x07 if it is shown";
	i64 said = call(CALL_SAY, address(text), sizeof(text) - 1);

	expect(said == sizeof(text) - 1, "it answers %ld", said);
	expect(call(CALL_SAY, address(text), 0) == 0, "nothing is %ld bytes",
	       call(CALL_SAY, address(text), 0));
}

static void test_say_too_much(void)
{
	static char text[SAY_MAX + 1];
	static const u64 sizes[] = {SAY_MAX + 1, 1 << 20, 1ULL << 32, ~0ULL};

	memset(text, 'x', sizeof(text));
	expect(call(CALL_SAY, address(text), SAY_MAX) == SAY_MAX,
	       "%d bytes: %ld", SAY_MAX,
	       call(CALL_SAY, address(text), SAY_MAX));
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		expect(call(CALL_SAY, address(text), sizes[i]) == CALL_INVALID,
		       "%lx bytes: %ld", sizes[i],
		       call(CALL_SAY, address(text), sizes[i]));
}

/* Addresses that are no RAM, at their beginning or their end. */
static const u64 bad[] = {1ULL << 40, ~0ULL,	~0ULL - 7,	0xfee00000,
			  0xfffffff8, 32 << 20, (32 << 20) - 4, 1ULL << 63};

static void test_nowhere(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		expect(call(CALL_SAY, bad[i], 8) == CALL_FAULT,
		       "say, at %lx: %ld", bad[i], call(CALL_SAY, bad[i], 8));
		expect(call(CALL_SUM, bad[i], 2) == CALL_FAULT,
		       "sum, at %lx: %ld", bad[i], call(CALL_SUM, bad[i], 2));
	}
}

static void test_sum(void)
{
	static u64 words[SUM_MAX];
	u64 sum = 0;

	for (u64 i = 0; i < SUM_MAX; i++)
		sum += words[i] = random_number();
	expect((u64)call(CALL_SUM, address(words), SUM_MAX) ==
		       (sum & ~0ULL >> 1),
	       "%d words: wrong", SUM_MAX);
	expect((u64)call(CALL_SUM, address(words) + 4, 1) ==
		       ((words[0] >> 32 | words[1] << 32) & ~0ULL >> 1),
	       "one word at an odd place: wrong");
	expect(call(CALL_SUM, address(words), 0) == 0, "no words: not 0");
}

static void test_sum_too_much(void)
{
	static const u64 counts[] = {SUM_MAX + 1, 1ULL << 61, 1ULL << 32, ~0ULL,
				     1ULL << 63};

	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		expect(call(CALL_SUM, 0x100000, counts[i]) == CALL_INVALID,
		       "%lx words: %ld", counts[i],
		       call(CALL_SUM, 0x100000, counts[i]));
}

/* --- what it costs */

#define TIMES 1000u

static void count(const char *what, enum exit_reason kind, void (*once)(void),
		  u64 own)
{
	struct exit_cost before = exits_of(kind), after;

	for (unsigned i = 0; i < TIMES; i++)
		once();
	after = exits_of(kind);
	print("asks: %u times %s: %lu exits, %lu cycles each\n", TIMES, what,
	      after.exits - before.exits - own,
	      (after.cycles - before.cycles) / TIMES);
	expect(after.exits - before.exits == TIMES + own, "%lu exits",
	       after.exits - before.exits);
	expect(after.cycles > before.cycles, "in no time");
}

static void once_cpuid(void)
{
	cpuid(0, 0);
}

static void once_call(void)
{
	call(CALL_WHO, 0, 0);
}

static void test_cost(void)
{
	expect(exits_visible(), "no counters: is CPUID right?");
	if (test_failed())
		return;
	count("CPUID", EXIT_CPUID, once_cpuid, 1);
	count("a hypercall", EXIT_HYPERCALL, once_call, 0);
}

static const struct test tests[] = {
	GODWIT_TEST("lab2.cpuid-returns", test_cpuid_returns),
	GODWIT_TEST("lab2.cpuid-leaves", test_cpuid_leaves),
	GODWIT_TEST("lab2.cpuid-registers", test_cpuid_registers),
	GODWIT_TEST("lab2.who", test_who),
	GODWIT_TEST("lab2.unknown", test_unknown),
	GODWIT_TEST("lab2.user", test_user),
	GODWIT_TEST("lab2.say", test_say),
	GODWIT_TEST("lab2.say-too-much", test_say_too_much),
	GODWIT_TEST("lab2.nowhere", test_nowhere),
	GODWIT_TEST("lab2.sum", test_sum),
	GODWIT_TEST("lab2.sum-too-much", test_sum_too_much),
	GODWIT_TEST("lab2.cost", test_cost),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
