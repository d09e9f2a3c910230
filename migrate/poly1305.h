/*
 * Poly1305 (RFC 8439, 2.5) as the AEAD of 2.8 uses it: over parts, each filled
 * with zeros to whole blocks. In five limbs of 26 bits, so that sums of
 * products fit in 64 bits: an emulator, which has to calculate a carry flag
 * where it is read, runs 25 small products faster than four large ones with
 * carries between them. Its time depends on lengths only.
 */
#ifndef MIGRATE_POLY1305_H
#define MIGRATE_POLY1305_H

#include "migrate/types.h"

#define POLY1305_KEY   32
#define POLY1305_TAG   16
#define POLY1305_LIMBS 5

struct poly1305 {
	u64 r[POLY1305_LIMBS]; /* multiplier */
	u64 h[POLY1305_LIMBS]; /* sum */
	u64 s[2];	       /* added at the end */
};

void poly1305_begin(struct poly1305 *mac, const u8 key[POLY1305_KEY]);
void poly1305_add(struct poly1305 *mac, const u8 *data, size_t size);
void poly1305_end(struct poly1305 *mac, u8 tag[POLY1305_TAG]);

#endif
