/*
 * The end of an interrupt, lent to the guest (KVM's PV_EOI).
 *
 *	links: kernel/machine/lapic.c kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c
 *	links: kernel/machine/lapic_ipi.c kernel/machine/lapic_timer.c
 *	links: kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 */
#include <string.h>

#include "tests/unit/fake_lapic.h"

#define WORD   0x1004
#define ON     1
#define LOW    0x41
#define HIGH   0x81
#define MEMORY MIB(4)

static u32 word(void)
{
	u32 value = 0;

	CHECK_EQ(guest_read(&vm->memory, WORD, &value, sizeof(value)), E_OK);
	return value;
}

/* As the guest does it: true if that was all. */
static bool end_by_word(void)
{
	u32 was = word(), now = was & ~1u;

	CHECK_EQ(guest_write(&vm->memory, WORD, &now, sizeof(now)), E_OK);
	return was & 1;
}

/* With the word named. */
static void set_up(void)
{
	start_with(1, MEMORY);
	CHECK_EQ(vlapic_wrmsr(cpu, MSR_PV_EOI, WORD | ON), E_OK);
}

/* What the run loop does before an entry; the guest takes what is offered at
 * once, or later. */
static void enter_taking(int vector)
{
	take(vector);
	vlapic_lend_eoi(cpu, vlapic_pending(cpu));
}

static void enter_offering(int vector)
{
	CHECK_EQ(vlapic_pending(cpu), vector);
	vlapic_lend_eoi(cpu, vector);
}

static void exit_guest(void)
{
	if (cpu->eoi_lent)
		vlapic_look_for_eoi(cpu);
}

static bool in_service(u8 vector)
{
	return cpu->lapic->isr[vector / 64] & BIT(vector % 64);
}

TEST(names_a_word_of_memory)
{
	static const u64 bad[] = {WORD | ON | 2, (WORD + 2) | ON, MEMORY | ON,
				  (MEMORY - 2) | ON, ~3ULL | ON};
	u64 value = 1;

	start_with(1, MEMORY);
	CHECK_EQ(vlapic_rdmsr(cpu, MSR_PV_EOI, &value), E_OK);
	CHECK_EQ(value, 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ(vlapic_wrmsr(cpu, MSR_PV_EOI, bad[i]), E_INVALID);
	CHECK_EQ(vlapic_wrmsr(cpu, MSR_PV_EOI, (MEMORY - 4) | ON), E_OK);
	CHECK_EQ(vlapic_rdmsr(cpu, MSR_PV_EOI, &value), E_OK);
	CHECK_EQ(value, (MEMORY - 4) | ON);
	CHECK_EQ(vlapic_wrmsr(cpu, MSR_PV_EOI, 0), E_OK);
	finish();
}

TEST(nothing_is_lent_unasked)
{
	start_with(1, MEMORY);
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	CHECK(!cpu->eoi_lent);
	CHECK_EQ(word(), 0);
	finish();
}

TEST(ends_without_eoi)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	CHECK_EQ(word(), 1);
	exit_guest();
	CHECK(in_service(LOW)); /* not ended yet: lent as before */
	CHECK(cpu->eoi_lent);
	CHECK(end_by_word());
	exit_guest();
	CHECK(!in_service(LOW));
	CHECK(!cpu->eoi_lent);
	CHECK_EQ(cpu->lapic->ppr, 0);
	finish();
}

/* Whoever waits is let in by an exit. */
TEST(not_lent_while_another_waits)
{
	set_up();
	vlapic_raise(cpu, HIGH, false);
	vlapic_raise(cpu, LOW, false);
	enter_taking(HIGH);
	CHECK(!end_by_word());
	put(APIC_EOI, 0);
	enter_taking(LOW);
	CHECK(end_by_word());
	finish();
}

TEST(taken_back_when_another_comes)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	fake_requests(cpu);
	vlapic_raise(cpu, LOW + 1, false);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	exit_guest();
	enter_offering(-1);
	CHECK(!end_by_word());
	put(APIC_EOI, 0);
	CHECK_EQ(vlapic_pending(cpu), LOW + 1);
	finish();
}

