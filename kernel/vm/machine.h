/*
 * What kernel/vm asks of the machine model without knowing its devices:
 * kernel/machine fills this in once, main.c passes it on.
 */
#ifndef VM_MACHINE_H
#define VM_MACHINE_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;
struct vcpu;
struct stream_writer;
struct stream_reader;

struct machine {
	/* Devices onto the VM's buses, a local APIC for each vCPU. */
	err_t (*create)(struct vm *vm);
	void (*destroy)(struct vm *vm);

	/* The guest's files into memory, the first vCPU's state set up. */
	err_t (*load)(struct vm *vm);

	/*
	 * A VM that moves (move.h). It is frozen: what is counted in the
	 * host's time is put down in its own, for save(). It goes on, at
	 * vm->tsc_base: the other way round.
	 */
	void (*freeze)(struct vm *vm);
	void (*go_on)(struct vm *vm);
	/* All devices. restore() into those that create() has made. */
	void (*save)(struct stream_writer *w, struct vm *vm);
	err_t (*restore)(struct stream_reader *r, struct vm *vm);

	/* Local APIC: what the guest should take now (-1 none), what it took.
	 */
	int (*irq_pending)(struct vcpu *vcpu);
	void (*irq_taken)(struct vcpu *vcpu, u8 vector);

	/*
	 * The end of an interrupt may be lent to the guest, who then ends it
	 * without an exit (vcpu->eoi_lent): when the last offer is known (-1:
	 * none); looked for after each exit while it is lent; kept when the
	 * vCPU leaves the guest for longer.
	 */
	void (*lend_eoi)(struct vcpu *vcpu, int offered);
	void (*look_for_eoi)(struct vcpu *vcpu);
	void (*keep_eoi)(struct vcpu *vcpu);

	/* Timers: fires what is due; returns the next deadline (host TSC). */
	u64 (*poll)(struct vcpu *vcpu, u64 tsc);

	/*
	 * On the first CPU, after vm_request_service(): what devices do there
	 * (network, console). vm->lock is not held. True: call again soon.
	 */
	bool (*serve)(struct vm *vm);

	/*
	 * On the first CPU: the operator has typed for the VM's console, or
	 * there is room again for what it writes (vm_console_room()).
	 */
	void (*typed)(struct vm *vm);

	/* INIT: the local APIC as after a reset, but for its mode and ID. */
	void (*init)(struct vcpu *vcpu);

	/* CR8 is the task priority's upper half. */
	u64 (*cr8_read)(struct vcpu *vcpu);
	void (*cr8_write)(struct vcpu *vcpu, u64 value);

	/* The guest has written its TSC. */
	void (*tsc_moved)(struct vcpu *vcpu);

	/* KVM's clock and its PV_EOI, APIC_BASE, TSC_DEADLINE, x2APIC
	 * 0x800-0x8ff: E_INVALID gives #GP, E_NOTFOUND: not one of its own. */
	err_t (*rdmsr)(struct vcpu *vcpu, u32 msr, u64 *value);
	err_t (*wrmsr)(struct vcpu *vcpu, u32 msr, u64 value);
};

extern const struct machine *machine;

#endif
