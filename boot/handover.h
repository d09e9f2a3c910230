/*
 * The end of the firmware: its last memory map, ExitBootServices, the jump.
 */
#ifndef BOOT_HANDOVER_H
#define BOOT_HANDOVER_H

#include <efi.h>

#include "boot/boot_info.h"
#include "lib/types.h"

struct handover {
	EFI_HANDLE image;
	EFI_BOOT_SERVICES *bs;
	struct boot_info *info;
	u64 entry; /* of the kernel */
	u64 cr3;

	/* The firmware's map, and what becomes of it; sizes in bytes. */
	EFI_MEMORY_DESCRIPTOR *map;
	UINTN map_room, map_size, map_key, descriptor_size;
	struct span *spans;
	size_t spans_room;
	u64 *edges;
};

/* Takes all the memory that the rest needs. Call after any other allocation. */
EFI_STATUS handover_prepare(struct handover *h);

/* Builds the page tables; fills cr3 and direct_size. */
EFI_STATUS handover_page_tables(struct handover *h);

/* Comes back only when the firmware does not let go. */
EFI_STATUS handover_leave(struct handover *h);

#endif