/* It had ended when the other came: that can be taken at once. */
TEST(ended_before_another_came)
{
	set_up();
	vlapic_raise(cpu, HIGH, false);
	enter_taking(HIGH);
	CHECK(end_by_word());
	vlapic_raise(cpu, LOW, false);
	exit_guest();
	CHECK_EQ(vlapic_pending(cpu), LOW);
	finish();
}

TEST(a_level_is_not_lent)
{
	set_up();
	vlapic_raise(cpu, LOW, true);
	enter_taking(LOW);
	CHECK(!cpu->eoi_lent);
	put(APIC_EOI, 0);
	vlapic_raise(cpu, LOW, true);
	enter_offering(LOW);
	CHECK(!cpu->eoi_lent);
	finish();
}

/* The inner one's end is lent, the outer one's not while that lasts. */
TEST(the_highest_in_service_is_meant)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	vlapic_raise(cpu, HIGH, false);
	exit_guest();
	enter_taking(HIGH);
	CHECK(end_by_word());
	CHECK(!end_by_word());
	exit_guest();
	CHECK(in_service(LOW));
	CHECK(!in_service(HIGH));
	finish();
}

TEST(lent_with_the_offer)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_offering(LOW);
	CHECK(end_by_word());
	vlapic_taken(cpu, LOW); /* we learn of both at the same exit */
	exit_guest();
	CHECK(!in_service(LOW));
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}

TEST(not_lent_with_one_offer_of_two)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	vlapic_raise(cpu, HIGH, false);
	enter_offering(HIGH);
	CHECK(!cpu->eoi_lent);
	finish();
}

/* An end by the register, though it was lent, is one end and not two. */
TEST(the_register_works_as_ever)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	vlapic_raise(cpu, HIGH, false);
	exit_guest();
	enter_taking(HIGH);
	CHECK_EQ(word(), 1);
	exit_guest();
	put(APIC_EOI, 0);
	CHECK_EQ(word(), 0);
	CHECK(!cpu->eoi_lent);
	CHECK(in_service(LOW));
	finish();
}

TEST(an_end_of_nothing_ends_nothing)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_offering(LOW);
	CHECK(end_by_word());
	exit_guest(); /* and LOW has not been taken */
	CHECK_EQ(vlapic_pending(cpu), LOW);
	finish();
}

/* What came after the first was taken, and before we knew, is one more. */
TEST(the_same_again_is_not_lost)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_offering(LOW);
	CHECK(end_by_word());
	vlapic_raise(cpu, LOW, false);
	vlapic_taken(cpu, LOW);
	exit_guest();
	take(LOW);
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}

TEST(the_same_again_is_saved)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	vlapic_raise(cpu, LOW, false);
	vlapic_taken(cpu, LOW);
	vlapic_freeze(cpu);
	CHECK_EQ(cpu->lapic->irr[1], BIT(LOW - 64));
	finish();
}

TEST(kept_when_the_guest_is_left)
{
	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	vlapic_keep_eoi(cpu);
	CHECK(!end_by_word());
	CHECK(!cpu->eoi_lent);
	CHECK(in_service(LOW));
	finish();
}

TEST(an_init_forgets_the_word)
{
	u64 value = 1;

	set_up();
	vlapic_raise(cpu, LOW, false);
	enter_taking(LOW);
	vlapic_init(cpu);
	CHECK_EQ(word(), 0);
	CHECK(!cpu->eoi_lent);
	CHECK_EQ(vlapic_rdmsr(cpu, MSR_PV_EOI, &value), E_OK);
	CHECK_EQ(value, 0);
	finish();
}

TEST(a_state_with_a_word_outside_is_refused)
{
	char why[80];

	set_up();
	CHECK(vlapic_description.check(cpu->lapic, vm, why, sizeof(why)));
	cpu->lapic->eoi_word = MEMORY | ON;
	CHECK(!vlapic_description.check(cpu->lapic, vm, why, sizeof(why)));
	CHECK(!strcmp(why, "eoi_word: 400001 is not in memory"));
	finish();
}
