/*
 * The host's own address space, the same on every CPU:
 *
 *   DIRECT_MAP_BASE  all RAM but the kernel's image, writable, not executable;
 *                    ACPI tables read-only
 *   MMIO_BASE        device memory, uncached, mapped when asked for
 *   STACK_BASE       stacks, each above an unmapped page
 *   KERNEL_BASE      code, constants, data, by 4 KiB pages, W^X
 *
 * The lower half is empty: a null or wild pointer faults.
 */
#ifndef MM_PAGING_H
#define MM_PAGING_H

#include "boot/boot_info.h"
#include "lib/error.h"
#include "lib/types.h"

#define MMIO_BASE  0xffffc00000000000ULL
#define STACK_BASE 0xffffd00000000000ULL

/* Page table entry bits, SDM vol. 3A 4.5. */
#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_PWT	     BIT(3)
#define PTE_PCD	     BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_GLOBAL   BIT(8)
#define PTE_NX	     BIT(63)
#define PTE_ADDRESS  0x000ffffffffff000ULL

/* Builds the tables and switches to them. */
void paging_init(const struct boot_info *info);

/* On an AP: the same tables. */
void paging_load(void);
u64 paging_root(void);

/* Device registers, uncached, for ever. NULL for RAM, or when out of memory. */
void *mmio_map(u64 phys, u64 size);

/* The top of a fresh stack with a guard page below; 0 when out of memory. */
u64 stack_alloc(u64 size);

/* Is this the unmapped page below a stack? For panic to name an overflow. */
bool is_stack_guard(u64 virt);

/* Is this physical range RAM that the direct map reaches? */
bool phys_is_mapped(u64 phys, u64 size);

/*
 * Walks all tables: nothing writable is executable, code is mapped once, the
 * lower half is empty, guard pages are there. Logs what is wrong.
 */
err_t paging_selftest(const struct boot_info *info);

/*
 * For smp.c: fills four pages below 1 MiB with tables that map what ours do and
 * one page of executable identity, also below 1 MiB. The first is the root.
 */
void paging_make_trampoline(u64 tables, u64 page);

#endif
