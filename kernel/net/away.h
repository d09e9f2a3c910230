/*
 * Frames for a guest that stands still, or has gone to another host: held while
 * it is frozen, then given to the guest (it runs on here) or passed on to where
 * it went. Nothing is written into a frozen guest's memory, and no frame is
 * lost but by a bound. Service CPU only.
 */
#ifndef NET_AWAY_H
#define NET_AWAY_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

#define AWAY_FRAMES 256	    /* held at most */
#define AWAY_BYTES  MIB(1)
#define AWAY_SECONDS 60	    /* passed on for so long after away_gone() */

/* Takes a frame to the host that the guest runs on. False: no room now. */
typedef bool (*away_pass)(void *context, const void *frame, u32 size);

/* The guest is about to be frozen: from now on its frames are held. */
err_t away_hold(struct vm *vm);
/* It runs on here: what was held is delivered, in order. */
void away_back(struct vm *vm);
/*
 * It runs elsewhere (its own port is gone): what was held, and what comes yet,
 * goes to pass(), until AWAY_SECONDS are over or the guest comes back.
 */
void away_gone(struct vm *vm, away_pass pass, void *context);
/* Passes on what could not go at once; for the service loop. True: call soon. */
bool away_poll(void);

struct away_stats {
	u64 held, delivered, passed, lost;
};
void away_stats(const struct vm *vm, struct away_stats *stats);

/* At the target: a frame that was passed on, for the guest that arrived. */
void away_input(struct vm *vm, const void *frame, u32 size);

/*
 * At the target, when it runs: frames from the guest's address to everybody
 * (RARP), so that every switch between here and anybody learns the new way;
 * again after 50, 150, 300 ms (away_poll() does it).
 */
void away_announce(struct vm *vm);

#endif
