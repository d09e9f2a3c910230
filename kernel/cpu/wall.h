/* What the clock on the wall says: the host's RTC, read once, and the TSC. */
#ifndef CPU_WALL_H
#define CPU_WALL_H

#include "lib/types.h"

/* Nanoseconds since 1970, as far as the RTC is set to UTC. First CPU only. */
u64 wall_ns(void);

#endif
