#include "machine/lapic.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "machine/irq.h"
#include "machine/lapic_regs.h"
#include "mm/heap.h"
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

static const struct device_field fields[] = {
	DEVICE_FIELD(struct lapic, base, 1, 1),
	DEVICE_FIELD(struct lapic, id, 1, 1),
	DEVICE_FIELD_MAX(struct lapic, tpr, 1, 1, 0xff),
	DEVICE_FIELD(struct lapic, ldr, 1, 1),
	DEVICE_FIELD(struct lapic, dfr, 1, 1),
	DEVICE_FIELD_MAX(struct lapic, svr, 1, 1, 0x1ff),
	DEVICE_FIELD(struct lapic, esr, 1, 1),
	DEVICE_FIELD(struct lapic, errors, 1, 1),
	DEVICE_FIELD(struct lapic, icr, 1, 1),
	DEVICE_FIELD(struct lapic, lvt, LVT_COUNT, 1),
	DEVICE_FIELD(struct lapic, irr, 4, 1),
	DEVICE_FIELD(struct lapic, isr, 4, 1),
	DEVICE_FIELD(struct lapic, tmr, 4, 1),
	DEVICE_FIELD(struct lapic, initial, 1, 1),
	DEVICE_FIELD_MAX(struct lapic, divide, 1, 1, 0xb),
	DEVICE_FIELD(struct lapic, tsc_deadline, 1, 1),
	DEVICE_FIELD(struct lapic, expires_ns, 1, 1),
	DEVICE_FIELD(struct lapic, eoi_word, 1, 2),
};

/* Bits that a register may have, whether software writes them or not. */
static bool has_only(const char *name, u64 value, u64 bits, char *why,
		     size_t size)
{
	if (!(value & ~bits))
		return true;
	snprintf(why, size, "%s: %lx: reserved bits", name, value);
	return false;
}

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct lapic *lapic = device;
	const u64 modes = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	const u32 sent = LVT_SENT | LVT_REMOTE;

	if ((lapic->base & ~(modes | APIC_BASE_BSP)) != LAPIC_ADDRESS ||
	    (lapic->base & modes) == APIC_BASE_X2APIC ||
	    !(lapic->base & APIC_BASE_BSP) != !!lapic->vcpu->id) {
		snprintf(why, size, "base: %lx", lapic->base);
		return false;
	}
	if (lapic->id != lapic->vcpu->id) {
		snprintf(why, size, "id: %u, of vCPU %u", lapic->id,
			 lapic->vcpu->id);
		return false;
	}
	if (!vlapic_eoi_word_fits(vm, lapic->eoi_word)) {
		snprintf(why, size, "eoi_word: %lx is not in memory",
			 lapic->eoi_word);
		return false;
	}
	for (unsigned i = 0; i < LVT_COUNT; i++)
		if (!has_only("lvt", lapic->lvt[i],
			      vlapic_regs[APIC_LVT + i].writable | sent, why,
			      size))
			return false;
	/* Vectors that an APIC refuses. */
	return has_only("irr", lapic->irr[0] & 0xffff, 0, why, size) &&
	       has_only("isr", lapic->isr[0] & 0xffff, 0, why, size) &&
	       has_only("tmr", lapic->tmr[0] & 0xffff, 0, why, size) &&
	       has_only("icr", lapic->icr, 0xffffffff00000000 | ICR_VALID, why,
			size);
}

const struct device_description vlapic_description = {
	"lapic", 2, ARRAY_LEN(fields), fields, check};

err_t vlapic_create(struct vcpu *vcpu)
{
	vcpu->lapic = kzalloc(sizeof(*vcpu->lapic));
	if (!vcpu->lapic)
		return E_NOMEM;
	vcpu->lapic->vcpu = vcpu;
	return E_OK;
}

void vlapic_destroy(struct vcpu *vcpu)
{
	kfree(vcpu->lapic);
	vcpu->lapic = NULL;
}

/* All but APIC_BASE and the ID (11.4.7.1 and 11.4.7.3). */
void vlapic_init(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;

	vlapic_keep_eoi(vcpu);
	lapic->eoi_word = 0;
	lapic->tpr = lapic->esr = lapic->errors = 0;
	SHARED_SET(lapic->ppr, 0);
	SHARED_SET(lapic->ldr, 0);
	SHARED_SET(lapic->dfr, ~0u);
	SHARED_SET(lapic->svr, 0xff);
	lapic->icr = 0;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		lapic->lvt[i] = LVT_MASKED;
	for (unsigned i = 0; i < ARRAY_LEN(lapic->irr); i++) {
		SHARED_SET(lapic->irr[i], 0);
		SHARED_SET(lapic->again[i], 0);
		SHARED_SET(lapic->tmr[i], 0);
		lapic->isr[i] = 0;
	}
	vlapic_timer_reset(lapic);
}

void vlapic_reset(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	u64 base = LAPIC_ADDRESS | APIC_BASE_ENABLE;

	lapic->id = vcpu->id;
	lapic->clock = 0;
	SHARED_SET(lapic->base, vcpu->id ? base : base | APIC_BASE_BSP);
	vlapic_init(vcpu);
}

bool vlapic_takes_extint(const struct lapic *lapic)
{
	u32 lint0 = SHARED_GET(lapic->lvt[LVT_LINT0]);

	if (!vlapic_enabled(lapic))
		return true;
	return !(lint0 & LVT_MASKED) && DELIVERY(lint0) == DELIVER_EXTINT;
}

void vlapic_virtual_wire(struct vcpu *vcpu)
{
	vcpu->lapic->lvt[LVT_LINT0] = DELIVER_EXTINT << 8;
	vcpu->lapic->lvt[LVT_LINT1] = DELIVER_NMI << 8;
}

