/*
 * The parts of wirebox (main.c says what it is and which words it knows):
 *
 *	fate.c   what befalls a frame, from the seed
 *	match.c  a frame that is waited for
 *	way.c    the frames that are under way from one end to the other
 *	ends.c   the sockets of both ends
 *	words.c  settings, and the answers to them
 *	pcap.c   the record of what leaves the box
 *	main.c   the loop
 *
 * A side is 0 for A and 1 for B; way 0 leads from A to B, way 1 from B to A.
 */
#ifndef WIREBOX_H
#define WIREBOX_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define SECOND	   1000000000ull
#define CERTAIN	   (1ull << 32) /* a probability of one */
#define FRAME_MAX  69632u	/* QEMU's own */
#define HEAD	   4u		/* a frame's length, before it */
#define IN_SIZE	   (256u << 10)
#define QUEUE_SIZE (64u << 20)
#define FRAMES	   65536u    /* under way, each direction */
#define HELD	   8u	     /* frames that wait to be overtaken */
#define HOLD_MAX   10000000u /* ns for which they do if none come */
/* What waits for its turn on the cable: more would be a switch's memory. */
#define BACKLOG 2000000u /* ns */

struct settings {
	u64 rate, after;		    /* 0: none */
	u64 delay, jitter;		    /* ns */
	u64 loss, corrupt, repeat, reorder; /* of CERTAIN */
	bool fails[2];			    /* with a cut that comes */
};

extern struct settings settings;

/* --- fate.c */

struct fate {
	bool lost, repeated, corrupted;
	u32 overtaken; /* by so many later frames */
	u32 bit;       /* the one that is flipped, of the whole frame's */
	u64 late;      /* ns of jitter */
};

void fate_seed(u64 seed);
/* Of the number-th frame of a way since the seed was set: nothing else counts,
 * and no setting changes what another one does. */
struct fate fate_of(unsigned side, u64 number, u32 size);

/* --- match.c */

#define PATTERN_MAX 8

/* Bytes of a frame, from its destination address on. */
struct pattern {
	u32 count; /* 0: nothing is waited for */
	struct {
		u32 offset;
		unsigned char value;
	} byte[PATTERN_MAX];
};

/* OFFSET:BYTE,... or empty. */
bool pattern_set(struct pattern *pattern, const char *text);
/* This is the one; then the pattern is none any more. */
bool pattern_fits(struct pattern *pattern, const unsigned char *frame,
		  u32 size);

/* --- way.c */

struct way {
	unsigned char in[IN_SIZE]; /* read, not yet a whole frame */
	size_t in_size;
	unsigned char *queue; /* whole frames, under way */
	size_t begin, end;
	u32 sent; /* bytes of the first one that are gone */
	struct {
		u64 due;
		u32 size; /* with its length */
	} frame[FRAMES];  /* a ring */
	u32 first, count;
	struct {
		unsigned char bytes[FRAME_MAX + HEAD];
		u64 until;
		u32 size, copies, left; /* frames that go before it; 0: free */
	} held[HELD];
	u64 free_at;  /* when the cable has taken what it was given */
	u64 last_due; /* jitter keeps the order */
	u64 number;   /* of frames since the seed was set */
	bool cut;
	/* frames and bytes that were put on the cable, repeated ones twice */
	u64 frames, bytes, lost, corrupted, repeated, reordered, recorded;
};

extern struct way ways[2];
/* The cable is cut when such a frame comes: before it, or behind it. */
extern struct pattern cut_before, cut_behind;

void way_open(struct way *way);
/* May more be read? */
bool way_has_room(const struct way *way, u64 now);
/* The whole frames among what was read are on their way. */
void way_take(unsigned side, u64 now);
/* Frames that waited in vain to be overtaken go. */
void way_release(unsigned side, u64 now);
/* Bytes of frames that are due, which begin at way_bytes(). */
size_t way_due(const struct way *way, u64 now);
const unsigned char *way_bytes(const struct way *way);
void way_sent(unsigned side, size_t n);
/* Nobody is there to get what is under way. */
void way_lose(struct way *way);
/* Forgets what is under way. */
void way_clear(struct way *way);
/* When something is to be done for it, `until` at the latest. */
u64 way_next(const struct way *way, u64 now, u64 until);

/* --- ends.c */

void end_listen(unsigned side, const char *path);
/* Sends what is due to that side. True: it takes no more just now. */
bool end_write(unsigned side, u64 now);
struct pollfd end_watched(unsigned side, bool full, u64 now);
void end_event(unsigned side, short events, u64 now);

/* --- words.c */

bool word_set(const char *word);
void words_read(void);

/* --- pcap.c */

/* FILE, ab:FILE or ba:FILE; empty: no more. False: it cannot be written. */
bool pcap_open(const char *value);
bool pcap_wants(unsigned side);
/* Frames that leave now: one look at the clock for those of a batch. */
void pcap_stamp(void);
void pcap_frame(const unsigned char *frame, u32 size);
/* What was recorded can be read by others. */
void pcap_flush(void);
/* The same, now and then; returns when it wants to be called next. */
u64 pcap_tick(u64 now, u64 until);

#endif
