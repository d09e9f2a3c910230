/*
 * Interrupts between vCPUs: the ICR (11.6.1), and who is meant by its
 * destination (11.6.2); and those that come from outside. Runs on the sender's
 * CPU; of others it reads the registers that lapic.h names and sets requests.
 */
#include "machine/lapic_regs.h"
#include "vm/vm.h"

#define XAPIC_EVERYONE	0xffu
#define X2APIC_EVERYONE 0xffffffffu
#define DFR_CLUSTER	0x0u /* in the upper four bits; flat is 0xf */

static bool matches_xapic_logical(const struct lapic *lapic, u32 dest)
{
	u32 ldr = SHARED_GET(lapic->ldr) >> 24;

	if (dest > 0xff)
		return false;
	if (SHARED_GET(lapic->dfr) >> 28 != DFR_CLUSTER)
		return ldr & dest;
	return ldr >> 4 == dest >> 4 && (ldr & dest & 15);
}

/* dest is in the sender's width; the receiver's mode says how it is read. */
static bool matches(const struct lapic *lapic, u32 dest, bool logical)
{
	u32 ldr;

	if (!logical)
		return lapic->id == dest;
	if (!vlapic_x2apic(lapic))
		return matches_xapic_logical(lapic, dest);
	ldr = vlapic_x2apic_ldr(lapic);
	return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
}

static bool is_meant(const struct lapic *to, const struct vlapic_message *m,
		     u32 everyone)
{
	return m->destination == everyone ||
	       matches(to, m->destination, m->logical);
}

static bool is_target(const struct lapic *from, const struct lapic *to)
{
	u32 everyone = X2APIC_EVERYONE;
	struct vlapic_message message = {
		.destination = from->icr >> 32,
		.logical = from->icr & ICR_LOGICAL,
	};

	switch (ICR_SHORTHAND(from->icr)) {
	case ICR_TO_SELF:
		return from == to;
	case ICR_TO_ALL:
		return true;
	case ICR_TO_OTHERS:
		return from != to;
	}
	if (!vlapic_x2apic(from)) {
		message.destination >>= 24;
		everyone = XAPIC_EVERYONE;
	}
	return is_meant(to, &message, everyone);
}

/*
 * Combinations that tables 11-3 and 11-4 call invalid. An NMI to oneself is
 * among them, but processors send it, and guests know.
 */
static bool is_void(u64 icr)
{
	unsigned delivery = DELIVERY(icr);

	switch (ICR_SHORTHAND(icr)) {
	case ICR_TO_SELF:
	case ICR_TO_ALL:
		return delivery != DELIVER_FIXED && delivery != DELIVER_NMI;
	}
	/* INIT level de-assert: arbitration IDs, which no longer exist. */
	return delivery == DELIVER_INIT && (icr & ICR_LEVEL) &&
	       !(icr & ICR_ASSERT);
}

/* False: this one does not take it. */
static bool deliver(struct vcpu *vcpu, u8 delivery, u8 vector, bool level)
{
	switch (delivery) {
	case DELIVER_FIXED:
		return vlapic_raise(vcpu, vector, level);
	case DELIVER_NMI:
		vcpu_kick(vcpu, REQUEST_NMI);
		return true;
	case DELIVER_INIT:
		vcpu_kick(vcpu, REQUEST_INIT);
		return true;
	case DELIVER_STARTUP:
		__atomic_store_n(&vcpu->sipi_vector, vector, __ATOMIC_RELEASE);
		vcpu_kick(vcpu, REQUEST_SIPI);
		return true;
	}
	/* SMI has no one to serve it, ExtINT no controller to ask. */
	return false;
}

/* Who does the less important work; of equals the first (11.6.2.4). */
static struct vcpu *less_busy(struct vcpu *best, struct vcpu *next)
{
	if (!vlapic_accepts(next->lapic))
		return best;
	if (!best ||
	    SHARED_GET(next->lapic->ppr) < SHARED_GET(best->lapic->ppr))
		return next;
	return best;
}

static void deliver_lowest(struct lapic *from)
{
	const struct vm *vm = from->vcpu->vm;
	struct vcpu *best = NULL;

	for (unsigned i = 0; i < vm->vcpus; i++)
		if (is_target(from, vm->vcpu[i]->lapic))
			best = less_busy(best, vm->vcpu[i]);
	if (best)
		vlapic_raise(best, from->icr, false);
}

void vlapic_send(struct lapic *from)
{
	const struct vm *vm = from->vcpu->vm;
	u64 icr = from->icr;

	if (is_void(icr))
		return;
	if (DELIVERY(icr) <= DELIVER_LOWEST && (u8)icr < LAPIC_VECTOR_MIN) {
		vlapic_error(from, ESR_SEND_VECTOR);
		return;
	}
	if (DELIVERY(icr) == DELIVER_LOWEST) {
		deliver_lowest(from);
		return;
	}
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct lapic *to = vm->vcpu[i]->lapic;

		if (is_target(from, to) && vlapic_enabled(to))
			(void)deliver(vm->vcpu[i], DELIVERY(icr), icr, false);
	}
}

/* x2APIC's SELF IPI: a fixed one, by one write (11.12.11). */
void vlapic_send_self(struct lapic *lapic, u8 vector)
{
	if (vector < LAPIC_VECTOR_MIN)
		vlapic_error(lapic, ESR_SEND_VECTOR);
	else
		vlapic_raise(lapic->vcpu, vector, false);
}

/* Messages have eight bits of destination, in either mode (11.11.1). */
bool vlapic_deliver(struct vm *vm, const struct vlapic_message *m)
{
	struct vcpu *best = NULL;
	bool taken = false;

	if (m->delivery == DELIVER_STARTUP)
		return false; /* reserved there */
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *vcpu = vm->vcpu[i];

		if (!is_meant(vcpu->lapic, m, XAPIC_EVERYONE))
			continue;
		if (m->delivery == DELIVER_LOWEST)
			best = less_busy(best, vcpu);
		else if (vlapic_enabled(vcpu->lapic) &&
			 deliver(vcpu, m->delivery, m->vector, m->level))
			taken = true;
	}
	if (best)
		taken = vlapic_raise(best, m->vector, m->level);
	return taken;
}
