/*
 * Page codecs. The encoder looks at a page and writes what is shortest of what
 * pays; the decoder applies a checked record to a page. A codec that does not
 * pay for itself is turned off for a while, and the report says so.
 */
#ifndef MIGRATE_CODEC_H
#define MIGRATE_CODEC_H

#include "migrate/wire.h"

#define CODEC_LZ4_TIME	32    /* microseconds that a page is taken to need */
#define CODEC_SPARE_MAX 65536 /* microseconds */
#define CODEC_LZ4_STATE 16416 /* LZ4_sizeofState(), checked at set-up */

struct codec_count {
	u64 tried, pages,
		bytes; /* pages it encoded, bytes it needed for them */
	u32 asleep;    /* pages until it is tried again */
	u32 poor;      /* tries in a row that did not pay */
	u64 turned_off;
};

struct codec_cache_line {
	u32 page;   /* plus one; 0: empty */
	u32 filled; /* bytes of content from the start */
	u8 content[MIG_PAGE];
};

struct codec {
	u32 features;
	struct codec_cache_line *cache; /* direct-mapped */
	u32 cache_lines;
	u8 *lz4_state;
	u8 *encoded;	 /* MIG_PAGE bytes for an encoder's output */
	u64 spare;	 /* microseconds that LZ4 may take */
	u64 waits_since; /* 0: frames go out */
	struct codec_count count[CODECS];
};

/* Sizes of the memory that codec_init() is given. */
size_t codec_memory(u32 cache_lines);
void codec_init(struct codec *codec, u32 features, u32 cache_lines, u8 *memory);

/*
 * How to send a page: CODEC_ZERO, WORD, DELTA, LZ4 with their data in the
 * record, at most `room` bytes of it; or CODEC_RAW, whose bytes the caller
 * cuts as they fit.
 */
void codec_encode(struct codec *codec, u32 page, const u8 *content, size_t room,
		  struct page_record *record);

/*
 * LZ4 costs more time than a fast link does, and is worth it on a slow one. So
 * it lives on time that is left over: how long there have been pages to send
 * that could not go, because the link or the peer is slower than we are.
 */
static inline void codec_waits(struct codec *codec, u64 now)
{
	if (codec->waits_since != 0)
		codec->spare = mig_min(codec->spare + now - codec->waits_since,
				       CODEC_SPARE_MAX);
	codec->waits_since = now;
}

static inline void codec_goes_on(struct codec *codec)
{
	codec->waits_since = 0;
}

/* The record is being sent: it counts. */
static inline void codec_took(struct codec *codec,
			      const struct page_record *record)
{
	codec->count[record->codec].pages++;
	if (record->codec != CODEC_ZERO)
		codec->count[record->codec].bytes += record->size;
}

/* The delta codec keeps what was sent. */
static inline bool codec_keeps(const struct codec *codec)
{
	return codec->cache_lines != 0 &&
	       (codec->features & 1u << CODEC_DELTA) != 0;
}

/* An encoder or the cache will look at the next page. */
static inline bool codec_may_encode(const struct codec *codec)
{
	bool lz4 = (codec->features & 1u << CODEC_LZ4) &&
		   codec->spare >= CODEC_LZ4_TIME &&
		   codec->count[CODEC_LZ4].asleep == 0;

	return lz4 || codec_keeps(codec);
}

/* These bytes of a page were sent; a page that is lost is forgotten. */
void codec_sent(struct codec *codec, u32 page, unsigned offset, const u8 *bytes,
		unsigned size);
void codec_forget(struct codec *codec, u32 page);

/* The record passed page_record_parse(). False: its data make no page. */
bool codec_decode(const struct page_record *record, u8 *page, u8 *scratch);

/* codec_*.c: each encodes into `to`, returning its size or 0 for "no". */
size_t delta_encode(const u8 *before, const u8 *now, u8 *to, size_t room);
bool delta_apply(const u8 *data, size_t size, u8 *page);
size_t lz4_encode(u8 *state, const u8 *page, u8 *to, size_t room);
bool lz4_decode(const u8 *data, size_t size, u8 *page);
size_t lz4_state_size(void);

#endif
