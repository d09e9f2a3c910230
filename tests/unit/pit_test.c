/*
 * The 8254: every mode that a PC's software uses, latching, read-back, the gate
 * of port 0x61, and when channel 0 interrupts.
 *
 *	links: kernel/machine/pit.c kernel/vm/fields.c
 *	links: tests/unit/fake_vm.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/vm/bus.c kernel/files.c
 */
#include "test.h"

#include <string.h>

#include "cpu/time.h"
#include "machine/chipset.h"
#include "machine/irq.h"
#include "tests/unit/fake_vm.h"

static struct chipset chipset;
static struct pit *const pit = &chipset.pit;
static struct vm vm = {.chipset = &chipset};
static u64 now; /* ns */
static unsigned rises;

void irq_line(struct vm *v, unsigned gsi, bool high)
{
	CHECK_EQ(gsi, 0);
	rises += high;
}

u64 machine_ns(const struct vm *v)
{
	return now;
}

void chipset_moved(struct vm *v)
{
}

static void start(void)
{
	pit_reset(pit);
	now = 5 * NS_PER_S + 123;
	rises = 0;
}

/* To the middle of the tick that is so many on. */
static void advance(u64 ticks)
{
	now += ticks * NS_PER_S / PIT_HZ;
}

static void program(unsigned channel, u8 mode, u16 count)
{
	pit_write(pit, 3, channel << 6 | 0x30 | mode << 1, now);
	pit_write(pit, channel, count, now);
	pit_write(pit, channel, count >> 8, now);
	now += NS_PER_S / PIT_HZ / 2;
}

static u16 count(unsigned channel)
{
	u16 low;

	pit_write(pit, 3, channel << 6, now);
	low = pit_read(pit, channel, now);
	return low | pit_read(pit, channel, now) << 8;
}

static u8 status(unsigned channel)
{
	pit_write(pit, 3, 0xe0 | 2 << channel, now);
	return pit_read(pit, channel, now);
}

TEST(mode_0_counts_down_once)
{
	start();
	pit_gate_write(pit, 1, now);
	program(2, 0, 1000);
	CHECK_EQ(count(2), 1000);
	CHECK(!(pit_gate_read(pit, now) & 0x20));
	advance(400);
	CHECK_EQ(count(2), 600);
	advance(599);
	CHECK(!(pit_gate_read(pit, now) & 0x20));
	advance(1);
	CHECK(pit_gate_read(pit, now) & 0x20);
	advance(10);
	CHECK_EQ(count(2), 65536 - 10);
}

TEST(a_low_gate_holds_it)
{
	start();
	pit_gate_write(pit, 1, now);
	program(2, 0, 1000);
	advance(300);
	pit_gate_write(pit, 2, now);
	advance(5000);
	CHECK_EQ(pit_gate_read(pit, now) & 0x2f, 2);
	CHECK_EQ(count(2), 700);
	pit_gate_write(pit, 1, now);
	advance(699);
	CHECK(!(pit_gate_read(pit, now) & 0x20));
	advance(2);
	CHECK(pit_gate_read(pit, now) & 0x20);
}

TEST(mode_2_repeats)
{
	start();
	program(0, 2, 100);
	advance(30);
	CHECK_EQ(count(0), 70);
	advance(100);
	CHECK_EQ(count(0), 70);
	advance(69);
	CHECK_EQ(count(0), 1);
	CHECK(!(status(0) & 0x80));
	advance(1);
	CHECK_EQ(count(0), 100);
	CHECK(status(0) & 0x80);
}

TEST(mode_3_is_a_square_wave)
{
	start();
	program(0, 3, 100);
	advance(10);
	CHECK_EQ(count(0), 80);
	CHECK_EQ(status(0), 0x80 | 3 << 4 | 3 << 1);
	advance(45);
	CHECK_EQ(count(0), 90);
	CHECK(!(status(0) & 0x80));
}

TEST(zero_is_65536)
{
	start();
	program(0, 2, 0);
	advance(1);
	CHECK_EQ(count(0), 65535);
}

