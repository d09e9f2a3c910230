/*
 * One session between two hosts: frames sealed and opened, replays dropped, and
 * the control channel with its ordered, reliable records. Both ends have one.
 * It knows nothing of migration; a new session begins with empty queues.
 */
#ifndef MIGRATE_LINK_H
#define MIGRATE_LINK_H

#include "migrate/crypto.h"
#include "migrate/error.h"
#include "migrate/wire.h"

struct link_timers {
	u64 resend, retry, keepalive, dead, give_up, stopped_max, orphan;
};
extern const struct link_timers link_timers_default;

struct link_config {
	char name[WIRE_NAME]; /* this host's */
	u8 mac[6];
	u8 security;
	u8 psk[CRYPTO_KEY];
	u32 frame_size; /* the largest this host receives and sends */
	u32 features;	/* page codecs it may use, bit by bit */
	struct link_timers timers;
};

struct link_counts {
	u64 tx_frames, tx_bytes, rx_frames, rx_bytes;
	u64 dropped; /* malformed, forged, replayed, of another session */
	u64 records_resent;
};

struct link_slot {
	u16 size;
	u8 data[RECORD_SIZE];
};

struct link {
	const struct link_config *config;
	bool up;
	u8 session, peer[6];
	unsigned tag_size;
	u32 frame_size;
	struct crypto_key tx, rx;
	u64 tx_number[WIRE_KINDS], rx_number[WIRE_KINDS];
	/* But for PAGES: bit i is rx_number - i. */
	u64 rx_seen[WIRE_KINDS];
	u32 guest_frames; /* sent, see forward.h */
	u64 heard, said;

	u32 tx_last, tx_acked, tx_sent, rx_last; /* sequences of records */
	u64 resend_at;
	unsigned resends;
	u64 round_trip, patience, sent_at;
	u32 timed; /* the sequence whose round trip is being measured */
	bool owes; /* an acknowledgement */
	struct link_slot ring[RECORD_WINDOW];
	struct link_slot early[RECORD_WINDOW]; /* received; size 0: not yet */
	struct link_counts counts;
};

void link_init(struct link *link, const struct link_config *config);

/* A new session: keys, peer and frame size are set by the caller before. */
void link_begin(struct link *link, u64 now);
void link_end(struct link *link);

bool link_room(const struct link *link);
/* There must be room. */
void link_queue(struct link *link, u8 type, const void *data, size_t size);
/* All records that were queued have been acknowledged. */
bool link_quiet(const struct link *link);
u64 link_resend(const struct link *link);
bool link_dead(const struct link *link, u64 now);

/*
 * The next control frame that is due, or 0. The caller fills `head` but for
 * the record's fields.
 */
size_t link_output(struct link *link, u64 now, struct control *head, u8 *frame);
/* When link_output() will have something to send. */
u64 link_wake(const struct link *link);

/* Completes a frame whose body of `length` bytes is in place. */
size_t link_seal(struct link *link, u64 now, u8 kind, u8 *frame, u16 length);
/* The same for one of pages some of whose hashes are known. */
size_t link_seal_pages(struct link *link, u64 now, u8 *frame, u16 length,
		       struct page_hashes *hashes);

struct link_input {
	u8 kind;
	const u8 *body; /* in the frame, deciphered */
	u16 length;
	u64 number;		   /* PAGES: the caller's window decides */
	struct page_hashes hashes; /* of those that opening it needed */
	struct control control;	   /* CONTROL */
	bool newest;		   /* none with a higher number came before */
};

/*
 * False: the frame is dropped and counted. HELLO is not for this. The frame is
 * the caller's own, nobody changes it meanwhile; it is deciphered in place.
 */
bool link_input(struct link *link, u64 now, u8 *frame, size_t size,
		struct link_input *input);

/* The next record in order, if it is here; its data stay until the next call.
 */
bool link_record(struct link *link, struct record *record,
		 enum record_verdict *verdict);

/* A HELLO that is ours, for any state of the link. */
bool link_is_hello(const u8 *frame, size_t size);
bool link_hello_open(const struct link_config *config, const u8 *frame,
		     size_t size, struct hello *hello);
size_t link_hello_seal(const struct link_config *config, const u8 to[6],
		       u8 *frame, const struct hello *hello);

#endif
