/*
 * The guest's local APIC: what is pending, in service, and in which order (SDM
 * vol. 3A 11.8).
 *
 *	links: kernel/machine/lapic.c kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c
 *	links: kernel/machine/lapic_ipi.c kernel/machine/lapic_timer.c
 *	links: kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 *	libs: -lpthread
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/unit/fake_lapic.h"

TEST(vectors_below_16_are_never_accepted)
{
	start(1);
	for (unsigned i = 0; i < 16; i++)
		vlapic_raise(cpu, i, false);
	CHECK_EQ(get(APIC_IRR), 0);
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}

TEST(highest_first_and_nested_by_class)
{
	start(1);
	vlapic_raise(cpu, 0x31, false);
	vlapic_raise(cpu, 0x45, false);
	vlapic_raise(cpu, 0x42, false);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	take(0x45);
	CHECK_EQ(get(APIC_PPR), 0x40);
	CHECK_EQ(vlapic_pending(cpu), -1); /* 0x42 is of the same class */
	vlapic_raise(cpu, 0x51, false);
	take(0x51);
	CHECK_EQ(get(APIC_ISR + 2), BIT(0x45 - 0x40) | BIT(0x51 - 0x40));
	CHECK_EQ(get(APIC_IRR + 2), BIT(0x42 - 0x40));
	fake_requests(cpu);
	put(APIC_EOI, 0); /* of 0x51 */
	CHECK_EQ(vlapic_pending(cpu), -1);
	CHECK_EQ(get(APIC_ISR + 2), BIT(0x45 - 0x40));
	put(APIC_EOI, 0); /* of 0x45 */
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	take(0x42);
	put(APIC_EOI, 0);
	take(0x31);
	put(APIC_EOI, 0);
	put(APIC_EOI, 0); /* one too many */
	CHECK_EQ(get(APIC_PPR), 0);
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}

TEST(task_priority)
{
	start(1);
	vlapic_raise(cpu, 0x5f, false);
	put(APIC_TPR, 0x50);
	CHECK_EQ(vlapic_pending(cpu), -1);
	fake_requests(cpu);
	put(APIC_TPR, 0x4f);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	CHECK_EQ(get(APIC_PPR), 0x4f);
	take(0x5f);
	CHECK_EQ(get(APIC_PPR), 0x50);
	put(APIC_TPR, 0x57);
	CHECK_EQ(get(APIC_PPR), 0x57); /* of equals TPR, with its lower half */
	vlapic_cr8_write(cpu, 0xa);
	CHECK_EQ(get(APIC_TPR), 0xa0);
	CHECK_EQ(vlapic_cr8_read(cpu), 0xa);
	put(APIC_TPR, 0xf0);
	vlapic_raise(cpu, 0xff, false);
	CHECK_EQ(vlapic_pending(cpu), -1); /* nothing passes 15 */
	finish();
}

TEST(trigger_mode_register)
{
	start(1);
	vlapic_raise(cpu, 0x71, true);
	CHECK_EQ(get(APIC_TMR + 3), BIT(0x11));
	vlapic_raise(cpu, 0x71, false);
	CHECK_EQ(get(APIC_TMR + 3), 0);
	finish();
}

/* The same rules again, bit by bit and as slow as they read. */
struct slow_apic {
	bool irr[256], isr[256];
	unsigned tpr;
};

static int slow_highest(const bool *bits)
{
	int i;

	for (i = 255; i >= 0 && !bits[i]; i--)
		;
	return i;
}

static unsigned slow_ppr(const struct slow_apic *slow)
{
	int isr = slow_highest(slow->isr);

	if (isr < 0 || slow->tpr / 16 >= (unsigned)isr / 16)
		return slow->tpr;
	return isr / 16 * 16;
}

static int slow_pending(const struct slow_apic *slow)
{
	int irr = slow_highest(slow->irr);

	return irr >= 0 && (unsigned)irr / 16 > slow_ppr(slow) / 16 ? irr : -1;
}

TEST(random_interrupts_against_a_slow_model)
{
	struct slow_apic slow = {0};
	u64 seed = 20;
	int vector;

	start(1);
	for (unsigned i = 0; i < 200000; i++) {
		u64 r = fake_random(&seed);

		switch (r >> 60) {
		case 0:
			slow.tpr = (u8)r >> (r >> 8 & 7);
			put(APIC_TPR, slow.tpr);
			break;
		case 1 ... 6:
			vector = slow_highest(slow.isr);
			if (vector >= 0)
				slow.isr[vector] = false;
			put(APIC_EOI, 0);
			break;
		case 7 ... 11:
			vector = slow_pending(&slow);
			CHECK_EQ(vlapic_pending(cpu), vector);
			if (vector < 0)
				break;
			slow.irr[vector] = false;
			slow.isr[vector] = true;
			vlapic_taken(cpu, vector);
			break;
		default:
			slow.irr[(u8)r] |= (u8)r >= 16;
			vlapic_raise(cpu, r, false);
		}
		CHECK_EQ(get(APIC_PPR), slow_ppr(&slow));
		CHECK_EQ(vlapic_pending(cpu), slow_pending(&slow));
	}
	finish();
}

/*
 * Senders on other CPUs lose nothing to each other, nor to the owner, though
 * all their vectors share a word: each sends a burst and waits until all of it
 * has been taken.
 */
#define SENDERS 3
#define BURST	16
#define ROUNDS	1000

/*
 * A lost one is waited for for ever: seconds without any being taken, on a
 * machine that has other things to do.
 */
#define PATIENCE 60

static u32 taken[SENDERS];

static void *sender(void *argument)
{
	unsigned me = (unsigned)(u64)argument;

	for (u32 i = 1; i <= ROUNDS; i++) {
		for (unsigned n = 0; n < BURST; n++)
			vlapic_raise(cpu, 0x80 + BURST * me + n, false);
		while (__atomic_load_n(&taken[me], __ATOMIC_SEQ_CST) !=
		       i * BURST)
			sched_yield();
	}
	return NULL;
}

TEST(interrupts_from_other_cpus_are_not_lost)
{
	pthread_t thread[SENDERS];
	unsigned left = SENDERS * ROUNDS * BURST;

	start(1);
	for (u64 i = 0; i < SENDERS; i++)
		pthread_create(&thread[i], NULL, sender, (void *)i);
	while (left) {
		int vector = vlapic_pending(cpu);
		unsigned who = (vector - 0x80) / BURST;

		if (vector < 0) {
			/* Spinning would keep the senders from a processor. */
			sched_yield();
			continue;
		}
		alarm(PATIENCE);
		CHECK(who < SENDERS);
		vlapic_taken(cpu, vector);
		put(APIC_EOI, 0);
		__atomic_fetch_add(&taken[who], 1, __ATOMIC_SEQ_CST);
		left--;
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(vlapic_pending(cpu), -1);
	finish();
}
