#include "machine/kvmclock.h"

#include "cpu/msr.h"
#include "cpu/time.h"
#include "cpu/wall.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "vm/vm.h"

#define CLOCK_ON   BIT(0)
#define TSC_STABLE BIT(0) /* flags: the same on all vCPUs */

/* The structures in guest memory (pvclock-abi.h has their names). */
struct time_info {
	u32 version; /* odd: being changed */
	u32 pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	i8 tsc_shift;
	u8 flags, pad[2];
};
ASSERT_SIZE(struct time_info, 32);

struct wall_info {
	u32 version, sec, nsec; /* of the moment when system_time was 0 */
};

#define FIELD(member) DEVICE_FIELD(struct kvmclock, member, 1, 1)

static const struct device_field fields[] = {
	FIELD(system),
	FIELD(wall),
	FIELD(version),
};

const struct device_description kvmclock_description = {
	"kvmclock", 1, ARRAY_LEN(fields), fields};

err_t kvmclock_create(struct vcpu *vcpu)
{
	vcpu->kvmclock = kzalloc(sizeof(*vcpu->kvmclock));
	return vcpu->kvmclock ? E_OK : E_NOMEM;
}

void kvmclock_destroy(struct vcpu *vcpu)
{
	kfree(vcpu->kvmclock);
	vcpu->kvmclock = NULL;
}

/* The multiplier has all of its 32 bits: an error of 1 in 2^31 or less. */
struct kvmclock_rate kvmclock_rate(u64 khz)
{
	u64 from = khz, to = NS_PER_MS;
	i8 shift = 0;

	for (; to >= from; shift++)
		from <<= 1;
	for (; to * 2 < from; shift--)
		to <<= 1;
	return (struct kvmclock_rate){(to << 32) / from, shift};
}

/*
 * All vCPUs have the same origin, the start of the VM, seen by their own TSC:
 * so they agree to the nanosecond, whenever each of them is told.
 */
static void fill(const struct vcpu *vcpu, struct time_info *info)
{
	struct kvmclock_rate rate = kvmclock_rate(tsc_khz);

	info->tsc_timestamp = vcpu->vm->tsc_base + vcpu->tsc_offset;
	info->system_time = vcpu->vm->clock_base_ns;
	info->tsc_to_system_mul = rate.multiplier;
	info->tsc_shift = rate.shift;
	info->flags = TSC_STABLE;
}

void kvmclock_update(struct vcpu *vcpu)
{
	struct kvmclock *clock = vcpu->kvmclock;
	struct guest_memory *memory = &vcpu->vm->memory;
	u64 at = clock->system & ~CLOCK_ON;
	struct time_info info = {.version = clock->version + 1};

	if (!(clock->system & CLOCK_ON))
		return;
	fill(vcpu, &info);
	/* Other vCPUs may be reading: odd, then the rest, then even. */
	guest_write(memory, at, &info.version, sizeof(info.version));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	guest_write(memory, at + 8, &info.tsc_timestamp, sizeof(info) - 8);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	clock->version += 2;
	guest_write(memory, at, &clock->version, sizeof(clock->version));
}

static err_t write_system(struct vcpu *vcpu, u64 value)
{
	if ((value & CLOCK_ON) && !guest_is_ram(&vcpu->vm->memory,
						value & ~CLOCK_ON,
						sizeof(struct time_info)))
		return E_INVALID;
	vcpu->kvmclock->system = value;
	kvmclock_update(vcpu);
	return E_OK;
}

static err_t write_wall(struct vcpu *vcpu, u64 value)
{
	const struct vm *vm = vcpu->vm;
	u64 start = wall_ns(vm->tsc_base) - vm->clock_base_ns;
	const struct wall_info info = {2, start / NS_PER_S, start % NS_PER_S};

	vcpu->kvmclock->wall = value;
	return guest_write(&vcpu->vm->memory, value, &info, sizeof(info))
		       ? E_INVALID
		       : E_OK;
}

err_t kvmclock_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_OLD:
		*value = vcpu->kvmclock->system;
		return E_OK;
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_OLD:
		*value = vcpu->kvmclock->wall;
		return E_OK;
	}
	return E_NOTFOUND;
}

err_t kvmclock_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_OLD:
		return write_system(vcpu, value);
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_OLD:
		return write_wall(vcpu, value);
	}
	return E_NOTFOUND;
}
