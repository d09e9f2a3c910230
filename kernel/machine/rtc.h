/*
 * The clock with its battery (Motorola MC146818A data sheet): time and date,
 * alarm, update and periodic interrupts, and the bytes in which a PC's firmware
 * leaves how much memory there is.
 */
#ifndef MACHINE_RTC_H
#define MACHINE_RTC_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

#define RTC_PORT  0x70 /* index, data */
#define RTC_BYTES 128

struct rtc {
	u64 offset; /* seconds since 1970 at the machine's start, modulo 2^64 */
	u64 updates; /* seconds of the machine's clock that were looked at */
	u64 periods; /* periods of the periodic interrupt, likewise */
	u8 index;
	u8 memory[RTC_BYTES]; /* time and flags are computed when read */
};

extern const struct device_description rtc_description;

struct vm;

/* now: seconds since 1970. */
err_t rtc_create(struct vm *vm, u64 now);
void rtc_reset(struct rtc *rtc, u64 now, u64 ram);

/* Raises what is due at `ns`; when to look again, ~0: never. */
u64 rtc_poll(struct vm *vm, u64 ns);

/* For tests too. True: its interrupt line is high. */
u8 rtc_read(struct rtc *rtc, u64 ns);
void rtc_write(struct rtc *rtc, u8 value, u64 ns);
bool rtc_advance(struct rtc *rtc, u64 ns);

#endif
