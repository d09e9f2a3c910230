/*
 * How devices interrupt: by a line, which goes to the PICs and the I/O APIC
 * alike, or by a message straight to the local APICs. From any CPU; what is
 * behind it has a lock of its own, taken after vm->lock if both are.
 */
#ifndef MACHINE_IRQ_H
#define MACHINE_IRQ_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;
struct vcpu;

/* The line's level now; a GSI of layout.h. An edge is two calls. */
void irq_line(struct vm *vm, unsigned gsi, bool high);

/* A message-signalled interrupt (SDM vol. 3A 11.11). */
void irq_message(struct vm *vm, u64 address, u32 data);

/* A local APIC has ended a level-triggered interrupt. */
void irq_eoi(struct vm *vm, u8 vector);

/* See struct machine. */
int irq_pending(struct vcpu *vcpu);
void irq_taken(struct vcpu *vcpu, u8 vector);

/* Onto the buses; vm->chipset is there. */
err_t irq_create(struct vm *vm);

#endif
