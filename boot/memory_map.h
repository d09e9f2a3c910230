/*
 * The firmware's memory map made plain: sorted, without overlaps, in the five
 * kinds of boot_info.h. Pure arithmetic that cannot fail, since it runs when
 * the firmware is gone already.
 */
#ifndef BOOT_MEMORY_MAP_H
#define BOOT_MEMORY_MAP_H

#include "boot/boot_info.h"
#include "lib/types.h"

struct span {
	u64 base;
	u64 end;
	enum boot_memory_kind kind;
};

/*
 * What a descriptor of the firmware's means to us: its fields in their order,
 * without the virtual address. An empty span when it describes nothing.
 */
struct span memory_map_span(u32 type, u64 base, u64 pages, u64 attributes);

/* The end of the highest memory the kernel may want to reach. */
u64 memory_map_top(const struct span *spans, size_t count);

/*
 * Where spans overlap, the kind that is safer to believe wins. edges and
 * regions have room for 2 * count entries. Returns the number of regions.
 */
size_t memory_map_build(const struct span *spans, size_t count, u64 *edges,
			struct boot_region *regions);

#endif
