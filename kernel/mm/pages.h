/*
 * Physical memory, in blocks of 2^order pages up to 1 GiB, naturally aligned
 * (a buddy allocator over the boot program's free regions). Blocks have
 * addresses, not pointers: phys_to_virt() reaches them through the direct map.
 * Nothing below 1 MiB is ever handed out. Any CPU may call.
 */
#ifndef MM_PAGES_H
#define MM_PAGES_H

#include "boot/boot_info.h"
#include "lib/types.h"

#define ORDER_4K  0u
#define ORDER_2M  9u
#define ORDER_1G  18u
#define ORDER_MAX ORDER_1G

#ifdef HOST_TEST /* unit tests have a window of their own instead */
extern u64 host_phys_offset;
#define PHYS_OFFSET host_phys_offset
#else
#define PHYS_OFFSET DIRECT_MAP_BASE
#endif

void pages_init(const struct boot_info *info);

/* The block's physical address, 0 when there is none. Content is undefined. */
u64 page_alloc(unsigned order);

/* The same, filled with zeroes. */
u64 page_alloc_zeroed(unsigned order);

/* A block that is not allocated, or with another order, panics. */
void page_free(u64 phys, unsigned order);

/* The order that this allocated block was asked for with. */
unsigned page_block_order(u64 phys);

struct page_stats {
	u64 total;   /* bytes the allocator was given */
	u64 free;    /* bytes in free blocks, spare ones too */
	u64 largest; /* bytes of the largest free block */
};

struct page_stats page_stats(void);

/* The smallest order whose block holds so many bytes. */
static inline unsigned order_for(u64 bytes)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

/* Only for RAM, and not for the kernel's own image. */
static inline void *phys_to_virt(u64 phys)
{
	return (void *)(phys + PHYS_OFFSET);
}

/* For the direct map and the kernel's image; anything else panics. */
u64 virt_to_phys(const void *virt);

#endif
