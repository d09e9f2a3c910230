/*
 * KVM's clock: that a guest which reckons as KVM's documentation says sees the
 * machine's nanoseconds, whatever the TSC's rate and whatever it writes there.
 *
 *	links: kernel/machine/kvmclock.c kernel/vm/fields.c
 *	links: tests/unit/fake_vm.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c
 */
#include "test.h"

#include <stdlib.h>

#include "cpu/time.h"
#include "machine/chipset.h"
#include "tests/unit/fake_vm.h"

#define PAGE_AT 0x5000

static struct vm *vm;
static struct vcpu *cpu;

u64 machine_ns(const struct vm *v)
{
	return tsc_to_ns(fake_tsc - v->tsc_base);
}

static void start(void)
{
	vm = fake_vm(2, MIB(2));
	cpu = vm->vcpu[0];
	vm->chipset = calloc(1, sizeof(*vm->chipset));
	vm->chipset->born = 1795910398;
	vm->tsc_base = fake_tsc;
	for (unsigned i = 0; i < 2; i++)
		vm->vcpu[i]->tsc_offset = -fake_tsc;
	fake_tsc += 123456789;
}

static void finish(void)
{
	free(vm->chipset);
	fake_vm_free(vm);
}

/* What the guest does, with its own TSC. */
static u64 guest_ns_at(u64 at, u64 tsc)
{
	struct {
		u32 version, pad;
		u64 tsc, ns;
		u32 multiplier;
		int8_t shift;
		u8 flags;
	} page;
	u64 delta;

	CHECK_EQ(guest_read(&vm->memory, at, &page, sizeof(page)), E_OK);
	CHECK(!(page.version & 1) && page.version);
	CHECK_EQ(page.flags, 1);
	CHECK(tsc >= page.tsc);
	delta = tsc - page.tsc;
	delta = page.shift < 0 ? delta >> -page.shift : delta << page.shift;
	return page.ns +
	       (u64)((unsigned __int128)delta * page.multiplier >> 32);
}

static u64 guest_ns(u64 tsc)
{
	return guest_ns_at(PAGE_AT, tsc);
}

static void check_time(void)
{
	u64 seen = guest_ns(vcpu_tsc(cpu)), real = machine_ns(vm);

	/* Within 1 ns, and 1 in 10^9. */
	CHECK(seen + 1 + real / 1000000000 >= real);
	CHECK(seen <= real + 1 + real / 1000000000);
}

TEST(scale_is_as_exact_as_32_bits)
{
	static const u64 rates[] = {100000000,	1000000000, 1000000001,
				    1999999999, 2000000000, 2000000001,
				    2600000000, 5123456789, 18000000000};

	for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
		struct kvmclock_scale s = kvmclock_scale(rates[i]);
		u64 ticks = rates[i];

		CHECK(s.multiplier >= BIT(31));
		ticks = s.shift < 0 ? ticks >> -s.shift : ticks << s.shift;
		ticks = (unsigned __int128)ticks * s.multiplier >> 32;
		CHECK(ticks > NS_PER_S - 10 && ticks <= NS_PER_S);
	}
}

TEST(a_guest_sees_the_machine_s_time)
{
	start();
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_SYSTEM_TIME_NEW, PAGE_AT | 1), E_OK);
	for (unsigned i = 0; i < 40; i++) {
		check_time();
		fake_tsc += 1ULL << i;
	}
	finish();
}

/* The moved TSC's reader sees no step: not back, and hardly forward. */
TEST(writing_the_tsc_moves_no_clock)
{
	u64 before;

	start();
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_SYSTEM_TIME, PAGE_AT | 1), E_OK);
	fake_tsc += 987654321;
	before = guest_ns(vcpu_tsc(cpu));
	cpu->tsc_offset += 1ULL << 50;
	kvmclock_update(cpu);
	CHECK(guest_ns(vcpu_tsc(cpu)) + 1 >= before);
	check_time();
	finish();
}

/* Told at different times, with TSCs of their own: never a nanosecond apart. */
TEST(processors_agree)
{
	struct vcpu *other;

	start();
	other = vm->vcpu[1];
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_SYSTEM_TIME, PAGE_AT | 1), E_OK);
	fake_tsc += 1ULL << 45;
	other->tsc_offset += 987654321;
	CHECK_EQ(kvmclock_wrmsr(other, KVM_SYSTEM_TIME, 0x6001), E_OK);
	for (unsigned i = 0; i < 1000; i++, fake_tsc += 1000003)
		CHECK_EQ(guest_ns(vcpu_tsc(cpu)),
			 guest_ns_at(0x6000, vcpu_tsc(other)));
	finish();
}

TEST(wall_clock_is_when_the_machine_began)
{
	u32 wall[3];

	start();
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_WALL_CLOCK_NEW, 0x6000), E_OK);
	guest_read(&vm->memory, 0x6000, wall, sizeof(wall));
	CHECK_EQ(wall[0] & 1, 0);
	CHECK_EQ(wall[1], 1795910398);
	CHECK_EQ(wall[2], 0);
	finish();
}

TEST(addresses_that_are_none)
{
	static const u64 bad[] = {MIB(2) | 1, (MIB(2) - 16) | 1, 0x5002 | 1,
				  ~3ULL | 1};
	u64 value;

	start();
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ(kvmclock_wrmsr(cpu, KVM_SYSTEM_TIME, bad[i]),
			 E_INVALID);
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_WALL_CLOCK, MIB(2) - 8), E_INVALID);
	CHECK_EQ(kvmclock_rdmsr(cpu, KVM_SYSTEM_TIME, &value), E_OK);
	CHECK_EQ(value, 0);
	CHECK_EQ(kvmclock_wrmsr(cpu, 0x4b564d02, 0), E_NOTFOUND);
	CHECK_EQ(kvmclock_wrmsr(cpu, KVM_SYSTEM_TIME, 0), E_OK);
	kvmclock_update(cpu); /* off: writes nothing */
	finish();
}

TEST(each_processor_has_its_own)
{
	u64 value;

	start();
	CHECK_EQ(kvmclock_wrmsr(vm->vcpu[1], KVM_SYSTEM_TIME, PAGE_AT | 1),
		 E_OK);
	CHECK_EQ(kvmclock_rdmsr(cpu, KVM_SYSTEM_TIME_NEW, &value), E_OK);
	CHECK_EQ(value, 0);
	CHECK_EQ(kvmclock_rdmsr(vm->vcpu[1], KVM_SYSTEM_TIME_NEW, &value),
		 E_OK);
	CHECK_EQ(value, PAGE_AT | 1);
	finish();
}
