/*
 * Arrays of bits in 64-bit words. The plain calls are for bits that one CPU
 * owns; the atomic ones are for bits that CPUs share.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const u64 *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(u64 *map, size_t bit)
{
	map[bit / 64] |= BIT(bit % 64);
}

static inline void bitmap_clear(u64 *map, size_t bit)
{
	map[bit / 64] &= ~BIT(bit % 64);
}

/* Both return what the bit was. */
static inline bool bitmap_set_atomic(u64 *map, size_t bit)
{
	u64 mask = BIT(bit % 64);

	return __atomic_fetch_or(&map[bit / 64], mask, __ATOMIC_SEQ_CST) & mask;
}

static inline bool bitmap_clear_atomic(u64 *map, size_t bit)
{
	u64 mask = BIT(bit % 64);

	return __atomic_fetch_and(&map[bit / 64], ~mask, __ATOMIC_SEQ_CST) &
	       mask;
}

/* The first set bit at or after `from`, or `bits` when there is none. */
static inline size_t bitmap_next(const u64 *map, size_t bits, size_t from)
{
	while (from < bits) {
		u64 word = map[from / 64] >> (from % 64);

		if (word != 0) {
			from += (size_t)__builtin_ctzll(word);
			return MIN(from, bits);
		}
		from = (from / 64 + 1) * 64;
	}
	return bits;
}

/* Set bits in a word; there is no POPCNT here, nor a library that has it. */
static inline unsigned word_count(u64 word)
{
	word -= word >> 1 & 0x5555555555555555ULL;
	word = (word & 0x3333333333333333ULL) +
	       (word >> 2 & 0x3333333333333333ULL);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return word * 0x0101010101010101ULL >> 56;
}

static inline size_t bitmap_count(const u64 *map, size_t bits)
{
	size_t count = 0;

	for (size_t i = 0; i < bits / 64; i++)
		count += word_count(map[i]);
	if (bits % 64 != 0)
		count += word_count(map[bits / 64] & (BIT(bits % 64) - 1));
	return count;
}

#endif
