/*
 * KVM's PV_EOI (Documentation/virt/kvm/x86/msr.rst of Linux): an interrupt's
 * end without an exit, where the hypervisor has lent it.
 */
#ifndef GUEST_EOI_H
#define GUEST_EOI_H

#include "apic.h"

#define MSR_PV_EOI     0x4b564d04
#define PV_EOI_ON      BIT(0)
#define KVM_FEATURES   0x40000001
#define KVM_HAS_PV_EOI BIT(6)

/* Ends the interrupt in service; true: without the APIC. */
static inline bool end_by_word(volatile u32 *lender)
{
	bool lent;

	asm volatile("btrl $0, %0" : "+m"(*lender), "=@ccc"(lent)::"memory");
	if (!lent)
		apic_eoi();
	return lent;
}

#endif
