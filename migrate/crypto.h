/*
 * Cryptography: X25519, HMAC and HKDF with SHA-256 are BearSSL's, frames are
 * sealed by our own ChaCha20-Poly1305, in constant time. Nothing here
 * allocates.
 *
 * The library is compiled for user land: it uses SSE and the red zone, so the
 * kernel calls into migrate/ with interrupts off and the guest's FPU state put
 * away.
 */
#ifndef MIGRATE_CRYPTO_H
#define MIGRATE_CRYPTO_H

#include "migrate/wire.h"

#define CRYPTO_KEY  32
#define CRYPTO_HASH 32

/* One direction's key. */
struct crypto_key {
	u8 key[CRYPTO_KEY];
	u64 check; /* its first bytes, for security none */
	bool wide; /* this processor has chacha20_wide() */
};

unsigned crypto_tag_size(u8 security);

/*
 * Both work on a whole frame whose header is complete; the body in place. With
 * security none the hash of a whole page stands for its bytes: those that are
 * not in `hashes` yet are when it returns.
 */
void crypto_seal(const struct crypto_key *key, u8 security, u8 *frame,
		 u64 number, struct page_hashes *hashes);
bool crypto_open(const struct crypto_key *key, u8 security, u8 *frame,
		 u64 number, struct page_hashes *hashes);

/* The tag of a HELLO, behind its body. */
void crypto_hello_seal(const u8 *psk, u8 security, u8 *frame);
bool crypto_hello_open(const u8 *psk, u8 security, const u8 *frame);

/* A pre-shared key from what the operator typed: its SHA-256. */
void crypto_secret(u8 psk[CRYPTO_KEY], const void *text, size_t size);

/* The public key of a secret, which may be any 32 random bytes. */
void crypto_public(u8 public[32], const u8 secret[32]);

/*
 * Keys of both directions from the bodies of OFFER and ACCEPT. False: the
 * peer's public key gives no secret.
 */
bool crypto_agree(struct crypto_key key[2], u8 security, const u8 *psk,
		  const u8 secret[32], const u8 peer[32], const u8 *offer,
		  const u8 *accept);

#endif
