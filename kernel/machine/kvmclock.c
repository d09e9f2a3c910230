#include "machine/kvmclock.h"

#include "cpu/time.h"
#include "lib/printf.h"
#include "lib/ratio.h"
#include "machine/chipset.h"
#include "vm/vm.h"

#define SYSTEM_TIME_ON BIT(0)

struct system_time {
	u32 version; /* odd while it is being changed */
	u32 pad;
	u64 tsc; /* the guest's, at ... */
	u64 ns;	 /* ... this time */
	u32 multiplier;
	int8_t shift;
	u8 flags;
	u8 pad2[2];
};
ASSERT_SIZE(struct system_time, 32);
#define TSC_STABLE BIT(0) /* the same on all vCPUs: no need to compare */

struct wall_clock {
	u32 version;
	u32 seconds, nanoseconds;
};

static const struct device_field fields[] = {
	DEVICE_FIELD(struct kvmclock, system_time, 1, 1),
	DEVICE_FIELD(struct kvmclock, wall_clock, 1, 1),
};

static bool is_in_memory(const struct vm *vm, u64 at, u64 size)
{
	return !(at & 3) && guest_is_ram(&vm->memory, at, size);
}

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct kvmclock *clock = device;

	if ((clock->system_time & SYSTEM_TIME_ON) &&
	    !is_in_memory(vm, clock->system_time & ~SYSTEM_TIME_ON,
			  sizeof(struct system_time)))
		snprintf(why, size, "system_time: %lx is not in memory",
			 clock->system_time);
	else if (!is_in_memory(vm, clock->wall_clock,
			       sizeof(struct wall_clock)))
		snprintf(why, size, "wall_clock: %lx is not in memory",
			 clock->wall_clock);
	else
		return true;
	return false;
}

const struct device_description kvmclock_description = {
	"kvmclock", 1, ARRAY_LEN(fields), fields, check};

/* A multiplier with its highest bit set has the most of what 32 bits can say.
 */
struct kvmclock_scale kvmclock_scale(u64 hz)
{
	struct kvmclock_scale scale = {0, 0};

	while (hz > NS_PER_S * 2) {
		hz >>= 1;
		scale.shift--;
	}
	while (hz <= NS_PER_S) {
		hz <<= 1;
		scale.shift++;
	}
	scale.multiplier = divide_wide(NS_PER_S, 0, hz) >> 32;
	return scale;
}

static struct kvmclock *clock_of(const struct vcpu *vcpu)
{
	return &vcpu->vm->chipset->kvmclock[vcpu->id];
}

/*
 * Written once, it holds for as long as the TSC runs as it does: the clock is a
 * straight line, and never steps back. Every vCPU's begins where the machine
 * did, or came to this host, as seen by its own TSC: were it the moment of the
 * writing, the rounded multiplier would draw them apart, and TSC_STABLE would
 * be a lie.
 */
static err_t publish(struct vcpu *vcpu)
{
	u64 at = clock_of(vcpu)->system_time & ~SYSTEM_TIME_ON;
	struct guest_memory *memory = &vcpu->vm->memory;
	const struct kvmclock_scale scale = kvmclock_scale(tsc_khz * 1000);
	struct system_time now = {
		.tsc = vcpu->vm->tsc_base + vcpu->tsc_offset,
		.ns = vcpu->vm->chipset->clock_base,
		.multiplier = scale.multiplier,
		.shift = scale.shift,
		.flags = TSC_STABLE,
	};
	u32 version;
	err_t err = guest_read(memory, at, &version, sizeof(version));

	if (err)
		return err;
	now.version = (version | 1) + 2;
	err = guest_write(memory, at, &now, sizeof(now));
	version = now.version + 1;
	return err ? err : guest_write(memory, at, &version, sizeof(version));
}

/*
 * Where its line has come to, rounded as the guest rounds it: the next one
 * begins there, whatever the host's clocks say, and so never below what the
 * guest has read.
 */
u64 kvmclock_at(const struct vm *vm, u64 tsc)
{
	const struct kvmclock_scale scale = kvmclock_scale(tsc_khz * 1000);
	u64 ticks = MAX(tsc, vm->tsc_base) - vm->tsc_base;

	ticks = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
	return vm->chipset->clock_base +
	       (u64)((unsigned __int128)ticks * scale.multiplier >> 32);
}

void kvmclock_update(struct vcpu *vcpu)
{
	if (clock_of(vcpu)->system_time & SYSTEM_TIME_ON)
		(void)publish(vcpu); /* it was RAM when it was turned on */
}

static err_t write_system_time(struct vcpu *vcpu, u64 value)
{
	u64 at = value & ~SYSTEM_TIME_ON;

	if (!(value & SYSTEM_TIME_ON)) {
		clock_of(vcpu)->system_time = value;
		return E_OK;
	}
	if ((at & 3) ||
	    !guest_is_ram(&vcpu->vm->memory, at, sizeof(struct system_time)))
		return E_INVALID;
	clock_of(vcpu)->system_time = value;
	return publish(vcpu);
}

/* The time of day when the machine's nanoseconds began. */
static err_t write_wall_clock(struct vcpu *vcpu, u64 at)
{
	const struct wall_clock wall = {
		.version = 2,
		.seconds = vcpu->vm->chipset->born,
	};

	if ((at & 3) || guest_write(&vcpu->vm->memory, at, &wall, sizeof(wall)))
		return E_INVALID;
	clock_of(vcpu)->wall_clock = at;
	return E_OK;
}

err_t kvmclock_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	switch (msr) {
	case KVM_WALL_CLOCK:
	case KVM_WALL_CLOCK_NEW:
		*value = clock_of(vcpu)->wall_clock;
		return E_OK;
	case KVM_SYSTEM_TIME:
	case KVM_SYSTEM_TIME_NEW:
		*value = clock_of(vcpu)->system_time;
		return E_OK;
	}
	return E_NOTFOUND;
}

err_t kvmclock_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	switch (msr) {
	case KVM_WALL_CLOCK:
	case KVM_WALL_CLOCK_NEW:
		return write_wall_clock(vcpu, value);
	case KVM_SYSTEM_TIME:
	case KVM_SYSTEM_TIME_NEW:
		return write_system_time(vcpu, value);
	}
	return E_NOTFOUND;
}
