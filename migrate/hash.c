#include "migrate/hash.h"

#define FINISHER 0xd6e8feb86659fd93u
/* One loop with a copy and one without. */
#define INLINE inline __attribute__((always_inline))

/* One for each lane: the first bits behind the point of roots of primes. */
#define ROOT_2 0x6a09e667f3bcc908u
#define ROOT_3 0xbb67ae8584caa73bu
#define ROOT_5 0x3c6ef372fe94f82bu
#define ROOT_7 0xa54ff53a5f1d36f1u

static inline u64 rotl(u64 x, unsigned by)
{
	return x << by | x >> (64 - by);
}

/*
 * Both halves of the product: a changed bit, the highest ones too, changes
 * about half of the others. Two words for one multiplication and no rotation,
 * which costs an emulator more than all else here.
 */
static inline u64 fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
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

/* Two words at i, each read once, and written to `to` unless that is NULL. */
static INLINE u64 lane(u64 last, u64 root, const u8 *at, u8 *to, unsigned i)
{
	u64 first = get_u64(at + i), second = get_u64(at + i + 8);

	if (to != NULL) {
		put_u64(to + i, first);
		put_u64(to + i + 8, second);
	}
	return fold(first ^ root, second ^ last);
}

/* Four lanes, since a multiplication takes three cycles. */
static INLINE u64 hash(const u8 *at, u8 *to)
{
	u64 a = 1, b = 2, c = 3, d = 4;

	for (unsigned i = 0; i < MIG_PAGE; i += 64) {
		a = lane(a, ROOT_2, at, to, i);
		b = lane(b, ROOT_3, at, to, i + 16);
		c = lane(c, ROOT_5, at, to, i + 32);
		d = lane(d, ROOT_7, at, to, i + 48);
	}
	return fold(a ^ ROOT_2, b ^ ROOT_3) ^ fold(c ^ ROOT_5, d ^ ROOT_7);
}

u64 hash_page(const void *page)
{
	return hash(page, NULL);
}

u64 hash_copy(void *to, const void *page)
{
	return hash(page, to);
}

u64 hash_sum(const u8 *table, u64 first, u64 count)
{
	u64 sum = 0;

	for (u64 i = first; i < first + count; i++)
		sum += hash_share(i, hash_get(table, i));
	return sum;
}

u64 hash_fill(u8 *table, u64 pages, u64 hash)
{
	for (u64 i = 0; i < pages; i++)
		hash_set(table, i, (u32)(hash >> HASH_DROPPED));
	return hash_sum(table, 0, pages);
}

u64 hash_certificate(u64 memory, u64 state, const u8 migration[16])
{
	return hash_mix(memory ^ rotl(state, 1) ^ get_u64(migration));
}
