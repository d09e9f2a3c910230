/*
 * Poly1305 against RFC 8439 and against BearSSL's, alone and in sealed frames.
 *
 * links: migrate/poly1305.c migrate/chacha.c migrate/chacha_wide.c
 * links: migrate/crypto.c migrate/hash.c migrate/wire.c
 * libs: -lbearssl
 */
#include <stdlib.h>
#include <string.h>

#include <bearssl.h>

#include "migrate/chacha.h"
#include "migrate/crypto.h"
#include "migrate/hash.h"
#include "migrate/poly1305.h"
#include "tests/unit/test.h"

static void noise(u8 *at, size_t size, u64 seed)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (u8)hash_mix(seed * 0x10001 + i);
}

/* RFC 8439, A.3, vectors 5 to 11: numbers around 2^130 - 5 and its carries. */
static const struct {
	u8 key[POLY1305_KEY], data[64];
	unsigned size;
	u8 tag[POLY1305_TAG];
} edges[] = {
#define F8  255, 255, 255, 255, 255, 255, 255, 255
#define F15 F8, 255, 255, 255, 255, 255, 255, 255
#define E15                                                                   \
	254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, \
		254
#define O8 1, 1, 1, 1, 1, 1, 1, 1
	{{2}, {F8, F8}, 16, {3}},
	{{2, [16] = 255, F15}, {2}, 16, {3}},
	{{1}, {F8, F8, 0xf0, F15, 0x11}, 48, {5}},
	{{1}, {F8, F8, 0xfb, E15, O8, O8}, 48, {0}},
	{{2}, {0xfd, F15}, 16, {0xfa, F15}},
	{{1, [8] = 4},
	 {0xe3, 0x35, 0x94, 0xd7, 0x50, 0x5e, 0x43, 0xb9, [16] = 0x33, 0x94,
	  0xd7, 0x50, 0x5e, 0x43, 0x79, 0xcd, 1, [48] = 1},
	 64,
	 {0x14, [8] = 0x55}},
	{{1, [8] = 4},
	 {0xe3, 0x35, 0x94, 0xd7, 0x50, 0x5e, 0x43, 0xb9, [16] = 0x33, 0x94,
	  0xd7, 0x50, 0x5e, 0x43, 0x79, 0xcd, 1},
	 48,
	 {0x13}},
};

TEST(numbers_around_the_prime)
{
	for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		struct poly1305 mac;
		u8 tag[POLY1305_TAG];

		poly1305_begin(&mac, edges[i].key);
		poly1305_add(&mac, edges[i].data, edges[i].size);
		poly1305_end(&mac, tag);
		CHECK_MEM(tag, edges[i].tag, sizeof(tag));
	}
}

/* RFC 8439, 2.8.2. */
TEST(the_aead_of_the_rfc)
{
	static const u8 nonce[12] = {7,	   0,	 0,    0,    0x40, 0x41,
				     0x42, 0x43, 0x44, 0x45, 0x46, 0x47},
			aad[12] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				   0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7},
			wanted[POLY1305_TAG] = {
				0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
				0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};
	char text[] = "Ladies and Gentlemen of the class of '99: If I could "
		      "offer you only one tip for the future, sunscreen would "
		      "be it.";
	u8 key[32], once[POLY1305_KEY] = {0}, sizes[16] = {0}, tag[16];
	struct poly1305 mac;

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (u8)(0x80 + i);
	chacha20(key, nonce, 0, once, sizeof(once));
	chacha20(key, nonce, 1, text, sizeof(text) - 1);
	put_u64(sizes, sizeof(aad));
	put_u64(sizes + 8, sizeof(text) - 1);
	poly1305_begin(&mac, once);
	poly1305_add(&mac, aad, sizeof(aad));
	poly1305_add(&mac, (u8 *)text, sizeof(text) - 1);
	poly1305_add(&mac, sizes, sizeof(sizes));
	poly1305_end(&mac, tag);
	CHECK_MEM(tag, wanted, sizeof(tag));
}

