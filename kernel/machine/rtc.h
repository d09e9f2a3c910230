/*
 * The real-time clock and its memory (MC146818A data sheet): time from the
 * host's, read when the VM starts; alarm, periodic and update interrupts; the
 * bytes by which a PC's firmware tells how much memory there is. Nothing ticks.
 * vm->lock guards it.
 */
#ifndef MACHINE_RTC_H
#define MACHINE_RTC_H

#include "lib/error.h"
#include "lib/types.h"
#include "machine/fields.h"

struct vm;

#define RTC_PORT  0x70 /* index, data */
#define RTC_BYTES 128

struct rtc {
	struct vm *vm;
	u8 byte[RTC_BYTES]; /* time as of `seen`, or as set while it stands */
	u8 index;
	u64 base; /* ns since 1970 at the VM's start, to the second's begin */
	u64 seen; /* events up to this ns since then are in register C */
};

extern const struct device_description rtc_description;

err_t rtc_create(struct vm *vm);
void rtc_destroy(struct vm *vm);

/* Interrupts if it is time; the ns of the next time. */
u64 rtc_poll(struct rtc *rtc, u64 ns);

#endif
