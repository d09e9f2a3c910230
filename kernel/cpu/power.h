/*
 * The end of the machine's run. Under an emulator its exit status tells whether
 * all went well (QEMU's isa-debug-exit, Bochs's port 0x8900); a real machine
 * halts.
 */
#ifndef CPU_POWER_H
#define CPU_POWER_H

#include "lib/types.h"

void machine_end(bool pass) NORETURN;

#endif
