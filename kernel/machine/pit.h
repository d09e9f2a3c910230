/*
 * The 8254 timer of a PC (82C54 data sheet), with port 0x61: channel 0 is the
 * timer interrupt, channel 2 the speaker's, by which kernels calibrate their
 * clocks. Nothing counts: each count is computed from when it was loaded.
 * vm->lock guards it.
 */
#ifndef MACHINE_PIT_H
#define MACHINE_PIT_H

#include "lib/error.h"
#include "lib/types.h"
#include "machine/fields.h"

struct vm;

#define PIT_PORT	 0x40 /* three channels, control */
#define PIT_PORTS	 4
#define PIT_SPEAKER_PORT 0x61

struct pit_channel {
	u64 start;   /* the tick at which the count was loaded */
	u64 held;    /* ticks counted when the gate stopped it; ~0: it runs */
	u32 count;   /* as loaded: 1 to 65536 */
	u16 latch;   /* a count that waits to be read */
	u8 latched;  /* does one? */
	u8 status;   /* the same of the status byte */
	u8 status_latched;
	u8 access;   /* 1: low byte, 2: high, 3: low then high */
	u8 mode;     /* 0-5 */
	u8 bcd;
	u8 gate;
	u8 loaded;   /* a count has been written since the mode was */
	u8 started;  /* modes 1 and 5: the gate has risen since */
	u8 low;	     /* the first byte of a count */
	u8 write_high, read_high; /* the second byte is next */
};

struct pit {
	struct vm *vm;
	struct pit_channel channel[3];
	u64 due; /* the tick of channel 0's next rising edge; ~0: none */
	u8 speaker;
};

extern const struct device_description pit_description;

err_t pit_create(struct vm *vm);
void pit_destroy(struct vm *vm);

/* Interrupts if it is time; the ns of the next time. */
u64 pit_poll(struct pit *pit, u64 ns);

#endif
