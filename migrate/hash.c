#include "migrate/hash.h"

#define FACTOR	 0x9e3779b97f4a7c15u
#define FINISHER 0xd6e8feb86659fd93u

static inline u64 rotl(u64 x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline u64 step(u64 h, u64 word)
{
	return (rotl(h, 27) ^ word) * FACTOR;
}

/*
 * Sixteen words for one multiplication. A changed bit moves on before the next
 * word comes, so that the same change in two words, such as of the highest bit
 * in two entries of a page table, does not undo itself.
 */
static inline u64 add_four(u64 h, const u8 *at)
{
	h = rotl(h + get_u64(at), 27);
	h = rotl(h + get_u64(at + 8), 27);
	h = rotl(h + get_u64(at + 16), 27);
	return rotl(h + get_u64(at + 24), 27);
}

static inline u64 step_sixteen(u64 h, const u8 *at)
{
	h = add_four(add_four(h, at), at + 32);
	return add_four(add_four(h, at + 64), at + 96) * FACTOR;
}

u64 hash_mix(u64 x)
{
	x = (x ^ x >> 32) * FINISHER;
	x = (x ^ x >> 32) * FINISHER;
	return x ^ x >> 32;
}

/* Two sums, and sums of sums: no change of one word goes unseen. */
u64 hash_check(u64 key, const void *data, size_t size)
{
	const u8 *at = data;
	u64 sum = key, sums = 0, last = 0;
	size_t left = size;

	for (; left >= 64; left -= 64, at += 64) {
		sums += sum += get_u64(at);
		sums += sum += get_u64(at + 8);
		sums += sum += get_u64(at + 16);
		sums += sum += get_u64(at + 24);
		sums += sum += get_u64(at + 32);
		sums += sum += get_u64(at + 40);
		sums += sum += get_u64(at + 48);
		sums += sum += get_u64(at + 56);
	}
	for (; left >= 8; left -= 8, at += 8)
		sums += sum += get_u64(at);
	memcpy(&last, at, left);
	sums += sum += last;
	return hash_mix(sum ^ hash_mix(sums ^ size));
}

/* Four lanes, since a multiplication takes three cycles. */
u32 hash_page(const void *page)
{
	const u8 *at = page;
	u64 a = 1, b = 2, c = 3, d = 4, h;

	for (unsigned i = 0; i < MIG_PAGE; i += 512) {
		a = step_sixteen(a, at + i);
		b = step_sixteen(b, at + i + 128);
		c = step_sixteen(c, at + i + 256);
		d = step_sixteen(d, at + i + 384);
	}
	h = step(step(step(step(0, a), b), c), d);
	return (u32)((h ^ h >> 32) * FINISHER >> 40);
}

u64 hash_sum(const u8 *table, u64 first, u64 count)
{
	u64 sum = 0;

	for (u64 i = first; i < first + count; i++)
		sum += hash_share(i, hash_get(table, i));
	return sum;
}

u64 hash_fill(u8 *table, u64 pages, u32 hash)
{
	for (u64 i = 0; i < pages; i++)
		hash_set(table, i, hash);
	return hash_sum(table, 0, pages);
}

u64 hash_certificate(u64 memory, u64 state, const u8 migration[16])
{
	return hash_mix(memory ^ rotl(state, 1) ^ get_u64(migration));
}
