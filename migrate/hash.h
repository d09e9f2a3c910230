/*
 * Hashes against mistakes, not against attackers: few multiplications, no SIMD,
 * so that they are always on (docs/wire.md, "Hashes"). The highest 3 bytes of
 * each page's are kept in a table.
 */
#ifndef MIGRATE_HASH_H
#define MIGRATE_HASH_H

#include "migrate/types.h"

#define PAGE_HASH_BYTES 3
#define HASH_DROPPED	40 /* bits */

u64 hash_check(u64 key, const void *data, size_t size);
u64 hash_page(const void *page);
/* Copies the page; the hash is the copy's, whoever writes to the page. */
u64 hash_copy(void *to, const void *page) __attribute__((nonnull));
u64 hash_mix(u64 x);

/* The share of one page in the hash of all memory. */
static inline u64 hash_share(u64 page, u32 kept)
{
	return hash_mix(page << 24 | kept);
}

static inline u32 hash_get(const u8 *table, u64 page)
{
	const u8 *at = table + page * PAGE_HASH_BYTES;

	return (u32)at[0] | (u32)at[1] << 8 | (u32)at[2] << 16;
}

static inline void hash_set(u8 *table, u64 page, u32 kept)
{
	u8 *at = table + page * PAGE_HASH_BYTES;

	at[0] = (u8)kept;
	at[1] = (u8)(kept >> 8);
	at[2] = (u8)(kept >> 16);
}

/* The sum of shares of `count` pages from `first`. */
u64 hash_sum(const u8 *table, u64 first, u64 count);

/*
 * The sum over the whole table, kept up to date: nobody has to go through it
 * while the guest stands still. fill() begins; all pages have one hash.
 */
u64 hash_fill(u8 *table, u64 pages, u64 hash);

static inline void hash_replace(u8 *table, u64 *sum, u64 page, u64 hash)
{
	u32 old = hash_get(table, page), kept = (u32)(hash >> HASH_DROPPED);

	if (old == kept)
		return;
	*sum += hash_share(page, kept) - hash_share(page, old);
	hash_set(table, page, kept);
}

u64 hash_certificate(u64 memory, u64 state, const u8 migration[16]);

#endif
