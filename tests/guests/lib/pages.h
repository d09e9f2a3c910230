/* The 64-bit guest's page tables: looking up and changing entries. */
#ifndef PAGES_H
#define PAGES_H

#include "guest.h"

#define PTE_P	    BIT(0)
#define PTE_W	    BIT(1)
#define PTE_U	    BIT(2)
#define PTE_PWT	    BIT(3)
#define PTE_PCD	    BIT(4)
#define PTE_A	    BIT(5)
#define PTE_D	    BIT(6)
#define PTE_PS	    BIT(7)
#define PTE_G	    BIT(8)
#define PTE_NX	    BIT(63)
#define PTE_RWU	    (PTE_P | PTE_W | PTE_U)
#define PTE_ADDRESS 0x000ffffffffff000ULL

/* Errors of #PF. */
#define PF_P 1u
#define PF_W 2u
#define PF_U 4u
#define PF_R 8u
#define PF_I 16u

extern u64 pml4[512];

/* Linear addresses that nothing else uses. */
#define TEST_BASE 0x0000008000000000ULL

/* Level 0 is 4 KiB, 1 is 2 MiB, 2 is 1 GiB; large pages above are split. */
u64 *page_entry(u64 linear, unsigned level);

/* Sets the entry of a 4 KiB page and forgets the old translation. */
void page_map(u64 linear, u64 physical, u64 flags);
void page_unmap(u64 linear);

/* A zeroed page of RAM from a small pool. */
void *page_alloc(void);

#endif