TEST(latched_until_read)
{
	start();
	program(0, 2, 10000);
	pit_write(pit, 3, 0, now);
	advance(100);
	pit_write(pit, 3, 0, now); /* ignored */
	CHECK_EQ(pit_read(pit, 0, now), (u8)10000);
	CHECK_EQ(pit_read(pit, 0, now), 10000 >> 8);
	CHECK_EQ(pit_read(pit, 0, now), (u8)9900);
	CHECK_EQ(pit_read(pit, 0, now), 9900 >> 8);
}

TEST(one_byte_and_decimal)
{
	start();
	pit_write(pit, 3, 0x15, now); /* low byte, mode 2, decimal */
	pit_write(pit, 0, 0x99, now);
	now += NS_PER_S / PIT_HZ / 2;
	advance(9);
	CHECK_EQ(pit_read(pit, 0, now), 0x90);
	pit_write(pit, 3, 0x24, now); /* high byte */
	pit_write(pit, 0, 2, now);
	now += NS_PER_S / PIT_HZ / 2;
	advance(250);
	CHECK_EQ(pit_read(pit, 0, now), 1);
}

TEST(read_back_of_several)
{
	start();
	program(0, 2, 500);
	program(1, 2, 600);
	pit_write(pit, 3, 0xc0 | 2 | 4, now);
	CHECK_EQ(pit_read(pit, 0, now) & 0x3f, 3 << 4 | 2 << 1);
	CHECK_EQ(pit_read(pit, 0, now), (u8)499);
	CHECK_EQ(pit_read(pit, 1, now) & 0x3f, 3 << 4 | 2 << 1);
}

TEST(channel_0_interrupts_once_a_period)
{
	u64 next, first;

	start();
	program(0, 2, 11932); /* 100 Hz */
	first = pit_poll(&vm, now);
	CHECK_EQ(rises, 0);
	for (unsigned i = 0; i < 100; i++) {
		next = pit_poll(&vm, now);
		CHECK(next > now);
		pit_poll(&vm, next - 1);
		CHECK_EQ(rises, i);
		now = next;
		pit_poll(&vm, now);
		CHECK_EQ(rises, i + 1);
	}
	/* 99 periods of 11932 ticks, to a tick */
	CHECK(now - first > 99ULL * 11932 * NS_PER_S / PIT_HZ - 1000);
	CHECK(now - first < 99ULL * 11932 * NS_PER_S / PIT_HZ + 1000);
}

TEST(missed_periods_are_one_interrupt)
{
	u64 next;

	start();
	program(0, 3, 11932);
	now += NS_PER_S;
	next = pit_poll(&vm, now);
	CHECK_EQ(rises, 1);
	CHECK(next > now && next - now <= 10 * NS_PER_MS);
}

TEST(one_shot_is_one)
{
	u64 next;

	start();
	program(0, 0, 1000);
	next = pit_poll(&vm, now);
	CHECK(next != ~0ULL);
	CHECK_EQ(pit_poll(&vm, next), ~0ULL);
	CHECK_EQ(rises, 1);
	CHECK_EQ(pit_poll(&vm, next + NS_PER_S), ~0ULL);
	CHECK_EQ(rises, 1);
}

/* A storm would leave neither guest nor host any time. */
TEST(the_fastest_is_bounded)
{
	start();
	program(0, 2, 1);
	for (unsigned i = 0; i < 1000; i++)
		now = pit_poll(&vm, now);
	CHECK(rises <= 1000);
	CHECK(now >= 5 * NS_PER_S + 990 * 50 * NS_PER_US);
}

TEST(random_programs_stay_sane)
{
	u64 seed = 3;

	start();
	for (unsigned i = 0; i < 200000; i++) {
		u64 r = fake_random(&seed) >> 16, next;

		if (r & 1)
			pit_write(pit, r >> 8 & 3, r >> 16, now);
		else if (r & 2)
			pit_read(pit, r >> 8 & 3, now);
		else
			pit_gate_write(pit, r >> 16, now);
		pit_gate_read(pit, now);
		next = pit_poll(&vm, now);
		CHECK(next > now);
		now += r >> 40 & 0xfffff;
	}
}
