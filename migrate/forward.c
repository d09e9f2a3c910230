#include "migrate/forward.h"

/* --- pieces --- */

/* Of a frame of the guest in one of the link, whatever its tag. */
static u32 piece_room(u32 frame_size)
{
	return frame_size - WIRE_BODY - GUEST_HEAD - WIRE_TAG_MAX;
}

_Static_assert(FORWARD_FRAME_MAX / (WIRE_FRAME_MIN - WIRE_BODY - GUEST_HEAD -
				    WIRE_TAG_MAX) <
		       64,
	       "struct forward_part: have");

/* --- source --- */

size_t forward_output(struct link *link, u64 now, const u8 *frame, u32 size,
		      u32 *done, u8 *out)
{
	u8 *body = out + WIRE_BODY;
	u32 n;

	if (!link->up || size > FORWARD_FRAME_MAX || *done >= size)
		return 0;
	n = (u32)mig_min(size - *done, piece_room(link->frame_size));
	if (*done == 0)
		link->guest_frames++;
	put_u32(body, link->guest_frames);
	put_u16(body + 4, (u16)*done);
	put_u16(body + 6, (u16)size);
	memcpy(body + GUEST_HEAD, frame + *done, n);
	*done += n;
	return link_seal(link, now, WIRE_GUEST, out, (u16)(GUEST_HEAD + n));
}

/* --- target --- */

size_t forward_memory(u32 frame_max)
{
	return (size_t)frame_max * FORWARD_PARTS;
}

void forward_init(struct forward *forward, u32 frame_max, u8 *memory)
{
	memset(forward, 0, sizeof(*forward));
	forward->frame_max = frame_max;
	forward->memory = memory;
}

void forward_session(struct forward *forward)
{
	memset(forward->part, 0, sizeof(forward->part));
}

/* Its own, a free one, or the oldest, whose frame will not be complete. */
static struct forward_part *part_of(struct forward *forward, u32 id, u16 total)
{
	struct forward_part *found = NULL;

	for (unsigned i = 0; i < FORWARD_PARTS; i++) {
		struct forward_part *part = &forward->part[i];

		if (part->total != 0 && part->id == id)
			return part->total == total ? part : NULL;
		if (found == NULL || part->order < found->order)
			found = part;
	}
	if (found->total != 0)
		forward->incomplete++;
	*found = (struct forward_part){
		.id = id, .total = total, .order = ++forward->begun};
	return found;
}

/* A piece of several. */
static const u8 *put_together(struct forward *forward, const u8 *body,
			      u32 offset, u32 size, u32 room)
{
	u16 total = get_u16(body + 6);
	struct forward_part *part = part_of(forward, get_u32(body), total);
	u64 all = ((u64)1 << (total + room - 1) / room) - 1;
	u8 *frame;

	if (part == NULL) {
		forward->malformed++;
		return NULL;
	}
	frame = forward->memory +
		(size_t)(part - forward->part) * forward->frame_max;
	memcpy(frame + offset, body + GUEST_HEAD, size);
	part->have |= (u64)1 << offset / room;
	if (part->have != all)
		return NULL;
	memset(part, 0, sizeof(*part));
	return frame;
}

const u8 *forward_input(struct forward *forward, u32 frame_size, const u8 *body,
			size_t size, u32 *frame)
{
	u32 room = piece_room(frame_size), offset, total, n;
	const u8 *whole = body + GUEST_HEAD;

	if (size < GUEST_HEAD || forward->frame_max == 0)
		return NULL;
	offset = get_u16(body + 4);
	total = get_u16(body + 6);
	n = (u32)size - GUEST_HEAD;
	if (total > forward->frame_max || offset >= total ||
	    offset % room != 0 || n != mig_min(total - offset, room)) {
		forward->malformed++;
		return NULL;
	}
	if (total > room)
		whole = put_together(forward, body, offset, n, room);
	if (whole == NULL)
		return NULL;
	forward->frames++;
	*frame = total;
	return whole;
}
