/*
 * The target's half of the page channel: which frames are acceptable, what they
 * do to memory, and the hashes of what memory then holds. Per page it keeps 3
 * bytes of hash and two bits.
 */
#ifndef MIGRATE_RECEIVER_H
#define MIGRATE_RECEIVER_H

#include "migrate/codec.h"
#include "migrate/hash.h"

struct receiver {
	u64 pages;
	u8 *(*page)(void *context, u64 page); /* zero at first */
	void *context;
	u64 highest;
	u64 bitmap[WINDOW_BITS / 64];
	u8 *hashes;
	u64 sum;      /* of their shares */
	u64 *touched; /* written at least once: not zero for certain */
	u64 *stale;   /* the hash is older than the content */
	u8 *scratch;
	u64 applied, refused;
};

size_t receiver_memory(u64 pages);
void receiver_init(struct receiver *receiver, u64 pages, u8 *memory);
void receiver_session(struct receiver *receiver);

/* May frame `number` still change anything? Then it is taken as received. */
bool receiver_accept(struct receiver *receiver, u64 number);
/*
 * False: a record is malformed. Whole pages of which no hash is known get one
 * on their way.
 */
bool receiver_apply(struct receiver *receiver, const u8 *body, size_t size,
		    const struct page_hashes *hashes);

/* Brings the hashes of a range up to date and sums them. */
u64 receiver_hash(struct receiver *receiver, u64 first, u64 count);

#endif
