/*
 * The source's half of the page channel: which pages are to be sent, what is
 * under way, what was lost. Per page it keeps a bit and 3 bytes of hash.
 *
 * Bytes are sent again only when the frame that had them is resolved: received,
 * or so far behind that the target will never take it (docs/wire.md, "PAGES").
 */
#ifndef MIGRATE_SENDER_H
#define MIGRATE_SENDER_H

#include "migrate/codec.h"
#include "migrate/hash.h"
#include "migrate/link.h"

#define FLYING_COUNTERS 32768

/* A part of a frame: raw bytes of a page, or whole pages. */
struct part {
	u32 page;
	u16 offset, size;
	u8 codec;
};

struct flight {
	u64 number, sent_at;
	u16 count;
	bool resolved;
	struct part part[FLIGHT_RECORDS];
};

struct sender_counts {
	u64 frames, bytes; /* with everything, as on the wire */
	u64 pages, parts_again, frames_lost, probes;
};

struct sender {
	u64 pages;
	const u8 *(*page)(void *context, u64 page);
	void *context;
	const u8 *zero_page; /* what page() may return for one that is zero */
	u64 zero_hash;

	u64 *todo;
	u64 todo_left, cursor;
	u8 *hashes;
	u64 sum; /* of their shares */
	struct codec codec;

	u8 *open_content; /* for a copy of it */
	const u8 *open;	  /* the page being sent */
	u32 open_page;
	u16 open_offset; /* 0: none is open */

	struct part again[WINDOW_SPAN];
	u32 again_first, again_count;

	struct flight flight[WINDOW_SPAN];
	u32 flight_first, flight_count; /* a ring, by number */
	u32 unresolved;
	u16 flying[FLYING_COUNTERS]; /* unresolved parts by page, hashed */
	u64 progress_at;
	bool asked; /* for the last frame's acknowledgement */

	u64 rate; /* bytes per second, 0: unlimited */
	u64 allowance, allowance_at;
	struct sender_counts counts;
};

size_t sender_memory(u64 pages, u32 cache_lines);
void sender_init(struct sender *sender, u64 pages, u32 features,
		 u32 cache_lines, u8 *memory);

/* Everything of the old session is void. */
void sender_session(struct sender *sender, u64 now);

/* After the bits of `todo` were set from outside. */
void sender_count(struct sender *sender);

/* Nothing is left to be sent; and nothing is under way either. */
bool sender_sent_all(const struct sender *sender);
bool sender_resolved_all(const struct sender *sender);

/* The target's word on what it received. */
void sender_resolve(struct sender *sender, u64 now,
		    const struct control *control);

/* The next page frame, or 0: nothing to send, or nothing allowed now. */
size_t sender_output(struct sender *sender, struct link *link, u64 now,
		     unsigned credit, u8 *frame);
u64 sender_wake(const struct sender *sender, const struct link *link,
		unsigned credit, u64 now);

#endif
