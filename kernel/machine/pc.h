/*
 * The PC that a guest sees: local APICs, the chipset, a UART, the single ports
 * of ports.h, PCI with virtio devices, and the loaders. No firmware.
 */
#ifndef MACHINE_PC_H
#define MACHINE_PC_H

#include "vm/machine.h"

extern const struct machine pc_machine;

/* The devices' state to the log, field by field. The VM must not run. */
void pc_dump(const struct vm *vm);

#endif
