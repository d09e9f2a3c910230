/*
 * The machine's single ports: the debug console at 0xe9, the test exit at 0xf4,
 * the two ways of asking a PC for a reset, and pvpanic, where a kernel says
 * that it has panicked. The delay port 0x80 needs no one: a write that nobody
 * claims is as slow and as harmless.
 */
#ifndef MACHINE_PORTS_H
#define MACHINE_PORTS_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

#define PORT_KEYBOARD 0x64  /* command 0xfe pulses the reset line */
#define PORT_DEBUG    0xe9  /* a read answers 0xe9, writes are console output */
#define PORT_END      0xf4  /* a byte written is the VM's status */
#define PORT_PANIC    0x505 /* bit 0: the guest has panicked */
#define PORT_RESET    0xcf9 /* bit 2: reset */

err_t ports_create(struct vm *vm);

/* A byte to PORT_RESET, which lies among PCI's ports. */
void ports_reset(struct vm *vm, u8 value);

#endif
