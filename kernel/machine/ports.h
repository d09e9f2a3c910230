/*
 * The machine's single ports: the debug console at 0xe9, the test exit at 0xf4,
 * and the two ways of asking a PC for a reset. The delay port 0x80 needs no
 * one: a write that nobody claims is as slow and as harmless.
 */
#ifndef MACHINE_PORTS_H
#define MACHINE_PORTS_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

#define PORT_KEYBOARD 0x64  /* command 0xfe pulses the reset line */
#define PORT_DEBUG    0xe9  /* a read answers 0xe9, writes are console output */
#define PORT_END      0xf4  /* a byte written is the VM's status */
#define PORT_RESET    0xcf9 /* bit 2: reset */

/*
 * The status of a VM that asks to be reset. It is not reset: a guest that
 * crashes early would go on for ever. No byte, so no guest can claim it.
 */
#define STATUS_RESET 0x100

err_t ports_create(struct vm *vm);

/* A byte to PORT_RESET, which lies among PCI's ports. */
void ports_reset(struct vm *vm, u8 value);

#endif
