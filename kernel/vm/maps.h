/*
 * The bitmaps of ports and MSRs that an engine hands to the processor, a set
 * bit for each that exits. They are the same for all vCPUs, and never freed.
 */
#ifndef VM_MAPS_H
#define VM_MAPS_H

#include "lib/types.h"

/*
 * Their physical address, 0: no memory. The ports' come first; how the MSRs',
 * from msrs_at on, are laid out only the engine knows.
 */
u64 exit_maps(u64 size, u64 msrs_at, void (*open_msr)(u8 *map, u32 msr));

#endif
