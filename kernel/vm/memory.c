#include "vm/memory.h"

#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "mm/spare.h"

/* The largest block that fits what is left and starts naturally aligned. */
static unsigned block_order(u64 offset, u64 left)
{
	if (left >= GIB(1) && !(offset & (GIB(1) - 1)))
		return ORDER_1G;
	return ORDER_2M;
}

static void free_chunks(struct guest_memory *mem)
{
	/* 1 GiB blocks were taken whole and are given back whole. */
	for (unsigned i = 0; i < mem->count;) {
		unsigned order;
		u64 phys;

		if (!mem->chunks[i])
			break;
		phys = virt_to_phys((void *)(mem->chunks[i] & ~CHUNK_FLAGS));
		order = page_block_order(phys);
		if (order == ORDER_2M)
			spare_free(phys);
		else
			page_free(phys, order);
		i += 1u << (order - ORDER_2M);
	}
}

static err_t alloc_chunks(struct guest_memory *mem)
{
	u64 left = mem->size;

	for (unsigned i = 0; i < mem->count;) {
		unsigned order = block_order((u64)i << CHUNK_SHIFT, left);
		u64 phys = order > ORDER_2M ? page_alloc(order) : 0;
		bool cleared = false;

		if (!phys) {
			order = ORDER_2M;
			phys = spare_alloc(&cleared);
		}
		if (!phys)
			return E_NOMEM;
		for (unsigned n = 1u << (order - ORDER_2M); n--; i++) {
			mem->chunks[i] = (u64)phys_to_virt(phys) |
					 CHUNK_UNTOUCHED |
					 (cleared ? CHUNK_CLEARED : 0);
			phys += CHUNK_SIZE;
			left -= MIN(left, CHUNK_SIZE);
		}
	}
	return E_OK;
}

err_t guest_memory_init(struct guest_memory *mem, u64 size)
{
	err_t err;

	memset(mem, 0, sizeof(*mem));
	if (!size || (size & PAGE_MASK))
		return E_INVALID;
	mem->size = size;
	mem->low_size = MIN(size, RAM_HOLE_START);
	mem->count = (size + CHUNK_SIZE - 1) >> CHUNK_SHIFT;
	mem->chunks = kzalloc(mem->count * sizeof(*mem->chunks));
	if (!mem->chunks)
		return E_NOMEM;
	err = alloc_chunks(mem);
	if (err)
		guest_memory_free(mem);
	return err;
}

void guest_memory_free(struct guest_memory *mem)
{
	if (!mem->chunks)
		return;
	free_chunks(mem);
	kfree(mem->chunks);
	memset(mem, 0, sizeof(*mem));
}

/*
 * Memory that nobody has used since it was switched on is mostly zero: looking
 * is quicker than writing, the more so where memory comes into being when it is
 * written (under an emulator).
 */
static void clear_chunk(u8 *at)
{
	for (u8 *end = at + CHUNK_SIZE; at < end; at += PAGE_SIZE)
		if (!is_zero(at, PAGE_SIZE))
			memset(at, 0, PAGE_SIZE);
}

/* What it fills in is no part of what a reader sees as the guest's memory. */
u64 guest_touch(const struct guest_memory *memory, u64 chunk)
{
	struct guest_memory *mem = (struct guest_memory *)memory;
	u64 at;

	spin_lock(&mem->first_touch);
	at = mem->chunks[chunk];
	if (at & CHUNK_UNTOUCHED) {
		if (!(at & CHUNK_CLEARED))
			clear_chunk((u8 *)(at & ~CHUNK_FLAGS));
		at &= ~CHUNK_FLAGS;
		mem->touched++;
		__atomic_store_n(&mem->chunks[chunk], at, __ATOMIC_RELEASE);
	}
	spin_unlock(&mem->first_touch);
	return at;
}

const u8 guest_zero_page[PAGE_SIZE] ALIGNED(PAGE_SIZE);

#define PAGES_PER_CHUNK (CHUNK_SIZE / PAGE_SIZE)

const u8 *guest_page(const struct guest_memory *mem, u64 page)
{
	u64 chunk = __atomic_load_n(&mem->chunks[page / PAGES_PER_CHUNK],
				    __ATOMIC_ACQUIRE);

	if (chunk & CHUNK_UNTOUCHED)
		return guest_zero_page;
	return (const u8 *)chunk + page % PAGES_PER_CHUNK * PAGE_SIZE;
}

u8 *guest_page_to_write(struct guest_memory *mem, u64 page)
{
	u64 number = page / PAGES_PER_CHUNK;
	u64 chunk = __atomic_load_n(&mem->chunks[number], __ATOMIC_ACQUIRE);

	if (chunk & CHUNK_UNTOUCHED)
		chunk = guest_touch(mem, number);
	return (u8 *)chunk + page % PAGES_PER_CHUNK * PAGE_SIZE;
}

/* RAM is in two pieces, so both ends in the same one will do. */
bool guest_is_ram(const struct guest_memory *mem, u64 gpa, u64 n)
{
	u64 last = gpa + n - 1;

	if (!n)
		return true;
	return last >= gpa && guest_ram_offset(mem, gpa) != ~0ULL &&
	       guest_ram_offset(mem, last) != ~0ULL &&
	       (gpa < mem->low_size) == (last < mem->low_size);
}

void guest_mark_pages(struct guest_memory *mem, u64 gpa, u64 n)
{
	u64 *dirty = __atomic_load_n(&mem->dirty, __ATOMIC_ACQUIRE);

	if (!dirty || !n || !guest_is_ram(mem, gpa, n))
		return;
	for (u64 page = gpa & ~PAGE_MASK; page < gpa + n; page += PAGE_SIZE)
		bitmap_set_atomic(dirty,
				  guest_ram_offset(mem, page) >> PAGE_SHIFT);
}

err_t guest_read(const struct guest_memory *mem, u64 gpa, void *dst, u64 n)
{
	u64 left = 0;

	if (!guest_is_ram(mem, gpa, n))
		return E_RANGE;
	for (u8 *to = dst; n; n -= left, gpa += left, to += left) {
		const u8 *from = guest_ram(mem, gpa, &left);

		left = MIN(left, n);
		memcpy(to, from, left);
	}
	return E_OK;
}

err_t guest_write(struct guest_memory *mem, u64 gpa, const void *src, u64 n)
{
	u64 left = 0;

	if (!guest_is_ram(mem, gpa, n))
		return E_RANGE;
	for (const u8 *from = src; n; n -= left, gpa += left, from += left) {
		u8 *to = guest_ram(mem, gpa, &left);

		left = MIN(left, n);
		memcpy(to, from, left);
		guest_mark(mem, gpa, left);
	}
	return E_OK;
}

err_t guest_fill(struct guest_memory *mem, u64 gpa, u8 byte, u64 n)
{
	u64 left = 0;

	if (!guest_is_ram(mem, gpa, n))
		return E_RANGE;
	for (; n; n -= left, gpa += left) {
		u8 *to = guest_ram(mem, gpa, &left);

		left = MIN(left, n);
		memset(to, byte, left);
		guest_mark(mem, gpa, left);
	}
	return E_OK;
}
