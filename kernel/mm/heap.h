/*
 * Memory by the byte. Up to 1984 bytes come from slabs of one page per size
 * class, aligned to 16 bytes, from 64 bytes on to 64; more comes as whole
 * pages, page aligned, up to 1 GiB. Freed memory is poisoned: writing to it, or
 * freeing it twice, panics.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include "lib/types.h"

/* NULL when memory is out. Content is undefined. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);

/* NULL is fine. */
void kfree(void *ptr);

#endif
