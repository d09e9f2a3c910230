/*
 * ChaCha20 (RFC 8439, 2.4) as BearSSL's ciphers are called, four or eight
 * blocks at once: a vector has one word of each. There is nothing to shuffle,
 * and rotations are shifts, whose flags nobody asks for: an emulator runs it at
 * more than twice the speed of one block by rows, and a processor no slower.
 */
#ifndef MIGRATE_CHACHA_H
#define MIGRATE_CHACHA_H

#include "migrate/types.h"

/* XORs the stream to `data`, from block `counter` on; the next counter. */
uint32_t chacha20(const void *key, const void *nonce, uint32_t counter,
		  void *data, size_t size);

/* The same with AVX2, for where chacha20_is_wide(). */
uint32_t chacha20_wide(const void *key, const void *nonce, uint32_t counter,
		       void *data, size_t size);
bool chacha20_is_wide(void);

#endif
