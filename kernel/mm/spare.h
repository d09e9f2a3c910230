/*
 * Blocks of 2 MiB that guests have left. They are cleared when the host has
 * nothing better to do, so that nothing of one guest is there for another, and
 * a guest that comes (most of all one that moves in) need not wait for it.
 * They count as free: when the page allocator runs out, it gets them.
 */
#ifndef MM_SPARE_H
#define MM_SPARE_H

#include "lib/types.h"

/* A block of ORDER_2M, cleared or not; 0 when there is none. */
u64 spare_alloc(bool *cleared);
void spare_free(u64 phys);

/* Clears a page of what waits. False: nothing waits. */
bool spare_clear(void);

/* To the page allocator: all that is here. False: nothing was. */
bool spare_give_back(void);
u64 spare_bytes(void);

#endif
