#include "migration/trace.h"

#include "cpu/time.h"
#include "migrate/wire.h"
#include "migration/parts.h"
#include "vm/vm.h"

/* Frames of one kind whose numbers follow each other. */
struct batch {
	u32 frames;
	u64 first; /* TRACE_FRAME() */
	u64 bytes;
	u64 began, last; /* TSC */
};

static struct batch sending, receiving;

static void add(struct batch *b, const struct wire_header *header, u32 size)
{
	if (!b->frames) {
		b->first = TRACE_FRAME(header->kind, header->session,
				       header->number);
		b->began = rdtsc();
		b->bytes = 0;
	}
	b->last = rdtsc();
	b->frames++;
	b->bytes += size;
}

/* Is it the one behind the batch's last? */
static bool follows(const struct batch *b, const struct wire_header *header)
{
	return TRACE_FRAME(header->kind, header->session, header->number) ==
	       b->first + b->frames;
}

/* The time of frames that are sent is when the device is told. */
void trace_frames_sent(void)
{
	u64 now = rdtsc();

	if (!sending.frames)
		return;
	trace_put_at(now, TRACE_SENT, TRACE_NOBODY, sending.frames,
		     sending.first, sending.bytes, now - sending.began);
	sending.frames = 0;
}

void trace_frames_received(void)
{
	struct batch *b = &receiving;

	if (!b->frames)
		return;
	trace_put_at(b->began, TRACE_RECEIVED, TRACE_NOBODY, b->frames,
		     b->first, b->bytes, b->last - b->began);
	b->frames = 0;
}

/* What is no frame of ours is no business of a trace. */
void trace_frame_sent(const u8 *frame, u32 size)
{
	struct wire_header header;

	if (!trace_wants(TRACE_FRAMES) ||
	    !wire_header_parse(frame, size, &header, 0))
		return;
	if (sending.frames && !follows(&sending, &header))
		trace_frames_sent();
	add(&sending, &header, size);
}

void trace_frame_received(const u8 *frame, u32 size)
{
	struct wire_header header;

	if (!trace_wants(TRACE_FRAMES) ||
	    !wire_header_parse(frame, size, &header, 0))
		return;
	if (receiving.frames && !follows(&receiving, &header))
		trace_frames_received();
	add(&receiving, &header, size);
}

void trace_rounds(struct outgoing *out)
{
	const struct report *report = &out->source->report;
	u64 now = rdtsc();

	for (; out->traced_rounds < report->rounds; out->traced_rounds++) {
		const struct round_stats *r =
			&report->round[out->traced_rounds];
		u64 ticks = ns_to_tsc(r->duration * NS_PER_US);
		/* It ended before we looked, and the next began then. */
		u64 start = MAX(now - MIN(ticks, now), out->traced_until);

		out->traced_until = start + ticks;
		if (trace_wants(TRACE_MIGRATION))
			trace_put_at(start, TRACE_ROUND,
				     trace_who(out->vm->index, TRACE_NONE),
				     r->round, ticks, r->pages, r->bytes);
	}
}

void trace_step(const struct vm *vm, enum trace_step step)
{
	if (trace_wants(TRACE_MIGRATION))
		trace_put(TRACE_MOVE, trace_who(vm->index, TRACE_NONE), step, 0,
			  0, 0);
}
