#include "machine/lapic.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "machine/irq.h"
#include "machine/lapic_regs.h"
#include "mm/heap.h"
#include "vm/vm.h"

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

void vlapic_update_ppr(struct lapic *lapic)
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
	vlapic_update_ppr(vcpu->lapic);
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
	vlapic_update_ppr(lapic);
}

void vlapic_look_again(struct lapic *lapic)
{
	if (vlapic_highest(lapic->irr) >= 0)
		vcpu_request(lapic->vcpu, REQUEST_INTERRUPT);
}

void vlapic_end_of_interrupt(struct lapic *lapic)
{
	int vector = vlapic_highest(lapic->isr);

	vlapic_keep_eoi(lapic->vcpu);
	if (vector < 0)
		return;
	lapic->isr[vector / 64] &= ~BIT(vector % 64);
	vlapic_update_ppr(lapic);
	/* Level: whoever sent it is told, and may send it again (11.8.5). */
	if (SHARED_GET(lapic->tmr[vector / 64]) & BIT(vector % 64))
		irq_eoi(lapic->vcpu->vm, vector);
	vlapic_look_again(lapic);
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
