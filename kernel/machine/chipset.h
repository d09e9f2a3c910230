/*
 * What a PC has beside its processors, and what its parts share. All but the
 * interrupt controllers is guarded by vm->lock; those have a lock of their own
 * (irq.h). Nothing here ticks: a device's state is what it was told and when,
 * and what it shows is computed from that and from the machine's clock.
 */
#ifndef MACHINE_CHIPSET_H
#define MACHINE_CHIPSET_H

#include "lib/error.h"
#include "lib/spinlock.h"
#include "lib/types.h"
#include "machine/ioapic.h"
#include "machine/kvmclock.h"
#include "machine/pic.h"
#include "machine/pit.h"
#include "machine/pm.h"
#include "machine/rtc.h"
#include "vm/vm.h"

struct chipset {
	struct spinlock irq_lock;
	struct pic pic;
	struct ioapic ioapic;
	u32 lines;     /* by GSI: high now */
	bool intr;     /* atomic: the PICs want the processor */
	bool from_pic; /* vCPU 0's: what it was offered last is the PICs' */

	struct pit pit;
	struct rtc rtc;
	struct pm pm;
	struct kvmclock kvmclock[VM_VCPUS];
	u64 born; /* seconds since 1970 when the machine was switched on */
	u64 clock_base;	  /* kvmclock's nanoseconds at vm->tsc_base */
	u64 clock_frozen; /* of a frozen VM: what they are */

	u64 due; /* atomic: host TSC of the next event; 0: to be worked out */
};

extern const struct device_description chipset_description;

err_t chipset_create(struct vm *vm);
void chipset_destroy(struct vm *vm);

/* As vlapic_freeze() and vlapic_go_on(). */
void chipset_freeze(struct vm *vm);
void chipset_go_on(struct vm *vm);

/*
 * vCPU 0 looks after it. Fires what is due; the host TSC of the next event, ~0:
 * none. A device whose next event has moved says so with chipset_moved().
 */
u64 chipset_poll(struct vm *vm, u64 tsc);
void chipset_moved(struct vm *vm);

/* Nanoseconds since the machine was switched on: the clock of all devices. */
u64 machine_ns(const struct vm *vm);

#endif
