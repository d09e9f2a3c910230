/*
 * Random numbers of this host: RDRAND where the processor has it. Where it has
 * not, or has run dry, the jitter of the processor's own timing is gathered:
 * good enough to tell runs apart and to start a guest's pool, and no more.
 * Never waits; on any CPU.
 */
#ifndef CPU_RANDOM_H
#define CPU_RANDOM_H

#include "lib/types.h"

u64 random64(void);

#endif
