/*
 * Interrupts on their way to local APICs: between vCPUs by the ICR (11.6.1),
 * from devices by I/O APIC or message, and who is meant by a destination
 * (11.6.2). Runs on the sender's CPU; of the receivers it reads the registers
 * that lapic.h names and sets requests.
 */
#include "machine/lapic_regs.h"
#include "vm/vm.h"

#define XAPIC_EVERYONE	0xffu
#define X2APIC_EVERYONE 0xffffffffu
#define DFR_CLUSTER	0x0u /* in the upper four bits; flat is 0xf */

/* An interrupt on its way: from a vCPU, or (from: NULL) from a device. */
struct vlapic_message {
	const struct lapic *from;
	unsigned shorthand;
	u32 dest, everyone; /* in the sender's width */
	bool logical, level;
	u8 delivery, vector;
};

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

static bool is_target(const struct vlapic_message *m, const struct lapic *to)
{
	switch (m->shorthand) {
	case ICR_TO_SELF:
		return m->from == to;
	case ICR_TO_ALL:
		return true;
	case ICR_TO_OTHERS:
		return m->from != to;
	}
	return m->dest == m->everyone || matches(to, m->dest, m->logical);
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

/* False: this APIC does not take it. */
static bool deliver(struct vcpu *vcpu, const struct vlapic_message *m)
{
	switch (m->delivery) {
	case DELIVER_FIXED:
		return vlapic_raise(vcpu, m->vector, m->level);
	case DELIVER_NMI:
		vcpu_kick(vcpu, REQUEST_NMI);
		return true;
	case DELIVER_INIT:
		vcpu_kick(vcpu, REQUEST_INIT);
		return true;
	case DELIVER_STARTUP:
		__atomic_store_n(&vcpu->sipi_vector, m->vector,
				 __ATOMIC_RELEASE);
		vcpu_kick(vcpu, REQUEST_SIPI);
		return true;
	}
	/* SMI has no one to serve it, ExtINT comes from the PIC alone. */
	return false;
}

/* Whoever does the least important work; of equals the first (11.6.2.4). */
static bool deliver_lowest(const struct vm *vm, const struct vlapic_message *m)
{
	struct vcpu *best = NULL;
	u32 priority = ~0u;

	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct lapic *to = vm->vcpu[i]->lapic;
		u32 ppr = SHARED_GET(to->ppr);

		if (is_target(m, to) && vlapic_accepts(to) && ppr < priority) {
			best = vm->vcpu[i];
			priority = ppr;
		}
	}
	return best && vlapic_raise(best, m->vector, m->level);
}

static bool send(const struct vm *vm, const struct vlapic_message *m)
{
	bool taken = false;

	if (m->delivery == DELIVER_LOWEST)
		return deliver_lowest(vm, m);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct lapic *to = vm->vcpu[i]->lapic;

		if (is_target(m, to) && vlapic_enabled(to) &&
		    deliver(vm->vcpu[i], m))
			taken = true;
	}
	return taken;
}

void vlapic_send(struct lapic *from)
{
	u64 icr = from->icr;
	bool x2 = vlapic_x2apic(from);
	struct vlapic_message m = {
		.from = from,
		.shorthand = ICR_SHORTHAND(icr),
		.dest = x2 ? icr >> 32 : icr >> 56,
		.everyone = x2 ? X2APIC_EVERYONE : XAPIC_EVERYONE,
		.logical = icr & ICR_LOGICAL,
		.delivery = DELIVERY(icr),
		.vector = icr,
	};

	if (is_void(icr))
		return;
	if (m.delivery <= DELIVER_LOWEST && m.vector < LAPIC_VECTOR_MIN)
		vlapic_error(from, ESR_SEND_VECTOR);
	else
		(void)send(from->vcpu->vm, &m);
}

bool vlapic_bus_send(const struct vm *vm, u8 dest, u32 word, bool level)
{
	struct vlapic_message m = {
		.dest = dest,
		.everyone = XAPIC_EVERYONE,
		.logical = word & ICR_LOGICAL,
		.delivery = DELIVERY(word),
		.vector = word,
		.level = level,
	};

	/* A device's INIT would be one more way to a dead vCPU, no use. */
	if (m.delivery > DELIVER_LOWEST && m.delivery != DELIVER_NMI)
		return false;
	return send(vm, &m);
}

/* x2APIC's SELF IPI: a fixed one, by one write (11.12.11). */
void vlapic_send_self(struct lapic *lapic, u8 vector)
{
	if (vector < LAPIC_VECTOR_MIN)
		vlapic_error(lapic, ESR_SEND_VECTOR);
	else
		vlapic_raise(lapic->vcpu, vector, false);
}
