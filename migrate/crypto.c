#include "migrate/crypto.h"

#include <bearssl.h>

#include "migrate/chacha.h"
#include "migrate/hash.h"
#include "migrate/poly1305.h"

unsigned crypto_tag_size(u8 security)
{
	return security == WIRE_CLEAR ? WIRE_CHECK : WIRE_TAG_MAX;
}

static size_t body_size(const u8 *frame)
{
	return get_u16(frame + WIRE_ETHERNET + 2);
}

static void stream(const struct crypto_key *key, const u8 *nonce, u8 *data,
		   size_t size)
{
	(key->wide ? chacha20_wide : chacha20)(key->key, nonce, 1, data, size);
}

/*
 * Runs the cipher over a frame (RFC 8439, 2.8); the tag that it should have
 * into `tag`. The tag is over what is on the wire: encrypted before, or
 * decrypted behind.
 */
static void run_cipher(const struct crypto_key *key, u8 security, u8 *frame,
		       u64 number, u8 tag[WIRE_TAG_MAX], bool encrypt)
{
	size_t body = body_size(frame);
	size_t hidden = security == WIRE_ENCRYPT ? body : 0;
	size_t open = WIRE_HEADER + body - hidden;
	u8 nonce[12], once[POLY1305_KEY] = {0}, sizes[16];
	struct poly1305 mac;

	put_u32(nonce, frame[WIRE_ETHERNET] & 15);
	put_u64(nonce + 4, number);
	put_u64(sizes, open);
	put_u64(sizes + 8, hidden);
	chacha20(key->key, nonce, 0, once, sizeof(once));
	if (encrypt)
		stream(key, nonce, frame + WIRE_BODY, hidden);
	poly1305_begin(&mac, once);
	poly1305_add(&mac, frame + WIRE_ETHERNET, open);
	poly1305_add(&mac, frame + WIRE_BODY, hidden);
	poly1305_add(&mac, sizes, sizeof(sizes));
	poly1305_end(&mac, tag);
	if (!encrypt)
		stream(key, nonce, frame + WIRE_BODY, hidden);
}

/* A page's own hash is wanted all the same: nobody reads its bytes twice. */
static u64 frame_check(u64 key, const u8 *frame, struct page_hashes *hashes)
{
	const u8 *from = frame + WIRE_ETHERNET, *body = frame + WIRE_BODY;
	size_t size = body_size(frame), used = 0;
	bool pages = (frame[WIRE_ETHERNET] & 15) == WIRE_PAGES;
	struct page_record record;
	unsigned n = 0;

	while (pages && used < size &&
	       page_record_parse(body, size, &used, UINT64_MAX, &record)) {
		if (!page_record_whole(&record))
			continue;
		if (n == hashes->count)
			hashes->of[hashes->count++] = hash_page(record.data);
		key = hash_check(key, from, (size_t)(record.data - from));
		key = hash_mix(key ^ hashes->of[n++]);
		from = record.data + MIG_PAGE;
	}
	return hash_check(key, from, (size_t)(body + size - from));
}

/* In a time that does not depend on where they differ. */
static bool same(const u8 *a, const u8 *b, size_t size)
{
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

void crypto_seal(const struct crypto_key *key, u8 security, u8 *frame,
		 u64 number, struct page_hashes *hashes)
{
	u8 *tag = frame + WIRE_BODY + body_size(frame);

	if (security == WIRE_CLEAR)
		put_u64(tag, frame_check(key->check, frame, hashes));
	else
		run_cipher(key, security, frame, number, tag, true);
}

bool crypto_open(const struct crypto_key *key, u8 security, u8 *frame,
		 u64 number, struct page_hashes *hashes)
{
	const u8 *tag = frame + WIRE_BODY + body_size(frame);
	u8 wanted[WIRE_TAG_MAX];

	if (security == WIRE_CLEAR)
		return get_u64(tag) == frame_check(key->check, frame, hashes);
	run_cipher(key, security, frame, number, wanted, false);
	return same(tag, wanted, sizeof(wanted));
}

static void hello_tag(const u8 *psk, u8 security, const u8 *frame,
		      u8 tag[WIRE_TAG_MAX])
{
	br_hmac_key_context key;
	br_hmac_context hmac;
	u8 full[CRYPTO_HASH];

	if (security == WIRE_CLEAR) {
		put_u64(tag, hash_check(0, frame + WIRE_ETHERNET,
					WIRE_HEADER + HELLO_SIZE));
		put_u64(tag + 8, 0);
		return;
	}
	br_hmac_key_init(&key, &br_sha256_vtable, psk, CRYPTO_KEY);
	br_hmac_init(&hmac, &key, sizeof(full));
	br_hmac_update(&hmac, frame + WIRE_ETHERNET, WIRE_HEADER + HELLO_SIZE);
	br_hmac_out(&hmac, full);
	memcpy(tag, full, WIRE_TAG_MAX);
}

void crypto_hello_seal(const u8 *psk, u8 security, u8 *frame)
{
	hello_tag(psk, security, frame, frame + WIRE_BODY + HELLO_SIZE);
}

bool crypto_hello_open(const u8 *psk, u8 security, const u8 *frame)
{
	u8 wanted[WIRE_TAG_MAX];

	hello_tag(psk, security, frame, wanted);
	return same(frame + WIRE_BODY + HELLO_SIZE, wanted, sizeof(wanted));
}

void crypto_secret(u8 psk[CRYPTO_KEY], const void *text, size_t size)
{
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, text, size);
	br_sha256_out(&sha, psk);
}

void crypto_public(u8 public[32], const u8 secret[32])
{
	br_ec_c25519_m31.mulgen(public, secret, 32, BR_EC_curve25519);
}

static bool is_zero(const u8 *bytes, size_t size)
{
	unsigned any = 0;

	for (size_t i = 0; i < size; i++)
		any |= bytes[i];
	return any == 0;
}

bool crypto_agree(struct crypto_key key[2], u8 security, const u8 *psk,
		  const u8 secret[32], const u8 peer[32], const u8 *offer,
		  const u8 *accept)
{
	br_sha256_context sha;
	br_hkdf_context hkdf;
	u8 transcript[CRYPTO_HASH], shared[32];

	br_sha256_init(&sha);
	br_sha256_update(&sha, offer, HELLO_SIZE);
	br_sha256_update(&sha, accept, HELLO_SIZE);
	br_sha256_out(&sha, transcript);
	br_hkdf_init(&hkdf, &br_sha256_vtable, transcript, sizeof(transcript));
	if (security != WIRE_CLEAR) {
		memcpy(shared, peer, sizeof(shared));
		/* RFC 7748, section 6.1: a point of small order gives zero. */
		if (!br_ec_c25519_m31.mul(shared, sizeof(shared), secret, 32,
					  BR_EC_curve25519) ||
		    is_zero(shared, sizeof(shared)))
			return false;
		br_hkdf_inject(&hkdf, psk, CRYPTO_KEY);
		br_hkdf_inject(&hkdf, shared, sizeof(shared));
		memset(shared, 0, sizeof(shared));
	}
	br_hkdf_flip(&hkdf);
	for (unsigned i = 0; i < 2; i++) {
		br_hkdf_produce(&hkdf, "godwit 1", 8, key[i].key, CRYPTO_KEY);
		key[i].check = get_u64(key[i].key);
		key[i].wide = chacha20_is_wide();
	}
	return true;
}
