/*
 * A vCPU's local APIC (SDM vol. 3A chapter 11, "APIC" here; sections by that
 * edition's numbers), as xAPIC at 0xfee00000 and as x2APIC by MSR.
 *
 * All of it belongs to the CPU that runs the vCPU, but for what other CPUs'
 * interrupts need: IRR, TMR and `again` are changed atomically by anyone; base,
 * svr, ldr, dfr and ppr are read by senders, and written whole.
 *
 * The timer counts at LAPIC_TIMER_HZ whatever the host's clocks are.
 */
#ifndef MACHINE_LAPIC_H
#define MACHINE_LAPIC_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"
#include "vm/bus.h"

struct vcpu;
struct vm;

#define LAPIC_ADDRESS  ((u64)0xfee00000)
#define LAPIC_SIZE     PAGE_SIZE
#define LAPIC_TIMER_HZ ((u64)1000000000) /* a tick is a nanosecond */

/* Vectors below belong to exceptions: an APIC refuses them (11.5.2). */
#define LAPIC_VECTOR_MIN 16

#define MSR_PV_EOI 0x4b564d04 /* KVM's, see lapic_eoi.c */

enum lapic_lvt {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT
};

struct lapic {
	struct vcpu *vcpu;

	u64 base; /* the APIC_BASE MSR */
	u32 id;
	u32 tpr, ppr;
	u32 ldr, dfr; /* xAPIC's; x2APIC's is made from the ID */
	u32 svr;
	u32 esr;    /* as last written: what software reads */
	u32 errors; /* since then */
	u64 icr;
	u32 lvt[LVT_COUNT];
	u64 irr[4], isr[4], tmr[4]; /* bit n % 64 of word n / 64: vector n */
	/* Came while IRR had it: the guest may have taken that one by then. */
	u64 again[4];

	u32 initial;	  /* count */
	u32 divide;	  /* configuration */
	u64 tsc_deadline; /* guest TSC, 0: none */
	u64 expires;	/* the timer's next interrupt, in host TSC; ~0: none */
	u64 clock;	/* the latest host TSC this APIC has seen */
	u64 expires_ns; /* of a frozen VM: by its own clock */

	u64 eoi_word; /* MSR_PV_EOI: address, and bit 0: on */
};

extern const struct device_description vlapic_description;
extern const struct bus_ops vlapic_bus_ops;

/* Allocates; vlapic_reset() before use. */
err_t vlapic_create(struct vcpu *vcpu);
void vlapic_destroy(struct vcpu *vcpu);

/* Power-on state; and what an INIT leaves: APIC_BASE and with it the mode. */
void vlapic_reset(struct vcpu *vcpu);
void vlapic_init(struct vcpu *vcpu);

/*
 * From any CPU: an interrupt for the vCPU, which is kicked to look. False where
 * its APIC is off: nobody takes it then, as on the bus.
 */
bool vlapic_raise(struct vcpu *vcpu, u8 vector, bool level);

/*
 * From any CPU: an interrupt from outside the processors (an I/O APIC's or a
 * device's message), to whom its destination says. False: nobody takes it.
 */
struct vlapic_message {
	u32 destination; /* 0xff: everyone */
	bool logical;
	u8 delivery; /* enum vlapic_delivery */
	u8 vector;
	bool level;
};
bool vlapic_deliver(struct vm *vm, const struct vlapic_message *message);

/*
 * An 8259's INTR comes through: LINT0 is an unmasked ExtINT (as firmware leaves
 * it on the first CPU), or the APIC is off altogether (11.4.3).
 */
bool vlapic_takes_extint(const struct lapic *lapic);

/* What a PC's firmware leaves in the first CPU's APIC: the virtual wire. */
void vlapic_virtual_wire(struct vcpu *vcpu);

/*
 * The VM is frozen: the timer as it will be saved. It goes on, maybe on another
 * host: from a state that was loaded.
 */
void vlapic_freeze(struct vcpu *vcpu);
void vlapic_go_on(struct vcpu *vcpu);

/* See struct machine for these. */
int vlapic_pending(struct vcpu *vcpu);
void vlapic_taken(struct vcpu *vcpu, u8 vector);
void vlapic_lend_eoi(struct vcpu *vcpu, int offered);
void vlapic_look_for_eoi(struct vcpu *vcpu);
void vlapic_keep_eoi(struct vcpu *vcpu);
u64 vlapic_poll(struct vcpu *vcpu, u64 tsc);
u64 vlapic_cr8_read(struct vcpu *vcpu);
void vlapic_cr8_write(struct vcpu *vcpu, u64 value);
err_t vlapic_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
err_t vlapic_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

#endif
