/*
 * The interval timer (Intel 8254 data sheet) with its three channels, and port
 * 0x61, which gates and shows the third. Channel 0 interrupts.
 *
 * Nothing counts down: a channel is its count and the tick at which that was
 * started, and all else is computed. Ticks that nobody was there for are one.
 */
#ifndef MACHINE_PIT_H
#define MACHINE_PIT_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/fields.h"

#define PIT_HZ	     1193182
#define PIT_PORT     0x40 /* three channels, the command */
#define PORT_GATE    0x61
#define PIT_CHANNELS 3

struct pit_channel {
	u64 started; /* tick of the clock at which counting began */
	u64 fired;   /* channel 0: the last tick whose interrupt was raised */
	u32 count;   /* 1 to 0x10000 */
	u16 latched; /* count as latched */
	u8 latch;    /* bytes of it still to be read */
	u8 status, status_latched;
	u8 mode;   /* 0 to 5 */
	u8 access; /* 1: low byte, 2: high byte, 3: both, low first */
	u8 bcd;
	u8 low; /* byte written first */
	u8 half_written, half_read;
	u8 gate;
	u8 loaded; /* a count has been written since the mode */
};

struct pit {
	struct pit_channel channel[PIT_CHANNELS];
	u8 speaker; /* bits 1-3 of port 0x61, kept */
};

extern const struct device_description pit_description;

struct vm;

err_t pit_create(struct vm *vm);
void pit_reset(struct pit *pit);

/* Raises what is due at `ns`; when the next is, ~0: never. */
u64 pit_poll(struct vm *vm, u64 ns);

/* For their tests too: the bus's functions without a bus. */
u8 pit_read(struct pit *pit, unsigned port, u64 ns);
void pit_write(struct pit *pit, unsigned port, u8 value, u64 ns);
u8 pit_gate_read(const struct pit *pit, u64 ns);
void pit_gate_write(struct pit *pit, u8 value, u64 ns);

#endif