static size_t make_frame(u8 *frame, size_t body, u64 seed)
{
	struct wire_header header = {
		.kind = WIRE_PAGES, .length = (u16)body, .number = (u32)seed};
	static const u8 mac[6];

	wire_header_put(frame, mac, mac, &header);
	noise(frame + WIRE_BODY, body, seed);
	return WIRE_BODY + body + WIRE_TAG_MAX;
}

/* What BearSSL makes of the same frame. */
static void seal_by_bearssl(const struct crypto_key *key, u8 security,
			    u8 *frame, u64 number, size_t body)
{
	bool hidden = security == WIRE_ENCRYPT;
	u8 nonce[12];

	put_u32(nonce, WIRE_PAGES);
	put_u64(nonce + 4, number);
	br_poly1305_ctmul_run(key->key, nonce, frame + WIRE_BODY,
			      hidden ? body : 0, frame + WIRE_ETHERNET,
			      WIRE_HEADER + (hidden ? 0 : body),
			      frame + WIRE_BODY + body, br_chacha20_ct_run, 1);
}

static void check_frame(size_t body, unsigned shift, u8 security)
{
	/* Of exactly its size: the sanitizer sees a byte beyond. */
	size_t size = WIRE_BODY + body + WIRE_TAG_MAX;
	u8 *block = malloc(shift + size), *frame = block + shift;
	u8 *other = malloc(size), *clear = malloc(size);
	u64 number = ((u64)body << 33) + shift + 1;
	struct crypto_key key;

	noise(key.key, sizeof(key.key), number);
	make_frame(frame, body, number);
	memcpy(other, frame, size - WIRE_TAG_MAX);
	memcpy(clear, frame, size - WIRE_TAG_MAX);
	crypto_seal(&key, security, frame, number, NULL);
	seal_by_bearssl(&key, security, other, number, body);
	CHECK(memcmp(frame, other, size) == 0);
	CHECK(crypto_open(&key, security, frame, number, NULL));
	CHECK(memcmp(frame, clear, size - WIRE_TAG_MAX) == 0);
	free(block);
	free(other);
	free(clear);
}

TEST(frames_are_sealed_as_bearssl_seals)
{
	for (size_t body = 0; body <= 300; body++)
		for (unsigned shift = 0; shift < 16; shift++)
			check_frame(body, shift, WIRE_ENCRYPT);
	for (size_t body = 0; body <= 300; body++)
		check_frame(body, body % 16, WIRE_AUTHENTICATE);
	for (u8 security = WIRE_AUTHENTICATE; security <= WIRE_ENCRYPT;
	     security++) {
		check_frame(1500, 2, security);
		check_frame(65000, 7, security);
	}
}

static const u8 *given;

/* A cipher whose first block is what the test wants as the one-time key. */
static uint32_t give_key(const void *key, const void *nonce, uint32_t counter,
			 void *data, size_t size)
{
	if (counter == 0)
		memcpy(data, given, size);
	return counter + 1;
}

/* Sums and multipliers whose limbs are all ones, or nearly. */
TEST(extremes_are_as_bearssl_s)
{
	u8 data[256], once[POLY1305_KEY], tag[16], wanted[16], sizes[16] = {0};

	put_u64(sizes, sizeof(data));
	for (unsigned round = 0; round < 20000; round++) {
		struct poly1305 mac;
		u64 mix = hash_mix(round);

		memset(data, mix & 1 ? 255 : 0, sizeof(data));
		memset(once, mix & 2 ? 255 : 0, sizeof(once));
		for (unsigned i = 0; i < (mix >> 2 & 7); i++)
			data[hash_mix(mix + i) % 256] = (u8)(mix >> 8) | 0xf0;
		for (unsigned i = 0; i < (mix >> 5 & 3); i++)
			once[hash_mix(mix - i) % 32] ^= (u8)(mix >> 16);
		poly1305_begin(&mac, once);
		poly1305_add(&mac, data, sizeof(data));
		poly1305_add(&mac, sizes, sizeof(sizes));
		poly1305_end(&mac, tag);
		given = once;
		br_poly1305_ctmul_run(once, once, NULL, 0, data, sizeof(data),
				      wanted, give_key, 1);
		CHECK_MEM(tag, wanted, sizeof(tag));
	}
}
