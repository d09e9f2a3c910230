/*
 * Frames for a guest that stands still, or has gone to another host: held while
 * it is frozen, then given to the guest (it runs on here) or passed on to where
 * it went. Nothing is written into a frozen guest's memory, and no frame is
 * lost but by a bound. Service CPU only.
 *
 * A stand-in takes the frames: first those of the guest's own port, then, when
 * that is removed, also its place in the switch and the addresses that were
 * heard there. So, at the source, a frame for the guest goes
 *
 * - to the stand-in, until its address is heard elsewhere;
 * - to where it was heard (the uplink that the target's announcement came in
 *   by) from then on, as the switch does with every address that has moved;
 * - but a frame that comes from that very side goes to the stand-in all the
 *   same: who sent it here had not heard the announcement. That lasts for
 *   AWAY_SETTLE_NS, then the stand-in is gone.
 *
 * What goes to everybody is held, since the target may have had no port for it
 * yet; it is not passed on once the guest is gone, for the target hears it
 * itself.
 *
 * The order of calls:
 *	source	away_hold, vm_freeze; then vm_thaw, away_back,
 *		or vm_leave, away_gone
 *	target	vm_restore, away_hold; then vm_run, away_back, away_announce,
 *		or vm_discard, away_forget
 */
#ifndef NET_AWAY_H
#define NET_AWAY_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

/* Held at most, for each guest. */
#define AWAY_FRAMES 4096
#define AWAY_BYTES  MIB(4)

#define AWAY_SECONDS	 60 /* passed on for at most so long */
#define AWAY_SETTLE_NS	 ((u64)1000000000)
#define AWAY_PATIENCE_NS ((u64)1000000000) /* with a guest that takes none */

/* Takes a frame to the host that the guest runs on. False: no room now. */
typedef bool (*away_pass)(void *context, const void *frame, u32 size);

/*
 * The guest is about to be frozen, or has just been restored: from now on its
 * frames are held. Again for a guest that was restored again. A guest without
 * network card is fine here and below: nothing happens.
 */
err_t away_hold(struct vm *vm);

/*
 * It runs here: what was held is delivered, in order and before what comes
 * new, as fast as it has buffers. After AWAY_PATIENCE_NS without any, frames
 * are lost as they are for every guest.
 */
void away_back(struct vm *vm);

/*
 * It runs elsewhere, and vm_leave() has removed its port: what was held, and
 * what comes yet, goes to pass(), until its address has been heard elsewhere
 * for AWAY_SETTLE_NS, AWAY_SECONDS are over, or the guest comes back. pass() is
 * called from the switch and from away_poll().
 */
void away_gone(struct vm *vm, away_pass pass, void *context);

/*
 * What is held is lost, and pass() is not called any more: before its context
 * goes, or when a guest that is held ends in another way than the ones above.
 */
void away_forget(struct vm *vm);

/* Whether there are frames, or may be, that pass() will be called for. */
bool away_passes(const struct vm *vm);

/*
 * The service loop's: before switch_flush(), does what could not be done at
 * once. True: call again soon. Else away_wait_ns() says when, ~0: no need.
 */
bool away_poll(void);
u64 away_wait_ns(void);

/* Since the guest was last held. */
struct away_stats {
	u64 held;      /* put aside for a moment or longer */
	u64 delivered; /* to the guest, of those */
	u64 passed;
	u64 lost; /* beyond a bound, or nobody took them */
};
void away_stats(const struct vm *vm, struct away_stats *stats);

/*
 * At the target, after vm_restore(): a frame that was passed on. It is held
 * like any other until the guest runs and has room.
 */
void away_input(struct vm *vm, const void *frame, u32 size);

/*
 * At the target, when it runs: frames from the guest's address to everybody
 * (RARP), so that every switch between here and anybody learns the new way;
 * again after 50, 150, 300 ms (away_poll() does it).
 */
void away_announce(struct vm *vm);

#endif
