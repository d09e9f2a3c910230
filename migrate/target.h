/*
 * The target of a migration: the other half of source.h. It runs the VM on
 * COMMIT and on nothing else, and once it has said PREPARED it forgets the VM
 * on ABORT and on nothing else, but for its operator's word.
 */
#ifndef MIGRATE_TARGET_H
#define MIGRATE_TARGET_H

#include "migrate/forward.h"
#include "migrate/link.h"
#include "migrate/receiver.h"
#include "migrate/report.h"

struct target_ops {
	/* Memory for so many pages, zero: MIG_OK or why not. */
	unsigned (*describe)(void *context, const char *vm, u64 pages);
	/* What this host has of what is required. */
	u64 (*have)(void *context, const struct requirement *requirement);
	/* Builds the VM from its state, ready to run: MIG_OK or why not. */
	unsigned (*load)(void *context, const u8 *state, size_t size);
	void (*run)(void *context);
	void (*discard)(void *context);
	u8 *(*page)(void *context, u64 page);
	void (*random)(void *context, u8 *to, size_t size);
	/* A frame for the guest's network, passed on. May be NULL. */
	void (*guest_frame)(void *context, const u8 *frame, size_t size);
};

struct target_config {
	struct link_config link;
	u64 pages_max;
	u32 state_room;
	u16 credit;	 /* page frames that this host can have buffers for */
	u32 guest_frame; /* the largest that is taken, 0: none */
};

struct target {
	const struct target_config *config;
	const struct target_ops *ops;
	void *context;
	enum target_state state;
	struct link link;
	struct receiver receiver;
	u8 *receiver_memory;
	struct forward forward;

	u8 challenge[16];
	u8 migration[16], nonce[16]; /* of the session, as offered */
	struct hello accept;	     /* the answer to a repeated OFFER */
	bool answer;		     /* ACCEPT or HERE or DENY is to be sent */
	struct hello reply;
	u8 reply_to[6];
	u64 pages;	      /* offered */
	char from[WIRE_NAME]; /* the source, if it said */
	bool described;

	u32 requirements;
	bool refused;
	struct requirement need; /* the first that is not met */
	u64 have;
	u32 attempt;
	u8 *saved;
	u32 saved_size;
	u64 memory_hash, state_hash, certificate;
	u64 stood; /* PREPARE: microseconds since the guest was stopped */

	u8 say; /* a record to be sent when there is room, or 0 */
	u64 hash_first, hash_count;
	unsigned unsaid; /* page frames that were not acknowledged yet */
	u64 unsaid_at;
	unsigned code;
	struct link_counts counts;
};

size_t target_memory(const struct target_config *config);
/* It listens at once. */
void target_init(struct target *target, const struct target_config *config,
		 const struct target_ops *ops, void *context, u8 *memory);

/* The frame is deciphered in place. */
void target_input(struct target *target, u64 now, u8 *frame, size_t size);
size_t target_output(struct target *target, u64 now, u8 *frame);
u64 target_wake(const struct target *target, u64 now);

/* PREPARED only, by an operator who knows that the source does not run it. */
bool target_force_run(struct target *target);
/* Always safe. False: it runs here, or there is nothing. */
bool target_discard(struct target *target);

bool target_ended(const struct target *target);

/* target_session.c */
void target_hello(struct target *target, u64 now, const u8 *frame, size_t size);
size_t target_hello_output(struct target *target, u64 now, u8 *frame);
void target_give_up(struct target *target, unsigned code);

#endif
