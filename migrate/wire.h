/*
 * The frames and records of docs/wire.md: their numbers, and the structures
 * that they are parsed into. Parsing copies every field once and checks every
 * length against our own constants; what it returns is safe to use.
 */
#ifndef MIGRATE_WIRE_H
#define MIGRATE_WIRE_H

#include "migrate/types.h"

#define WIRE_ETHERTYPE	 0x88b5
#define WIRE_VERSION	 1
#define WIRE_ETHERNET	 14
#define WIRE_HEADER	 8
#define WIRE_BODY	 (WIRE_ETHERNET + WIRE_HEADER)
#define WIRE_TAG_MAX	 16
#define WIRE_CHECK	 8
#define WIRE_FRAME_MIN	 1514
#define WIRE_FRAME_MAX	 65014
#define WIRE_FRAME_SHORT 60 /* Ethernet's own minimum */

enum wire_kind {
	WIRE_HELLO = 1,
	WIRE_CONTROL,
	WIRE_PAGES,
	WIRE_GUEST,
	WIRE_KINDS
};
enum wire_security { WIRE_CLEAR, WIRE_AUTHENTICATE, WIRE_ENCRYPT };

struct wire_header {
	u8 kind, session;
	u16 length;
	u32 number;
};

/* False: not a frame of ours, or one whose length does not fit. */
bool wire_header_parse(const u8 *frame, size_t size, struct wire_header *header,
		       unsigned tag_size);
void wire_header_put(u8 *frame, const u8 to[6], const u8 from[6],
		     const struct wire_header *header);

/* The 64-bit number nearest to `highest` with these low 32 bits. */
u64 wire_number(u64 highest, u32 low);

/* --- HELLO --- */

#define HELLO_SIZE 144
#define WIRE_NAME  32

enum hello_type {
	HELLO_SEEK = 1,
	HELLO_HERE,
	HELLO_OFFER,
	HELLO_ACCEPT,
	HELLO_DENY
};

#define FEATURE_POSTCOPY (1u << 16)

struct hello {
	u8 type, security, version_low, version_high;
	u32 features, frame_size, code;
	char name[WIRE_NAME];
	u8 migration[16], nonce[16], challenge[16], key[32];
	u64 pages;
	u16 credit;
	u8 resume, session;
};

void hello_put(u8 *body, const struct hello *hello);
void hello_parse(const u8 *body, struct hello *hello);

/* --- CONTROL --- */

#define CONTROL_HEAD   96
#define RECORD_HEAD    8
#define RECORD_DATA    1300
#define RECORD_SIZE    (RECORD_HEAD + RECORD_DATA)
#define RECORD_WINDOW  16
#define WINDOW_BITS    512 /* of the bitmap of received page frames */
#define WINDOW_REORDER 64  /* page frames that may overtake one */
#define WINDOW_SPAN    (WINDOW_BITS - WINDOW_REORDER)

struct control {
	u32 sequence, acknowledged;
	u64 highest;
	u16 credit;
	u8 state;
	u32 attempt;
	u64 bitmap[WINDOW_BITS / 64];
	u64 applied;
};

void control_put(u8 *body, const struct control *control);
void control_parse(const u8 *body, struct control *control);

#define RECORDS(X)            \
	X(DESCRIBE, 1, 48)    \
	X(REQUIRE, 2, 56)     \
	X(ASK, 3, 4)          \
	X(READY, 4, 16)       \
	X(REFUSE, 5, 72)      \
	X(ROUND, 6, 16)       \
	X(STATE, 7, 8)        \
	X(PREPARE, 8, 32)     \
	X(PREPARED, 9, 24)    \
	X(DIFFERS, 10, 24)    \
	X(HASH_ASK, 11, 16)   \
	X(HASH_TELL, 12, 24)  \
	X(COMMIT, 13, 16)     \
	X(COMMITTED, 14, 16)  \
	X(RESTART, 15, 4)     \
	X(ABORT, 16, 8)       \
	X(ABORTED, 17, 8)     \
	X(RELEASE, 18, 8)     \
	X(PAGE_WANT, 19, 16)  \
	X(PAGE_RANGE, 20, 16) \
	X(FILLER, 21, 0)

