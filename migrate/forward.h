/*
 * The guest's own network, while it moves: frames that reach the source after
 * the stop, carried to the target in frames of kind GUEST (docs/wire.md). None
 * is acknowledged or sent again: it is as good as the link, as any frame is.
 */
#ifndef MIGRATE_FORWARD_H
#define MIGRATE_FORWARD_H

#include "migrate/link.h"

#define FORWARD_FRAME_MAX 65535 /* of the guest */
#define FORWARD_PARTS	  4	/* frames that are being put together */

/*
 * The source's: the next frame of the link for a frame of the guest, into
 * `out`. *done, which begins with 0, is moved on; there is more until it is
 * `size`. 0: the link is down, or the frame is too large; it is lost.
 */
size_t forward_output(struct link *link, u64 now, const u8 *frame, u32 size,
		      u32 *done, u8 *out);

/* The target's: a frame of which not all pieces are here. */
struct forward_part {
	u32 id;
	u16 total; /* 0: free */
	u64 have;  /* bit i: piece i */
	u64 order; /* of beginning */
};

struct forward {
	struct forward_part part[FORWARD_PARTS];
	u8 *memory;
	u32 frame_max;
	u64 begun;
	u64 frames, incomplete, malformed;
};

size_t forward_memory(u32 frame_max);
/* frame_max 0: none are taken. */
void forward_init(struct forward *forward, u32 frame_max, u8 *memory);
/* Another session: what is incomplete stays so. */
void forward_session(struct forward *forward);

/*
 * A body of kind GUEST, from a link with frames of frame_size. The guest's
 * frame that it completes, or NULL; it is valid until the next call, and as
 * long as the body.
 */
const u8 *forward_input(struct forward *forward, u32 frame_size, const u8 *body,
			size_t size, u32 *frame);

#endif
