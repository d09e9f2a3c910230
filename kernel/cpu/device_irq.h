/*
 * Interrupts of the host's devices. As every interrupt of the host they do no
 * more than end a HLT or a guest's run; who waits for a device looks at it
 * then. Messages (MSI-X) have a vector each; a legacy line stays masked from
 * its interrupt until the driver, having silenced the device, opens it again.
 */
#ifndef CPU_DEVICE_IRQ_H
#define CPU_DEVICE_IRQ_H

#include "lib/types.h"

#define DEVICE_IRQS 4 /* vectors for messages */

/* A vector for messages, -1: all are taken. */
int device_irq_alloc(void);

/* How often it came, message or line (VECTOR_PIC + n). */
u64 device_irq_count(int vector);

/* Lets the line interrupt, once. */
void device_irq_open_line(unsigned line);

/* For traps.c. */
void device_irq_came(unsigned vector);

#endif