/* The smallest data of version 1: RECORD_x and RECORD_x_SIZE. */
#define RECORD_ENUM(name, type, size) \
	RECORD_##name = type, RECORD_##name##_SIZE = size,
enum { RECORDS(RECORD_ENUM) RECORD_TYPES = 22 };
#undef RECORD_ENUM

struct record {
	u8 type;
	bool mandatory;
	u16 size;
	const u8 *data;
};

enum record_verdict { RECORD_GOOD, RECORD_SKIP, RECORD_STRANGE, RECORD_BAD };

/* `size` bytes at `at` are there; the record must lie within. */
enum record_verdict record_parse(const u8 *at, size_t size,
				 struct record *record);
/* Returns the record's size with its head. */
size_t record_put(u8 *at, u8 type, const void *data, size_t size);

struct requirement {
	u8 class, rule;
	u16 reg;
	u32 index, sub;
	u64 value;
	char name[WIRE_NAME];
};

enum requirement_class {
	CLASS_CPUID = 1,
	CLASS_MSR,
	CLASS_DEVICE,
	CLASS_RECORD,
	CLASS_HOST
};
enum requirement_rule { RULE_BITS = 1, RULE_EQUAL, RULE_LEAST, RULE_MOST };

void requirement_put(u8 *at, const struct requirement *requirement);
void requirement_parse(const u8 *at, struct requirement *requirement);
bool requirement_met(const struct requirement *requirement, u64 have);
/* "cpuid leaf 7 subleaf 0 ebx "avx2": needs 0x20, has 0x0", cut to size. */
void requirement_text(char *text, size_t size,
		      const struct requirement *requirement, u64 have);

/* --- PAGES --- */

#define PAGE_HEAD      8
#define ZERO_RUN_MAX   4096
#define FLIGHT_RECORDS 32				     /* in a frame */
#define WHOLE_PAGES    (UINT16_MAX / (PAGE_HEAD + MIG_PAGE)) /* likewise */

enum page_codec { CODEC_ZERO, CODEC_WORD, CODEC_RAW, CODEC_DELTA, CODEC_LZ4 };
#define CODECS 5

struct page_record {
	u32 page;
	u8 codec;
	u16 offset, size;
	const u8 *data;
};

/* A page as it is, in one piece. */
static inline bool page_record_whole(const struct page_record *record)
{
	return record->codec == CODEC_RAW && record->size == MIG_PAGE;
}

static inline void page_record_put(u8 *at, const struct page_record *record)
{
	put_u32(at, record->page);
	put_u16(at + 4, (u16)(record->codec << 12 | record->offset));
	put_u16(at + 6, record->size);
}

/* Of a frame's whole pages, in their order: the first `count` are known. */
struct page_hashes {
	unsigned count;
	u64 of[WHOLE_PAGES];
};

/*
 * The record at *used of a body; moves *used behind it. False: it breaks a
 * rule. Pages are below `pages`.
 */
bool page_record_parse(const u8 *body, size_t size, size_t *used, u64 pages,
		       struct page_record *record);

/* --- GUEST --- */

#define GUEST_HEAD 8 /* u32 frame, u16 offset, u16 size of the frame */

/* --- States --- */

enum source_state {
	SOURCE_IDLE,
	SOURCE_SEEKING,
	SOURCE_OFFERING,
	SOURCE_ASKING,
	SOURCE_COPYING,
	SOURCE_STOPPED,
	SOURCE_PREPARING,
	SOURCE_IN_DOUBT,
	SOURCE_DONE,
	SOURCE_ABORTING,
	SOURCE_FAILED
};

enum target_state {
	TARGET_LISTENING = 16,
	TARGET_ASKED,
	TARGET_RECEIVING,
	TARGET_PREPARED,
	TARGET_RUNNING,
	TARGET_DISCARDED
};

const char *mig_state_text(unsigned state);

#endif
