/*
 * ChaCha20 in BLOCKS blocks at once, as the function CHACHA20: both are defined
 * by who includes this.
 */
#include "migrate/chacha.h"

#define BLOCK  64
#define WORDS  16
#define ROUNDS 20

typedef u32 lanes __attribute__((vector_size(BLOCKS * sizeof(u32))));

static inline lanes rotl(lanes x, int by)
{
	return x << by | x >> (32 - by);
}

/* RFC 8439, 2.1, in all blocks. */
static inline __attribute__((always_inline)) void
quarter_round(lanes x[WORDS], unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static inline lanes spread(u32 word)
{
	return (lanes){0} + word;
}

/* The state before the rounds (2.3): each block has its own counter. */
static void set_up(lanes x[WORDS], const u8 *key, const u8 *nonce, u32 counter)
{
	static const u32 sigma[4] = {0x61707865, 0x3320646e, 0x79622d32,
				     0x6b206574};

	for (unsigned i = 0; i < 4; i++)
		x[i] = spread(sigma[i]);
	for (unsigned i = 0; i < 8; i++)
		x[4 + i] = spread(get_u32(key + 4 * i));
	x[12] = spread(counter);
	for (unsigned i = 0; i < BLOCKS; i++)
		x[12][i] += i;
	for (unsigned i = 0; i < 3; i++)
		x[13 + i] = spread(get_u32(nonce + 4 * i));
}

static void stream_blocks(const lanes start[WORDS], lanes x[WORDS])
{
	for (unsigned i = 0; i < WORDS; i++)
		x[i] = start[i];
	for (unsigned i = 0; i < ROUNDS; i += 2) {
		quarter_round(x, 0, 4, 8, 12);
		quarter_round(x, 1, 5, 9, 13);
		quarter_round(x, 2, 6, 10, 14);
		quarter_round(x, 3, 7, 11, 15);
		quarter_round(x, 0, 5, 10, 15);
		quarter_round(x, 1, 6, 11, 12);
		quarter_round(x, 2, 7, 8, 13);
		quarter_round(x, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < WORDS; i++)
		x[i] += start[i];
}

static void xor_block(u8 *data, const lanes x[WORDS], unsigned block)
{
	for (unsigned i = 0; i < WORDS; i += 2) {
		u64 stream = x[i][block] | (u64)x[i + 1][block] << 32;

		put_u64(data + 4 * i, get_u64(data + 4 * i) ^ stream);
	}
}

static void xor_part(u8 *data, const lanes x[WORDS], unsigned block,
		     size_t size)
{
	u8 whole[BLOCK] = {0};

	xor_block(whole, x, block);
	for (size_t i = 0; i < size; i++)
		data[i] ^= whole[i];
}

uint32_t CHACHA20(const void *key, const void *nonce, uint32_t counter,
		  void *data, size_t size)
{
	lanes start[WORDS], x[WORDS];
	u8 *at = data;

	set_up(start, key, nonce, counter);
	while (size != 0) {
		stream_blocks(start, x);
		for (unsigned i = 0; i < BLOCKS && size != 0; i++, counter++) {
			size_t n = mig_min(size, BLOCK);

			if (n == BLOCK)
				xor_block(at, x, i);
			else
				xor_part(at, x, i, n);
			at += n;
			size -= n;
		}
		start[12] += spread(BLOCKS);
	}
	return counter;
}
