/*
 * ACPI's fixed hardware (ACPI 6.5, 4.8): the power button and the way to switch
 * the machine off, and the power-management timer. There is no other mode to be
 * switched from, so SCI_EN is always set (4.8.3.2.1).
 */
#ifndef MACHINE_PM_H
#define MACHINE_PM_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

#define PM_TIMER_HZ 3579545
#define PM_SLEEP_S5 5 /* SLP_TYP for off, by our own DSDT's \_S5 */

struct pm {
	u16 status, enable; /* PM1 events */
	u16 control;
};

extern const struct device_description pm_description;

struct vm;

err_t pm_create(struct vm *vm);

/* The operator presses the power button; the guest may do something about it.
 */
void pm_press_button(struct vm *vm);

#endif
