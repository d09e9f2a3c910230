/*
 * kvmclock: what a guest finds in its memory, and that the time it computes from
 * that is the host's, on every vCPU, also after its TSC has been moved.
 *
 *	links: kernel/machine/kvmclock.c kernel/machine/fields.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/files.c
 *	links: kernel/lib/string.c
 *	links: tests/unit/fake_vm.c
 */
#include <stdlib.h>

#include "cpu/msr.h"
#include "cpu/time.h"
#include "machine/kvmclock.h"
#include "tests/unit/fake_vm.h"
#include "tests/unit/test.h"

/* pvclock-abi.h */
struct info {
	u32 version, pad0;
	u64 tsc, ns;
	u32 multiplier;
	i8 shift;
	u8 flags, pad[2];
};

static struct vm *vm;

static void start(void)
{
	vm = fake_vm(2, MIB(4));
	vm->tsc_base = fake_tsc;
	for (unsigned i = 0; i < 2; i++) {
		vm->vcpu[i]->tsc_offset = -vm->tsc_base;
		CHECK_EQ(kvmclock_create(vm->vcpu[i]), E_OK);
	}
}

static void finish(void)
{
	for (unsigned i = 0; i < 2; i++)
		kvmclock_destroy(vm->vcpu[i]);
	fake_vm_free(vm);
}

static struct info info_at(u64 gpa)
{
	struct info info;

	CHECK_EQ(guest_read(&vm->memory, gpa, &info, sizeof(info)), E_OK);
	return info;
}

/* As guests do it: the ticks shifted, then multiplied. */
static u64 guest_ns(unsigned cpu, u64 gpa)
{
	struct info info = info_at(gpa);
	u64 ticks = vcpu_tsc(vm->vcpu[cpu]) - info.tsc;

	CHECK_EQ(info.version % 2, 0);
	ticks = info.shift < 0 ? ticks >> -info.shift : ticks << info.shift;
	return info.ns + ((unsigned __int128)ticks * info.multiplier >> 32);
}

TEST(rates)
{
	static const u64 khz[] = {1,	   999,	    100000,  999999, 1000000,
				  1000001, 2600000, 3500000, 8000000};

	for (unsigned i = 0; i < ARRAY_LEN(khz); i++) {
		struct kvmclock_rate r = kvmclock_rate(khz[i]);
		u64 second = khz[i] * 1000, ns;

		CHECK(r.multiplier >= 0x80000000u);
		second = r.shift < 0 ? second >> -r.shift : second << r.shift;
		ns = (unsigned __int128)second * r.multiplier >> 32;
		CHECK(ns <= NS_PER_S && ns >= NS_PER_S - 10);
	}
}

TEST(time_passes)
{
	u64 value;

	start();
	vm->clock_base_ns = 5;
	CHECK_EQ(kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, 0x1001),
		 E_OK);
	CHECK_EQ(kvmclock_rdmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME_OLD, &value),
		 E_OK);
	CHECK_EQ(value, 0x1001);
	CHECK_EQ(info_at(0x1000).flags, 1);
	CHECK_EQ(guest_ns(0, 0x1000), 5);
	fake_tsc += FAKE_TSC_HZ * 3600;
	CHECK(guest_ns(0, 0x1000) - 3600 * NS_PER_S < 1000);
	finish();
}

/* Told at different times, by the older MSR, with a TSC of its own. */
TEST(vcpus_agree)
{
	start();
	kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, 0x1001);
	fake_tsc += 123456789;
	vm->vcpu[1]->tsc_offset += 987654321;
	kvmclock_wrmsr(vm->vcpu[1], MSR_KVM_SYSTEM_TIME_OLD, 0x2041);
	for (unsigned i = 0; i < 1000; i++, fake_tsc += 1000003)
		CHECK_EQ(guest_ns(0, 0x1000), guest_ns(1, 0x2040));
	finish();
}

TEST(tsc_moves)
{
	u64 before;
	u32 version;

	start();
	kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, 0x1001);
	fake_tsc += FAKE_TSC_HZ;
	before = guest_ns(0, 0x1000);
	version = info_at(0x1000).version;
	vm->vcpu[0]->tsc_offset -= FAKE_TSC_HZ / 2;
	kvmclock_update(vm->vcpu[0]);
	CHECK_EQ(guest_ns(0, 0x1000), before);
	CHECK_EQ(info_at(0x1000).version, version + 2);
	finish();
}

TEST(off)
{
	start();
	kvmclock_update(vm->vcpu[0]);
	CHECK_EQ(info_at(0).version, 0);
	kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, 0x1001);
	kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, 0);
	guest_fill(&vm->memory, 0, 0, 0x2000);
	kvmclock_update(vm->vcpu[0]);
	CHECK_EQ(info_at(0).multiplier, 0);
	CHECK_EQ(info_at(0x1000).multiplier, 0);
	finish();
}

TEST(wall_clock)
{
	struct {
		u32 version, sec, nsec;
	} wall;

	start();
	CHECK_EQ(kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_WALL_CLOCK, 0x3000),
		 E_OK);
	guest_read(&vm->memory, 0x3000, &wall, sizeof(wall));
	CHECK_EQ(wall.version % 2, 0);
	CHECK_EQ(wall.sec * NS_PER_S + wall.nsec,
		 FAKE_WALL_NS + tsc_to_ns(vm->tsc_base));
	finish();
}

TEST(places_that_are_none)
{
	static const u64 bad[] = {MIB(4) - 31, MIB(4), GIB(3), ~0ULL,
				  0xffffffffffffffe1};
	u64 value;

	start();
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_EQ(kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME,
					bad[i] | 1),
			 E_INVALID);
		CHECK_EQ(kvmclock_wrmsr(vm->vcpu[0], MSR_KVM_WALL_CLOCK,
					bad[i] | 31),
			 E_INVALID);
	}
	CHECK_EQ(kvmclock_rdmsr(vm->vcpu[0], MSR_KVM_SYSTEM_TIME, &value),
		 E_OK);
	CHECK_EQ(value, 0);
	CHECK_EQ(kvmclock_wrmsr(vm->vcpu[0], MSR_TSC, 0), E_NOTFOUND);
	CHECK_EQ(kvmclock_rdmsr(vm->vcpu[0], MSR_TSC, &value), E_NOTFOUND);
	finish();
}
