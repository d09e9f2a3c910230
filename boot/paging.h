/*
 * The page tables the kernel starts on: all memory twice and the kernel image,
 * everything writable and executable, in 2 MiB pages. The kernel makes stricter
 * ones of its own. Pure: takes the tables' memory from the caller.
 */
#ifndef BOOT_PAGING_H
#define BOOT_PAGING_H

#include "lib/types.h"

/* What the direct map can hold without touching the kernel's PML4 entry. */
#define PAGING_DIRECT_MAX (255 * GIB(512))

/* The kernel image has one page directory. */
#define PAGING_KERNEL_MAX GIB(1)

/* How much memory the tables need. direct_size: a multiple of 1 GiB. */
u64 paging_bytes(u64 direct_size);

/*
 * tables: zeroed and identity mapped, so that its address is its physical one.
 * kernel_phys and kernel_size are multiples of 2 MiB. Returns CR3.
 */
u64 paging_build(void *tables, u64 direct_size, u64 kernel_phys,
		 u64 kernel_size);

#endif
