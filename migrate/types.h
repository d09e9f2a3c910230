/*
 * All that migrate/ takes for granted: integers, memcpy and its kin. The same
 * sources are built into the kernel and for the build host.
 */
#ifndef MIGRATE_TYPES_H
#define MIGRATE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#define MIG_PAGE 4096u

static inline u64 mig_min(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 mig_max(u64 a, u64 b)
{
	return a > b ? a : b;
}

/*
 * Little-endian fields at any address; x86 is little-endian. The builtin is a
 * move also where the compiler is told that there is no C library.
 */
#define MIG_FIELD(type)                                      \
	static inline type get_##type(const u8 *at)          \
	{                                                    \
		type value;                                  \
                                                             \
		__builtin_memcpy(&value, at, sizeof(value)); \
		return value;                                \
	}                                                    \
	static inline void put_##type(u8 *at, type value)    \
	{                                                    \
		__builtin_memcpy(at, &value, sizeof(value)); \
	}
MIG_FIELD(u16)
MIG_FIELD(u32)
MIG_FIELD(u64)
#undef MIG_FIELD

static inline bool bits_test(const u64 *map, u64 bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bits_set(u64 *map, u64 bit)
{
	map[bit / 64] |= (u64)1 << (bit % 64);
}

static inline void bits_clear(u64 *map, u64 bit)
{
	map[bit / 64] &= ~((u64)1 << (bit % 64));
}

static inline u64 bits_words(u64 bits)
{
	return (bits + 63) / 64;
}

/* Without the instruction, which not every host has, nor a library for it. */
static inline u64 bits_count(u64 word)
{
	word -= word >> 1 & 0x5555555555555555u;
	word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return word * 0x0101010101010101u >> 56;
}

/* The first set bit at or after `from`, or `bits`. */
static inline u64 bits_next(const u64 *map, u64 bits, u64 from)
{
	while (from < bits) {
		u64 word = map[from / 64] >> (from % 64);

		if (word != 0)
			return mig_min(bits, from + (u64)__builtin_ctzll(word));
		from = (from / 64 + 1) * 64;
	}
	return bits;
}

#endif
