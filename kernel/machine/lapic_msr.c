/* The local APIC's MSRs: APIC_BASE, x2APIC's, TSC_DEADLINE, KVM's PV_EOI. */
#include "machine/lapic_regs.h"

#define BASE_MODE    (APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define BASE_ADDRESS 0x000ffffffffff000ULL

/* Which steps between modes there are (11.12.5, figure 11-27). */
static bool mode_may_become(u64 from, u64 to)
{
	switch (to) {
	case 0:
		return true;
	case APIC_BASE_ENABLE:
		return from != BASE_MODE;
	case BASE_MODE:
		return from != 0;
	}
	return false; /* x2APIC without APIC */
}

static err_t write_base(struct vcpu *vcpu, u64 value)
{
	struct lapic *lapic = vcpu->lapic;
	u64 from = lapic->base & BASE_MODE, to = value & BASE_MODE;

	if (value & ~(BASE_MODE | APIC_BASE_BSP | BASE_ADDRESS) ||
	    !mode_may_become(from, to))
		return E_INVALID;
	/* It cannot be moved: each vCPU's would have to be elsewhere. */
	if ((value & BASE_ADDRESS) != LAPIC_ADDRESS)
		return E_INVALID;
	/* Off and on again is a reset (11.4.3). */
	if (!to && from)
		vlapic_init(vcpu);
	SHARED_SET(lapic->base,
		   LAPIC_ADDRESS | to | (lapic->base & APIC_BASE_BSP));
	return E_OK;
}

static err_t read_register(struct lapic *lapic, unsigned reg, u64 *value)
{
	if (!vlapic_x2apic(lapic) || reg >= APIC_REGISTERS ||
	    !(vlapic_regs[reg].rights & REG_X2_READ))
		return E_INVALID;
	*value = reg == APIC_ICR ? lapic->icr : vlapic_read(lapic, reg);
	return E_OK;
}

/*
 * Bits that only the APIC writes (figure 11-8): whoever writes them back, as
 * Linux does when it ends, is ignored.
 */
static u64 read_only(unsigned reg)
{
	if (reg < APIC_LVT || reg >= APIC_LVT + LVT_COUNT)
		return 0;
	if (reg == APIC_LVT + LVT_LINT0 || reg == APIC_LVT + LVT_LINT1)
		return LVT_SENT | LVT_REMOTE;
	return LVT_SENT;
}

/* Reserved bits must be 0; the ICR alone has 64 of them (11.12.1.3). */
static err_t write_register(struct lapic *lapic, unsigned reg, u64 value)
{
	u64 writable;

	if (!vlapic_x2apic(lapic) || reg >= APIC_REGISTERS ||
	    !(vlapic_regs[reg].rights & REG_X2_WRITE))
		return E_INVALID;
	writable = vlapic_regs[reg].writable;
	if (reg == APIC_ICR)
		writable |= 0xffffffff00000000;
	if (value & ~(writable | read_only(reg)))
		return E_INVALID;
	if (reg == APIC_ICR)
		lapic->icr = value;
	vlapic_write(lapic, reg, value & writable);
	return E_OK;
}

static bool is_x2apic_msr(u32 msr)
{
	return msr - MSR_X2APIC_BASE < 0x100;
}

err_t vlapic_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	struct lapic *lapic = vcpu->lapic;

	if (is_x2apic_msr(msr))
		return read_register(lapic, msr - MSR_X2APIC_BASE, value);
	switch (msr) {
	case MSR_APIC_BASE:
		*value = lapic->base;
		return E_OK;
	case MSR_TSC_DEADLINE:
		*value = vlapic_deadline_read(lapic);
		return E_OK;
	case MSR_PV_EOI:
		*value = lapic->eoi_word;
		return E_OK;
	}
	return E_NOTFOUND;
}

err_t vlapic_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	struct lapic *lapic = vcpu->lapic;

	if (is_x2apic_msr(msr))
		return write_register(lapic, msr - MSR_X2APIC_BASE, value);
	switch (msr) {
	case MSR_APIC_BASE:
		return write_base(vcpu, value);
	case MSR_TSC_DEADLINE:
		vlapic_deadline_write(lapic, value);
		return E_OK;
	case MSR_PV_EOI:
		return vlapic_eoi_word_write(lapic, value);
	}
	return E_NOTFOUND;
}
