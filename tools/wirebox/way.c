#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wirebox.h"

struct way ways[2];
struct pattern cut_before, cut_behind;

void way_open(struct way *way)
{
	way->queue = malloc(QUEUE_SIZE);
	if (!way->queue) {
		perror("wirebox");
		exit(1);
	}
}

/* --- onto the cable */

static void make_room(struct way *way, size_t size)
{
	if (way->end + size <= QUEUE_SIZE)
		return;
	memmove(way->queue, way->queue + way->begin, way->end - way->begin);
	way->end -= way->begin;
	way->begin = 0;
}

static void put(struct way *way, const unsigned char *at, u32 size, u64 late,
		u64 now)
{
	u32 slot = (way->first + way->count) % FRAMES;
	u64 due;

	way->frames++;
	way->bytes += size - HEAD;
	if (way->free_at < now)
		way->free_at = now;
	if (settings.rate)
		way->free_at += size * SECOND / settings.rate;
	due = way->free_at + settings.delay + late;
	if (way->last_due < due)
		way->last_due = due;
	make_room(way, size);
	memcpy(way->queue + way->end, at, size);
	way->end += size;
	way->frame[slot].due = way->last_due;
	way->frame[slot].size = size;
	way->count++;
}

/* --- frames that others overtake */

static bool hold(struct way *way, const unsigned char *at, u32 size, u32 copies,
		 u32 left, u64 now)
{
	for (u32 i = 0; i < HELD; i++) {
		if (way->held[i].left)
			continue;
		memcpy(way->held[i].bytes, at, size);
		way->held[i].size = size;
		way->held[i].copies = copies;
		way->held[i].left = left;
		way->held[i].until = now + HOLD_MAX;
		way->reordered++;
		return true;
	}
	return false;
}

static void let_go(struct way *way, u32 i, u64 now)
{
	for (u32 n = 0; n < way->held[i].copies; n++)
		put(way, way->held[i].bytes, way->held[i].size, 0, now);
	way->held[i].left = 0;
}

/* One more has gone before them. */
static void was_overtaken(struct way *way, u64 now)
{
	for (u32 i = 0; i < HELD; i++)
		if (way->held[i].left && --way->held[i].left == 0)
			let_go(way, i, now);
}

void way_release(unsigned side, u64 now)
{
	struct way *way = &ways[side];

	if (!settings.reorder && !way->reordered)
		return;
	for (u32 i = 0; i < HELD; i++)
		if (way->held[i].left && way->held[i].until <= now)
			let_go(way, i, now);
}

/* --- from an end */

static void cut(void)
{
	ways[0].cut |= settings.fails[0];
	ways[1].cut |= settings.fails[1];
}

static void count_to_cut(const struct way *way)
{
	if (way == &ways[0] && settings.after && --settings.after == 0)
		cut();
}

static void take(unsigned side, unsigned char *at, u32 size, u64 now)
{
	struct way *way = &ways[side];
	struct fate fate = fate_of(side, way->number++, size - HEAD);
	u32 copies = fate.repeated ? 2 : 1;
	bool last = pattern_fits(&cut_behind, at + HEAD, size - HEAD);

	if (pattern_fits(&cut_before, at + HEAD, size - HEAD))
		cut();
	if (way->cut || fate.lost) {
		way->lost++;
		count_to_cut(way);
		return;
	}
	count_to_cut(way);
	if (last)
		cut();
	if (fate.corrupted) {
		at[HEAD + fate.bit / 8] ^= (unsigned char)(1 << fate.bit % 8);
		way->corrupted++;
	}
	way->repeated += fate.repeated;
	if (fate.overtaken && hold(way, at, size, copies, fate.overtaken, now))
		return;
	for (u32 n = 0; n < copies; n++)
		put(way, at, size, fate.late, now);
	if (settings.reorder || way->reordered)
		was_overtaken(way, now);
}

bool way_has_room(const struct way *way, u64 now)
{
	/* Each frame that is read may be repeated, and release those held. */
	return way->free_at <= now + BACKLOG &&
	       way->count + 2 * (IN_SIZE / (HEAD + 14) + HELD) < FRAMES &&
	       way->end - way->begin + 2 * (IN_SIZE + HELD * FRAME_MAX) <
		       QUEUE_SIZE;
}

static u32 frame_size(const unsigned char *at)
{
	return ((u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3]) +
	       HEAD;
}

void way_take(unsigned side, u64 now)
{
	struct way *way = &ways[side];
	size_t at = 0;

	while (way->in_size - at >= HEAD) {
		u32 size = frame_size(way->in + at);

		if (size < HEAD || size > FRAME_MAX + HEAD) {
			fprintf(stderr, "wirebox: a frame of %u bytes\n",
				size - HEAD);
			exit(1);
		}
		if (way->in_size - at < size)
			break;
		take(side, way->in + at, size, now);
		at += size;
	}
	memmove(way->in, way->in + at, way->in_size - at);
	way->in_size -= at;
}

/* --- to the other end */

size_t way_due(const struct way *way, u64 now)
{
	size_t size = 0;

	for (u32 i = 0; i < way->count; i++) {
		u32 slot = (way->first + i) % FRAMES;

		if (way->frame[slot].due > now || size > IN_SIZE)
			break;
		size += way->frame[slot].size;
	}
	return size ? size - way->sent : 0;
}

const unsigned char *way_bytes(const struct way *way)
{
	return way->queue + way->begin + way->sent;
}

void way_sent(unsigned side, size_t n)
{
	struct way *way = &ways[side];
	bool recorded = pcap_wants(side);

	if (recorded)
		pcap_stamp();
	n += way->sent;
	while (way->count && n >= way->frame[way->first].size) {
		u32 size = way->frame[way->first].size;

		if (recorded) {
			pcap_frame(way->queue + way->begin + HEAD, size - HEAD);
			way->recorded++;
		}
		n -= size;
		way->begin += size;
		way->first = (way->first + 1) % FRAMES;
		way->count--;
	}
	way->sent = (u32)n;
	if (!way->count)
		way->begin = way->end = 0;
}

void way_clear(struct way *way)
{
	way->begin = way->end = 0;
	way->first = way->count = way->sent = 0;
	for (u32 i = 0; i < HELD; i++)
		way->held[i].left = 0;
}

void way_lose(struct way *way)
{
	way->lost += way->count;
	way->begin = way->end = 0;
	way->first = way->count = way->sent = 0;
}

u64 way_next(const struct way *way, u64 now, u64 until)
{
	u64 due = way->count ? way->frame[way->first].due : UINT64_MAX;

	if (due > now && due < until)
		until = due;
	if (way->free_at > now + BACKLOG && way->free_at - BACKLOG < until)
		until = way->free_at - BACKLOG;
	for (u32 i = 0; i < HELD && way->reordered; i++)
		if (way->held[i].left && way->held[i].until < until)
			until = way->held[i].until;
	return until > now ? until : now;
}
