/*
 * The end of an interrupt without an exit (KVM's PV_EOI): lent where nobody but
 * the local APIC cares, and only there; the exits that are saved are counted
 * (`counters = yes`).
 */
#include "eoi.h"

#include "counters.h"

#define VEC_LOW	 0x41
#define VEC_HIGH 0x81
#define SOME	 100u

static volatile u32 words[2] __attribute__((aligned(8)));
static volatile unsigned lent;

static bool take(struct trap_frame *frame)
{
	irq_count[frame->vector]++;
	lent += end_by_word(&words[0]);
	return true;
}

static void name_word(u64 value)
{
	wrmsr(MSR_PV_EOI, value);
}

static void set_up(void)
{
	expect(cpuid(KVM_FEATURES, 0).eax & KVM_HAS_PV_EOI, "not in CPUID");
	apic_start();
	memset((void *)irq_count, 0, sizeof(irq_count));
	trap_hooks[VEC_LOW] = trap_hooks[VEC_HIGH] = take;
	lent = words[0] = 0;
	name_word((u64)&words[0] | PV_EOI_ON);
}

static void try_word(u64 value)
{
	asm volatile(TRY("wrmsr")::"a"((u32)value), "d"((u32)(value >> 32)),
		     "c"(MSR_PV_EOI)
		     : "memory");
}

static void test_msr(void)
{
	const u64 here = (u64)&words[0],
		  bad[] = {here | 3, (here + 2) | 1, 0xfee00001, ~3ULL | 1};

	set_up();
	expect(rdmsr(MSR_PV_EOI) == (here | PV_EOI_ON), "reads %lx",
	       rdmsr(MSR_PV_EOI));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		try_word(bad[i]);
		expect_trap(EXC_GP, "a bad word");
	}
	expect(rdmsr(MSR_PV_EOI) == (here | PV_EOI_ON), "then %lx",
	       rdmsr(MSR_PV_EOI));
	try_word(0);
	expect_none("off");
}

static u64 apic_exits(void)
{
	return exits_of(apic_x2 ? EXIT_MSR_WRITE : EXIT_MEMORY).exits;
}

/* With interrupts on, each is taken at once: an exit to send it, no other. */
static u64 exits_for_some(void)
{
	u64 before = apic_exits();

	sti();
	for (unsigned i = 1; i <= SOME; i++) {
		apic_self(VEC_LOW);
		(void)wait_for(irq_count[VEC_LOW] == i);
	}
	cli();
	expect(irq_count[VEC_LOW] == SOME, "%u came", irq_count[VEC_LOW]);
	return apic_exits() - before;
}

static void test_saves_exits(void)
{
	u64 with, without;

	set_up();
	if (!apic_x2)
		skip("xAPIC mode: ICR takes two exits or one");
	with = exits_for_some();
	expect(lent == SOME, "%u lent", lent);
	irq_count[VEC_LOW] = 0;
	name_word(0);
	without = exits_for_some();
	expect(lent == SOME, "%u lent, switched off", lent);
	expect(with == SOME && without == 2 * SOME, "%lu and %lu exits", with,
	       without);
}

/* Sent with interrupts off, it is taken later, by itself. */
static void test_offered(void)
{
	set_up();
	for (unsigned i = 1; i <= SOME && !test_failed(); i++) {
		apic_self(VEC_LOW);
		sti();
		expect(wait_for(irq_count[VEC_LOW] == i), "%u never came", i);
		cli();
	}
	expect(lent > SOME / 2, "%u lent", lent);
}

static void test_two(void)
{
	set_up();
	for (unsigned i = 1; i <= SOME && !test_failed(); i++) {
		apic_self(VEC_LOW);
		apic_self(VEC_HIGH);
		sti();
		expect(wait_for(irq_count[VEC_LOW] == i &&
				irq_count[VEC_HIGH] == i),
		       "round %u: %u and %u came", i, irq_count[VEC_LOW],
		       irq_count[VEC_HIGH]);
		cli();
	}
}

/* One that comes while another is handled waits for an end that is seen. */
static bool send_another(struct trap_frame *frame)
{
	apic_self(VEC_LOW + 1);
	expect(!(words[0] & 1), "lent while another waits");
	return take(frame);
}

static void test_taken_back(void)
{
	set_up();
	trap_hooks[VEC_LOW] = send_another;
	trap_hooks[VEC_LOW + 1] = take;
	for (unsigned i = 1; i <= SOME && !test_failed(); i++) {
		apic_self(VEC_LOW);
		sti();
		expect(wait_for(irq_count[VEC_LOW + 1] == i), "round %u", i);
		cli();
	}
}

/* From its own handler, after its end: it comes again. */
static bool send_itself(struct trap_frame *frame)
{
	take(frame);
	if (irq_count[VEC_LOW] % 2)
		apic_self(VEC_LOW);
	return true;
}

static void test_again(void)
{
	set_up();
	trap_hooks[VEC_LOW] = send_itself;
	for (unsigned i = 1; i <= SOME && !test_failed(); i++) {
		apic_self(VEC_LOW);
		sti();
		expect(wait_for(irq_count[VEC_LOW] == 2 * i), "round %u: %u", i,
		       irq_count[VEC_LOW]);
		cli();
	}
}

/* The word is left alone, and one next to it always is. */
static bool by_register(struct trap_frame *frame)
{
	irq_count[frame->vector]++;
	apic_eoi();
	expect(!(words[0] & 1), "still lent after EOI");
	return true;
}

static void test_register(void)
{
	set_up();
	words[1] = 0x12345678;
	trap_hooks[VEC_LOW] = by_register;
	sti();
	for (unsigned i = 1; i <= SOME; i++) {
		apic_self(VEC_LOW);
		(void)wait_for(irq_count[VEC_LOW] == i);
	}
	cli();
	expect(irq_count[VEC_LOW] == SOME, "%u came", irq_count[VEC_LOW]);
	expect(words[1] == 0x12345678, "the next word is %x", words[1]);
}

static const struct test tests[] = {
	TEST("eoi.msr", test_msr),
	TEST("eoi.saves-exits", test_saves_exits),
	TEST("eoi.offered", test_offered),
	TEST("eoi.two", test_two),
	TEST("eoi.taken-back", test_taken_back),
	TEST("eoi.again", test_again),
	TEST("eoi.register", test_register),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
