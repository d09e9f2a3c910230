/*
 * The memory the program takes from the firmware, in one ledger: on failure
 * all of it goes back, on success it tells the memory map what to keep.
 */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <efi.h>

#include "lib/types.h"

enum memory_use {
	MEMORY_KEEP,	/* the kernel inherits it */
	MEMORY_SCRATCH, /* of no use after the jump */
};

struct extent {
	u64 base;
	u64 pages;
	enum memory_use use;
};

/* Every boot file, and a dozen tables. */
#define EXTENTS_MAX 288

void memory_start(EFI_BOOT_SERVICES *services);

/*
 * At least bytes of zeroed, page-aligned memory that ends at or below limit
 * (0: anywhere). NULL: there is none. Nothing is said.
 */
void *memory_alloc(u64 bytes, enum memory_use use, u64 limit);

/* The same, kept, aligned to align, a power of two of whole pages. */
void *memory_alloc_aligned(u64 bytes, u64 align);

/* Gives everything back. May be called after a failed ExitBootServices. */
void memory_free_all(void);

/* Entry i of the ledger, NULL behind the last one. */
const struct extent *memory_extent(size_t i);

#endif
