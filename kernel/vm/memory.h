/*
 * A guest's memory: what RAM it has, where that lies on the host, and the only
 * ways to reach it. Every access is range-checked; data a guest can change is
 * copied once, the copy is checked, the copy is used.
 *
 * Guest RAM starts at 0. What does not fit below the device hole at 3 GiB goes
 * on at 4 GiB. It is held in 2 MiB chunks; the last one may be partly used. A
 * chunk is zeroed when it is first reached, by the guest or for it, unless the
 * host has done that while it was idle: a start costs the same whatever the
 * guest's size.
 */
#ifndef VM_MEMORY_H
#define VM_MEMORY_H

#include "lib/error.h"
#include "lib/spinlock.h"
#include "lib/types.h"

#define RAM_HOLE_START GIB(3)
#define RAM_HOLE_END   GIB(4)
#define CHUNK_SHIFT    21
#define CHUNK_SIZE     MIB(2)

/*
 * In a chunk's address: nobody has been there, it holds what it held before;
 * which is zeroes.
 */
#define CHUNK_UNTOUCHED BIT(0)
#define CHUNK_CLEARED	BIT(1)
#define CHUNK_FLAGS	(CHUNK_UNTOUCHED | CHUNK_CLEARED)

struct guest_memory {
	u64 size;     /* bytes of RAM, a multiple of 4 KiB */
	u64 low_size; /* of it below the hole */
	u64 *chunks; /* atomic: address of each 2 MiB of RAM, or-ed with that */
	unsigned count;
	unsigned touched; /* chunks */
	u64 *dirty; /* atomic: a bit per page written, NULL: nobody asks */
	struct spinlock first_touch; /* whoever comes first zeroes */
};

/* Allocates; largest possible host blocks, naturally aligned. */
err_t guest_memory_init(struct guest_memory *mem, u64 size);
void guest_memory_free(struct guest_memory *mem);

/* Where in all RAM the byte at gpa is; ~0: no RAM. */
static inline u64 guest_ram_offset(const struct guest_memory *mem, u64 gpa)
{
	u64 offset = gpa;

	if (unlikely(gpa >= mem->low_size)) {
		if (gpa < RAM_HOLE_END)
			return ~0ULL;
		offset = gpa - RAM_HOLE_END + mem->low_size;
		if (offset >= mem->size)
			return ~0ULL;
	}
	return offset;
}

/* Zeroes the chunk unless somebody else has; its address. */
u64 guest_touch(const struct guest_memory *mem, u64 chunk);

/* The RAM byte at gpa, and in *left how many follow in its chunk; or NULL. */
static inline u8 *guest_ram(const struct guest_memory *mem, u64 gpa, u64 *left)
{
	u64 offset = guest_ram_offset(mem, gpa), chunk;

	if (unlikely(offset == ~0ULL))
		return NULL;
	*left = MIN(CHUNK_SIZE - (gpa & (CHUNK_SIZE - 1)), mem->size - offset);
	chunk = __atomic_load_n(&mem->chunks[offset >> CHUNK_SHIFT],
				__ATOMIC_ACQUIRE);
	if (unlikely(chunk & CHUNK_UNTOUCHED))
		chunk = guest_touch(mem, offset >> CHUNK_SHIFT);
	return (u8 *)chunk + (offset & (CHUNK_SIZE - 1));
}

/*
 * Whoever has stored through guest_ram() says so, since no second-level table
 * sees it; after the store, or a harvest in between would lose it.
 */
void guest_mark_pages(struct guest_memory *mem, u64 gpa, u64 n);
static inline void guest_mark(struct guest_memory *mem, u64 gpa, u64 n)
{
	if (unlikely(__atomic_load_n(&mem->dirty, __ATOMIC_RELAXED)))
		guest_mark_pages(mem, gpa, n);
}

/*
 * RAM page number `page`, for those who take memory as a whole: to be read,
 * without touching anything; to be written.
 */
const u8 *guest_page(const struct guest_memory *mem, u64 page);
extern const u8 guest_zero_page[]; /* what it is for untouched memory */
u8 *guest_page_to_write(struct guest_memory *mem, u64 page);

/*
 * All or nothing: E_RANGE when any byte is not RAM. What is written is marked.
 */
err_t guest_read(const struct guest_memory *mem, u64 gpa, void *dst, u64 n);
err_t guest_write(struct guest_memory *mem, u64 gpa, const void *src, u64 n);
err_t guest_fill(struct guest_memory *mem, u64 gpa, u8 byte, u64 n);
/* Touches nothing. */
bool guest_is_ram(const struct guest_memory *mem, u64 gpa, u64 n);

#endif
