/*
 * A VM of nothing but local APICs, for their tests. Sources that these need:
 * see the tests' head comments.
 */
#ifndef UNIT_FAKE_LAPIC_H
#define UNIT_FAKE_LAPIC_H

#include "machine/lapic_regs.h"
#include "tests/unit/fake_vm.h"
#include "tests/unit/test.h"

#define X2APIC_ON (LAPIC_ADDRESS | APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define XAPIC_ON  (LAPIC_ADDRESS | APIC_BASE_ENABLE)
#define ALL_OFF	  LAPIC_ADDRESS

static struct vm *vm;
static struct vcpu *cpu; /* the one that get() and put() mean */

static inline u32 get(unsigned reg)
{
	return vlapic_bus_ops.read(NULL, cpu, reg << 4, 4);
}

static inline void put(unsigned reg, u32 value)
{
	vlapic_bus_ops.write(NULL, cpu, reg << 4, 4, value);
}

static inline void set_base(struct vcpu *vcpu, u64 value)
{
	CHECK_EQ(vlapic_wrmsr(vcpu, MSR_APIC_BASE, value), E_OK);
}

/* Each in xAPIC mode, as at power-on, but enabled by software. */
static inline void start_with(unsigned vcpus, u64 memory)
{
	vm = fake_vm(vcpus, memory);
	for (unsigned i = vcpus; i--;) {
		cpu = vm->vcpu[i];
		CHECK_EQ(vlapic_create(cpu), E_OK);
		vlapic_reset(cpu);
		put(APIC_SVR, 0x1ff);
		fake_requests(cpu);
	}
}

static inline void start(unsigned vcpus)
{
	start_with(vcpus, 0);
}

static inline void use_x2apic(void)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		set_base(vm->vcpu[i], X2APIC_ON);
}

static inline void finish(void)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vlapic_destroy(vm->vcpu[i]);
	fake_vm_free(vm);
}

static inline err_t x2_put(unsigned reg, u64 value)
{
	return vlapic_wrmsr(cpu, MSR_X2APIC_BASE + reg, value);
}

static inline u64 x2_get(unsigned reg)
{
	u64 value = 0;

	CHECK_EQ(vlapic_rdmsr(cpu, MSR_X2APIC_BASE + reg, &value), E_OK);
	return value;
}

static inline void take(int vector)
{
	CHECK_EQ(vlapic_pending(cpu), vector);
	vlapic_taken(cpu, vector);
}

static inline u64 poll(void)
{
	return vlapic_poll(cpu, fake_tsc);
}

#endif
