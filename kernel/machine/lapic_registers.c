/*
 * The local APIC's registers, alike in both modes, and its page in memory. What
 * an interrupt goes through is lapic.c.
 */
#include "machine/lapic_regs.h"
#include "vm/vm.h"

#define RW   (REG_READ | REG_WRITE)
#define X2RW (REG_X2_READ | REG_X2_WRITE)

#define READ_ONLY                         \
	{                                 \
		REG_READ | REG_X2_READ, 0 \
	}
#define READ_ONLY_X8                                                      \
	READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY, \
		READ_ONLY, READ_ONLY
#define BOTH(writable)              \
	{                           \
		RW | X2RW, writable \
	}

const struct vlapic_reg vlapic_regs[APIC_REGISTERS] = {
	[APIC_ID] = READ_ONLY,
	[APIC_VERSION] = READ_ONLY,
	[APIC_TPR] = BOTH(0xff),
	[APIC_APR] = {REG_READ, 0},
	[APIC_PPR] = READ_ONLY,
	[APIC_EOI] = {REG_WRITE | REG_X2_WRITE, 0},
	[APIC_RRD] = {REG_READ, 0},
	[APIC_LDR] = {RW | REG_X2_READ, 0xff000000},
	[APIC_DFR] = {RW, 0xf0000000},
	[APIC_SVR] = BOTH(0x1ff),
	[APIC_ISR] = READ_ONLY_X8,
	[APIC_TMR] = READ_ONLY_X8,
	[APIC_IRR] = READ_ONLY_X8,
	[APIC_ESR] = BOTH(0),
	[APIC_ICR] = BOTH(ICR_VALID),
	[APIC_ICR_HIGH] = {RW, 0xff000000},
	[APIC_LVT + LVT_TIMER] = BOTH(0x000700ff),
	[APIC_LVT + LVT_THERMAL] = BOTH(0x000107ff),
	[APIC_LVT + LVT_PERF] = BOTH(0x000107ff),
	[APIC_LVT + LVT_LINT0] = BOTH(0x0001a7ff),
	[APIC_LVT + LVT_LINT1] = BOTH(0x0001a7ff),
	[APIC_LVT + LVT_ERROR] = BOTH(0x000100ff),
	[APIC_INITIAL] = BOTH(0xffffffff),
	[APIC_CURRENT] = READ_ONLY,
	[APIC_DIVIDE] = BOTH(0xb),
	[APIC_SELF_IPI] = {REG_X2_WRITE, 0xff},
};

static void write_svr(struct lapic *lapic, u32 value)
{
	SHARED_SET(lapic->svr, value);
	if (value & SVR_ENABLE) {
		vlapic_look_again(lapic);
		return;
	}
	/* Disabled by software: all local vectors are masked (11.4.7.2). */
	for (unsigned i = 0; i < LVT_COUNT; i++)
		lapic->lvt[i] |= LVT_MASKED;
}

