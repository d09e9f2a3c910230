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

u64 hash_check(u64 key, const void *data, size_t size)
{
	const u8 *at = data;
	u64 h = key, last = 0;
	size_t left = size;

	for (; left >= 8; left -= 8, at += 8)
		h = step(h, get_u64(at));
	if (left != 0) {
		memcpy(&last, at, left);
		h = step(h, last);
	}
	h ^= size;
	h = (h ^ h >> 32) * FINISHER;
	return h ^ h >> 32;
}

/* Four lanes, since a multiplication takes three cycles. */
u32 hash_page(const void *page)
{
	const u8 *at = page;
	u64 a = 1, b = 2, c = 3, d = 4, h;

	for (unsigned i = 0; i < MIG_PAGE; i += 64) {
		a = step(a, get_u64(at + i));
		b = step(b, get_u64(at + i + 8));
		c = step(c, get_u64(at + i + 16));
		d = step(d, get_u64(at + i + 24));
		a = step(a, get_u64(at + i + 32));
		b = step(b, get_u64(at + i + 40));
		c = step(c, get_u64(at + i + 48));
		d = step(d, get_u64(at + i + 56));
	}
	h = step(step(step(step(0, a), b), c), d);
	return (u32)((h ^ h >> 32) * FINISHER >> 40);
}

u64 hash_mix(u64 x)
{
	x = (x ^ x >> 32) * FINISHER;
	x = (x ^ x >> 32) * FINISHER;
	return x ^ x >> 32;
}

u64 hash_sum(const u8 *table, u64 first, u64 count)
{
	u64 sum = 0;

	for (u64 i = first; i < first + count; i++)
		sum += hash_share(i, hash_get(table, i));
	return sum;
}

u64 hash_certificate(u64 memory, u64 state, const u8 migration[16])
{
	return hash_mix(memory ^ rotl(state, 1) ^ get_u64(migration));
}
