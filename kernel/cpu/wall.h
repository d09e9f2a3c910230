/*
 * The time of day: read once from the machine's real-time clock, counted on by
 * the TSC. Taken to be UTC, as firmware and hypervisors have it.
 */
#ifndef CPU_WALL_H
#define CPU_WALL_H

#include "lib/types.h"

/* After time_init(). Where there is no such clock the time is 0. */
void wall_init(void);

/* Nanoseconds since 1970 at a value of the TSC. */
u64 wall_ns(u64 tsc);

#endif
