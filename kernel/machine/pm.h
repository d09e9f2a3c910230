/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8.3): PM1a event and control blocks and
 * the power-management timer. The machine is in ACPI mode from the start. S5
 * ends the VM with status 0. vm->lock guards it.
 */
#ifndef MACHINE_PM_H
#define MACHINE_PM_H

#include "lib/error.h"
#include "lib/types.h"
#include "machine/fields.h"

struct vm;

#define PM_SLEEP_OFF 5 /* SLP_TYP of \_S5 */

struct pm {
	struct vm *vm;
	u16 status, enable;
	u16 control;
	u64 seen; /* the timer's carries up to this ns are in `status` */
};

extern const struct device_description pm_description;

err_t pm_create(struct vm *vm);
void pm_destroy(struct vm *vm);

/* Interrupts if it is time; the ns of the next time. */
u64 pm_poll(struct pm *pm, u64 ns);

#endif
