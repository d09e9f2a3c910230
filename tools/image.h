/* The disk image being written, and what its parts have in common. */
#ifndef TOOLS_IMAGE_H
#define TOOLS_IMAGE_H

#include "lib/types.h"

#define SECTOR 512u

/* Says "mkimage: ..." and ends the program; no image is left behind. */
void die(const char *fmt, ...) PRINTF(1) NORETURN;

/* Never NULL: dies instead. Zeroed. */
void *must_alloc(size_t size);

void image_write(u64 offset, const void *data, size_t size);

/* Little-endian, as everything on a disk is. */
static inline void put16(u8 *at, u32 value)
{
	at[0] = (u8)value;
	at[1] = (u8)(value >> 8);
}

static inline void put32(u8 *at, u32 value)
{
	put16(at, value);
	put16(at + 2, value >> 16);
}

static inline void put64(u8 *at, u64 value)
{
	put32(at, (u32)value);
	put32(at + 4, (u32)(value >> 32));
}

#endif
