/*
 * Writes of devices into guest memory: all of them, so that whoever follows a
 * guest's writes hears of those that no second-level table sees.
 */
#ifndef MACHINE_DMA_H
#define MACHINE_DMA_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

/* All or nothing: E_RANGE when any byte is not RAM. */
err_t dma_write(struct vm *vm, u64 gpa, const void *src, u64 n);

/* As one access, for what the guest reads meanwhile; naturally aligned. */
err_t dma_write16(struct vm *vm, u64 gpa, u16 value);

#endif
