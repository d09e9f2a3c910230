#include "migrate/poly1305.h"

#define BLOCK 16
#define LIMB  26
#define MASK  ((1ull << LIMB) - 1)
#define MARK  (1ull << (128 - 4 * LIMB)) /* above a block's bytes */

typedef unsigned __int128 u128;

static void to_limbs(u64 limb[POLY1305_LIMBS], u64 low, u64 high)
{
	limb[0] = low & MASK;
	limb[1] = low >> 26 & MASK;
	limb[2] = (low >> 52 | high << 12) & MASK;
	limb[3] = high >> 14 & MASK;
	limb[4] = high >> 40;
}

void poly1305_begin(struct poly1305 *mac, const u8 key[POLY1305_KEY])
{
	memset(mac, 0, sizeof(*mac));
	to_limbs(mac->r, get_u64(key) & 0x0ffffffc0fffffffull,
		 get_u64(key + 8) & 0x0ffffffc0ffffffcull);
	mac->s[0] = get_u64(key + 16);
	mac->s[1] = get_u64(key + 24);
}

/*
 * h = (h + block) * r, carried so far that each limb stays below 2^27: with a
 * block's 26 bits below 2^28, and r's limbs times 5 below 2^29, five products
 * stay below 2^60. What is at 2^130 counts 5 times at 1.
 */
static void add_blocks(struct poly1305 *mac, const u8 *at, size_t blocks)
{
	u64 r0 = mac->r[0], r1 = mac->r[1], r2 = mac->r[2], r3 = mac->r[3];
	u64 r4 = mac->r[4], t1 = r1 * 5, t2 = r2 * 5, t3 = r3 * 5, t4 = r4 * 5;
	u64 h0 = mac->h[0], h1 = mac->h[1], h2 = mac->h[2], h3 = mac->h[3];
	u64 h4 = mac->h[4], d0, d1, d2, d3, d4;

	for (; blocks != 0; blocks--, at += BLOCK) {
		u64 low = get_u64(at), high = get_u64(at + 8);

		h0 += low & MASK;
		h1 += low >> 26 & MASK;
		h2 += (low >> 52 | high << 12) & MASK;
		h3 += high >> 14 & MASK;
		h4 += high >> 40 | MARK;
		d0 = h0 * r0 + h1 * t4 + h2 * t3 + h3 * t2 + h4 * t1;
		d1 = h0 * r1 + h1 * r0 + h2 * t4 + h3 * t3 + h4 * t2;
		d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * t4 + h4 * t3;
		d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * t4;
		d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0;
		d1 += d0 >> LIMB;
		d2 += d1 >> LIMB;
		d3 += d2 >> LIMB;
		d4 += d3 >> LIMB;
		h0 = (d0 & MASK) + 5 * (d4 >> LIMB);
		h1 = (d1 & MASK) + (h0 >> LIMB);
		h0 &= MASK;
		h2 = d2 & MASK;
		h3 = d3 & MASK;
		h4 = d4 & MASK;
	}
	mac->h[0] = h0;
	mac->h[1] = h1;
	mac->h[2] = h2;
	mac->h[3] = h3;
	mac->h[4] = h4;
}

void poly1305_add(struct poly1305 *mac, const u8 *data, size_t size)
{
	size_t rest = size % BLOCK;
	u8 last[BLOCK] = {0};

	add_blocks(mac, data, size / BLOCK);
	if (rest == 0)
		return;
	for (size_t i = 0; i < rest; i++)
		last[i] = data[size - rest + i];
	add_blocks(mac, last, 1);
}

static void carry_all(u64 h[POLY1305_LIMBS])
{
	for (unsigned i = 0; i + 1 < POLY1305_LIMBS; i++) {
		h[i + 1] += h[i] >> LIMB;
		h[i] &= MASK;
	}
	h[0] += 5 * (h[4] >> LIMB);
	h[4] &= MASK;
}

/* h - p is h + 5 - 2^130; taken unless that is less than zero. */
static void reduce(u64 h[POLY1305_LIMBS])
{
	u64 g[POLY1305_LIMBS], carry = 5, less;

	carry_all(h);
	carry_all(h);
	for (unsigned i = 0; i < POLY1305_LIMBS; i++) {
		g[i] = h[i] + carry;
		carry = g[i] >> LIMB;
		g[i] &= MASK;
	}
	less = carry - 1;
	for (unsigned i = 0; i < POLY1305_LIMBS; i++)
		h[i] = (h[i] & less) | (g[i] & ~less);
}

void poly1305_end(struct poly1305 *mac, u8 tag[POLY1305_TAG])
{
	u64 *h = mac->h, low, high;
	u128 sum;

	reduce(h);
	low = h[0] | h[1] << 26 | h[2] << 52;
	high = h[2] >> 12 | h[3] << 14 | h[4] << 40;
	sum = (u128)low + mac->s[0];
	put_u64(tag, (u64)sum);
	put_u64(tag + 8, high + mac->s[1] + (u64)(sum >> 64));
}
