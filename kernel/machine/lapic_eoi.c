/*
 * KVM's PV_EOI (Documentation/virt/kvm/x86/msr.rst of Linux's source): the end
 * of an interrupt without an exit. The guest names a word of its memory. Where
 * an end concerns nobody but the local APIC, it is lent to the guest: bit 0 is
 * set before the entry, and whoever would write EOI clears it instead. We find
 * that at the next exit, whatever its reason.
 *
 * What is lent stays lent over exits, as long as what was true then still is:
 * whatever changes IRR asks for REQUEST_INTERRUPT, and with it we look again.
 * Outside the run loop nothing is lent: nobody else needs to know of it.
 */
#include "machine/lapic_regs.h"
#include "vm/memory.h"
#include "vm/vm.h"

#define ON   BIT(0)
#define LENT BIT(0)

static u64 word_at(const struct lapic *lapic)
{
	return lapic->eoi_word & ~ON;
}

bool vlapic_eoi_word_fits(const struct vm *vm, u64 value)
{
	u64 word = value & ~ON;

	return !(value & ON) ||
	       (!(word & 3) && guest_is_ram(&vm->memory, word, sizeof(u32)));
}

err_t vlapic_eoi_word_write(struct lapic *lapic, u64 value)
{
	if (!vlapic_eoi_word_fits(lapic->vcpu->vm, value))
		return E_INVALID;
	vlapic_keep_eoi(lapic->vcpu);
	lapic->eoi_word = value;
	return E_OK;
}

static void set_word(struct vcpu *vcpu, bool lent)
{
	const u8 byte = lent ? LENT : 0;

	vcpu->eoi_lent = lent;
	/* It was RAM when it was named. */
	(void)guest_write(&vcpu->vm->memory, word_at(vcpu->lapic), &byte,
			  sizeof(byte));
}

static bool is_level(const struct lapic *lapic, int vector)
{
	return SHARED_GET(lapic->tmr[vector / 64]) & BIT(vector % 64);
}

/*
 * No other waits for the end of what is in service; or nothing is, and what is
 * offered (SVM's V_IRQ) is all that waits: there is no end before its own.
 */
static bool may_lend(const struct lapic *lapic, int offered)
{
	int service = vlapic_highest(lapic->isr);
	int waiting = vlapic_highest(lapic->irr);

	if (service >= 0)
		return waiting < 0 && !is_level(lapic, service);
	return waiting >= 0 && waiting == offered &&
	       vlapic_is_only(lapic->irr, waiting) && !is_level(lapic, waiting);
}

void vlapic_lend_eoi(struct vcpu *vcpu, int offered)
{
	const struct lapic *lapic = vcpu->lapic;
	bool lend = (lapic->eoi_word & ON) && may_lend(lapic, offered);

	if (lend != vcpu->eoi_lent)
		set_word(vcpu, lend);
}

void vlapic_look_for_eoi(struct vcpu *vcpu)
{
	u8 byte = 0;

	(void)guest_read(&vcpu->vm->memory, word_at(vcpu->lapic), &byte,
			 sizeof(byte));
	if (byte & LENT)
		return;
	vcpu->eoi_lent = false;
	vlapic_write(vcpu->lapic, APIC_EOI, 0);
}

void vlapic_keep_eoi(struct vcpu *vcpu)
{
	if (vcpu->eoi_lent)
		set_word(vcpu, false);
}