static void write_lvt(struct lapic *lapic, unsigned which, u32 value)
{
	u32 old = lapic->lvt[which];

	if (!(lapic->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	SHARED_SET(lapic->lvt[which], value);
	if (which == LVT_TIMER)
		vlapic_timer_mode(lapic, old);
	if (which == LVT_LINT0)
		vcpu_request(lapic->vcpu, REQUEST_INTERRUPT);
}

static u32 word_of(const u64 *bits, unsigned index)
{
	return SHARED_GET(bits[index / 2]) >> (index & 1 ? 32 : 0);
}

static u32 read_ldr(const struct lapic *lapic)
{
	return vlapic_x2apic(lapic) ? vlapic_x2apic_ldr(lapic) : lapic->ldr;
}

u32 vlapic_read(struct lapic *lapic, unsigned reg)
{
	switch (reg) {
	case APIC_ID:
		return vlapic_x2apic(lapic) ? lapic->id : lapic->id << 24;
	case APIC_VERSION: /* integrated, and its last local vector */
		return 0x14 | (LVT_COUNT - 1) << 16;
	case APIC_TPR:
		return lapic->tpr;
	case APIC_PPR:
		return lapic->ppr;
	case APIC_LDR:
		return read_ldr(lapic);
	case APIC_DFR:
		return lapic->dfr;
	case APIC_SVR:
		return lapic->svr;
	case APIC_ISR ... APIC_ISR + 7:
		return word_of(lapic->isr, reg - APIC_ISR);
	case APIC_TMR ... APIC_TMR + 7:
		return word_of(lapic->tmr, reg - APIC_TMR);
	case APIC_IRR ... APIC_IRR + 7:
		return word_of(lapic->irr, reg - APIC_IRR);
	case APIC_ESR:
		return lapic->esr;
	case APIC_ICR:
		return lapic->icr;
	case APIC_ICR_HIGH:
		return lapic->icr >> 32;
	case APIC_LVT ... APIC_LVT + LVT_COUNT - 1:
		return lapic->lvt[reg - APIC_LVT];
	case APIC_INITIAL:
		return lapic->initial;
	case APIC_CURRENT:
		return vlapic_timer_current(lapic);
	case APIC_DIVIDE:
		return lapic->divide;
	}
	return 0; /* APR and RRD: an arbitration that no longer exists */
}

void vlapic_write(struct lapic *lapic, unsigned reg, u32 value)
{
	switch (reg) {
	case APIC_TPR:
		lapic->tpr = value;
		vlapic_update_ppr(lapic);
		vlapic_look_again(lapic);
		break;
	case APIC_EOI:
		vlapic_end_of_interrupt(lapic);
		break;
	case APIC_LDR:
		SHARED_SET(lapic->ldr, value);
		break;
	case APIC_DFR:
		SHARED_SET(lapic->dfr, value | 0x0fffffff);
		break;
	case APIC_SVR:
		write_svr(lapic, value);
		break;
	case APIC_ESR:
		lapic->esr = lapic->errors;
		lapic->errors = 0;
		break;
	case APIC_ICR:
		lapic->icr = (lapic->icr & 0xffffffff00000000) | value;
		vlapic_send(lapic);
		break;
	case APIC_ICR_HIGH:
		lapic->icr = (u64)value << 32 | (u32)lapic->icr;
		break;
	case APIC_LVT ... APIC_LVT + LVT_COUNT - 1:
		write_lvt(lapic, reg - APIC_LVT, value);
		break;
	case APIC_INITIAL:
		vlapic_timer_start(lapic, value);
		break;
	case APIC_DIVIDE:
		vlapic_timer_divide(lapic, value);
		break;
	case APIC_SELF_IPI:
		vlapic_send_self(lapic, value);
		break;
	}
}

/* --- xAPIC: the page (11.4.1) */

static bool page_is_there(const struct lapic *lapic)
{
	return vlapic_enabled(lapic) && !vlapic_x2apic(lapic);
}

/* Registers are the first 4 of each 16 bytes. */
static u64 mmio_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct lapic *lapic = vcpu->lapic;
	unsigned reg = offset >> 4, byte = offset & 15;

	if (!page_is_there(lapic))
		return ~0ULL;
	if (byte + size > 4)
		return 0;
	if (reg >= APIC_REGISTERS || !vlapic_regs[reg].rights ||
	    reg == APIC_SELF_IPI) {
		vlapic_error(lapic, ESR_REGISTER_ADDRESS);
		return 0;
	}
	if (!(vlapic_regs[reg].rights & REG_READ))
		return 0;
	return vlapic_read(lapic, reg) >> (8 * byte);
}

static void mmio_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct lapic *lapic = vcpu->lapic;
	unsigned reg = offset >> 4;

	if (!page_is_there(lapic) || (offset & 15) || size != 4)
		return;
	if (reg >= APIC_REGISTERS || !vlapic_regs[reg].rights ||
	    reg == APIC_SELF_IPI) {
		vlapic_error(lapic, ESR_REGISTER_ADDRESS);
		return;
	}
	if (vlapic_regs[reg].rights & REG_WRITE)
		vlapic_write(lapic, reg, value & vlapic_regs[reg].writable);
}

const struct bus_ops vlapic_bus_ops = {.read = mmio_read, .write = mmio_write};