/* --- what is pending, and its priority (11.8.3) */

int vlapic_highest(const u64 *bits)
{
	for (int i = 3; i >= 0; i--) {
		u64 word = SHARED_GET(bits[i]);

		if (word)
			return i * 64 + 63 - __builtin_clzll(word);
	}
	return -1;
}

bool vlapic_is_only(const u64 *bits, int vector)
{
	u64 others = 0;

	for (int i = 0; i < 4; i++)
		others |= SHARED_GET(bits[i]) &
			  ~(i == vector / 64 ? BIT(vector % 64) : 0);
	return !others;
}

static void update_ppr(struct lapic *lapic)
{
	int in_service = vlapic_highest(lapic->isr);
	u32 service = in_service < 0 ? 0 : in_service & 0xf0;

	SHARED_SET(lapic->ppr,
		   (lapic->tpr & 0xf0) >= service ? lapic->tpr : service);
}

/*
 * What is offered stays in IRR until we learn that the guest has taken it; what
 * comes in the meantime is one more, or the same if it has not.
 */
static void take_again(struct lapic *lapic)
{
	for (unsigned i = 0; i < ARRAY_LEN(lapic->again); i++)
		if (SHARED_GET(lapic->again[i]))
			__atomic_fetch_or(&lapic->irr[i],
					  __atomic_exchange_n(&lapic->again[i],
							      0,
							      __ATOMIC_SEQ_CST),
					  __ATOMIC_SEQ_CST);
}

void vlapic_freeze(struct vcpu *vcpu)
{
	take_again(vcpu->lapic);
	vlapic_timer_freeze(vcpu->lapic);
}

void vlapic_go_on(struct vcpu *vcpu)
{
	update_ppr(vcpu->lapic);
	vlapic_timer_go_on(vcpu->lapic);
}

int vlapic_pending(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	int vector;

	take_again(lapic);
	vector = vlapic_highest(lapic->irr);
	if (vector < 0 || (vector & 0xf0u) <= (lapic->ppr & 0xf0) ||
	    !vlapic_accepts(lapic))
		return -1;
	return vector;
}

void vlapic_taken(struct vcpu *vcpu, u8 vector)
{
	struct lapic *lapic = vcpu->lapic;

	__atomic_fetch_and(&lapic->irr[vector / 64], ~BIT(vector % 64),
			   __ATOMIC_SEQ_CST);
	lapic->isr[vector / 64] |= BIT(vector % 64);
	update_ppr(lapic);
}

/* The run loop may offer what it did not, or must take an offer back. */
static void look_again(struct lapic *lapic)
{
	if (vlapic_highest(lapic->irr) >= 0)
		vcpu_request(lapic->vcpu, REQUEST_INTERRUPT);
}

static void end_of_interrupt(struct lapic *lapic)
{
	int vector = vlapic_highest(lapic->isr);

	vlapic_keep_eoi(lapic->vcpu);
	if (vector < 0)
		return;
	lapic->isr[vector / 64] &= ~BIT(vector % 64);
	update_ppr(lapic);
	/* Level: whoever sent it is told, and may send it again (11.8.5). */
	if (SHARED_GET(lapic->tmr[vector / 64]) & BIT(vector % 64))
		irq_eoi(lapic->vcpu->vm, vector);
	look_again(lapic);
}

bool vlapic_raise(struct vcpu *vcpu, u8 vector, bool level)
{
	struct lapic *lapic = vcpu->lapic;
	u64 bit = BIT(vector % 64);

	if (vector < LAPIC_VECTOR_MIN || !vlapic_accepts(lapic))
		return false;
	/* The trigger mode is there before the request can be seen (11.8.4). */
	if (level)
		__atomic_fetch_or(&lapic->tmr[vector / 64], bit,
				  __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&lapic->tmr[vector / 64], ~bit,
				   __ATOMIC_SEQ_CST);
	if (__atomic_fetch_or(&lapic->irr[vector / 64], bit, __ATOMIC_SEQ_CST) &
	    bit)
		__atomic_fetch_or(&lapic->again[vector / 64], bit,
				  __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu, REQUEST_INTERRUPT);
	return true;
}

/* An interrupt of the APIC's own, as its local vector says (11.5.1). */
void vlapic_local(struct lapic *lapic, enum lapic_lvt which)
{
	u32 lvt = lapic->lvt[which];

	if (lvt & LVT_MASKED)
		return;
	if ((u8)lvt < LAPIC_VECTOR_MIN)
		vlapic_error(lapic, ESR_RECEIVE_VECTOR);
	else
		vlapic_raise(lapic->vcpu, lvt, false);
}

/* The error interrupt comes once, until ESR is written again (11.5.3). */
void vlapic_error(struct lapic *lapic, u32 bit)
{
	bool armed = !lapic->errors;

	lapic->errors |= bit;
	if (armed)
		vlapic_local(lapic, LVT_ERROR);
}

u64 vlapic_cr8_read(struct vcpu *vcpu)
{
	return vcpu->lapic->tpr >> 4;
}

void vlapic_cr8_write(struct vcpu *vcpu, u64 value)
{
	vlapic_write(vcpu->lapic, APIC_TPR, (value & 15) << 4);
}

/* --- registers */

static void write_svr(struct lapic *lapic, u32 value)
{
	SHARED_SET(lapic->svr, value);
	if (value & SVR_ENABLE) {
		look_again(lapic);
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
		update_ppr(lapic);
		look_again(lapic);
		break;
	case APIC_EOI:
		end_of_interrupt(lapic);
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
