/*
 * Dirty tracking from inside, for its two files: dirty.c turns it on and off,
 * dirty_harvest.c finds what was written while it is on.
 */
#ifndef VM_DIRTY_STATE_H
#define VM_DIRTY_STATE_H

#include "vm/dirty.h"
#include "vm/vm.h"

/* How much is done under tables_lock at once: entries, and what they map. */
#define STEP	   1024u
#define STEP_BYTES (STEP * PAGE_SIZE)

#define WATCHED (SLPT_READ | SLPT_EXEC)

struct dirty {
	enum dirty_way way; /* changed under tables_lock */
	bool logging;	    /* the vCPUs are to keep logs */
	u64 calls;	    /* for what is in the logs */
	u64 *pages;	    /* memory.dirty, while it is on */
	size_t words;
	u64 held_since;
	struct dirty_stats stats; /* splits, merges: what not to count */
};

/* RAM's two parts by offset: where the byte at offset is, where its part ends.
 */
static inline u64 dirty_gpa(const struct guest_memory *mem, u64 offset,
			    u64 *end)
{
	if (offset < mem->low_size) {
		*end = mem->low_size;
		return offset;
	}
	*end = RAM_HOLE_END + mem->size - mem->low_size;
	return RAM_HOLE_END + offset - mem->low_size;
}

/*
 * A step under tables_lock: others may change tables, and faults be answered,
 * at dirty_yield(). When dirty_end() returns, every CPU has flushed what it
 * must.
 */
void dirty_begin(struct vm *vm);
void dirty_yield(struct vm *vm);
void dirty_end(struct vm *vm);

/*
 * Has every vCPU do dirty_log(). One that is not running has an empty log, and
 * looks at its requests before it runs again.
 */
void dirty_call_logs(struct vm *vm, bool on);

/* For the trace; number 0 is the beginning. */
void dirty_trace_harvest(const struct vm *vm, u64 began, u32 number, u64 pages);

#endif
