/*
 * Which pages of a running guest's memory are written, in three ways behind one
 * interface: write protection (a fault for the first write to each page), the
 * D bits of the second-level tables, and PML (the processor keeps a list). RAM
 * pages are counted as guest_ram_offset() / 4 KiB.
 *
 * In all three large pages are write-protected at first: the first write to one
 * splits it, so that what is never written stays large and what is written is
 * known by 4 KiB.
 *
 * What the host stores into guest memory never faults, so whoever does it says
 * so: dirty_mark(), which guest_write() and its kin (memory.h) do by
 * themselves. Harvested means flushed: when dirty_harvest() returns, no CPU can
 * write to a page whose bit was taken without the page being noted anew.
 */
#ifndef VM_DIRTY_H
#define VM_DIRTY_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;
struct vcpu;

enum dirty_way { DIRTY_OFF, DIRTY_WP, DIRTY_DBIT, DIRTY_PML, DIRTY_WAYS };

extern const char *const dirty_names[DIRTY_WAYS]; /* "off", "wp", ... */

bool dirty_can(enum dirty_way way); /* this host's engine has it */
enum dirty_way dirty_best(void);

/* What tracking did since dirty_on(); times in nanoseconds. */
struct dirty_stats {
	u64 on_ns, off_ns;
	u64 harvests, harvest_ns, longest_ns;
	u64 held_ns;	    /* the longest that a fault could have to wait */
	u64 pages;	    /* found, all harvests together */
	u64 faults;	    /* write protection, of large pages too */
	u64 drains;	    /* PML lists that were full */
	u64 splits, merges; /* of large pages */
};

/*
 * On, the guest running or not: from when it returns every write is noted. Off
 * gives large pages back. The service CPU only. E_STATE: the VM has no memory;
 * E_BUSY: it is on.
 */
err_t dirty_on(struct vm *vm, enum dirty_way way);
void dirty_off(struct vm *vm);

enum dirty_way dirty_way(const struct vm *vm);

/* Of the time that it is on, or was on last. */
void dirty_get_stats(const struct vm *vm, struct dirty_stats *stats);

/*
 * Ors the pages written since the last call, or `on`, into bitmap; how many.
 * Their content is to be read after that. The service CPU only.
 */
u64 dirty_harvest(struct vm *vm, u64 *bitmap);

/*
 * The host has stored to [gpa, gpa + size). Any CPU; not before the store, or a
 * harvest in between would lose it.
 */
void dirty_mark(struct vm *vm, u64 gpa, u64 size);

/* --- for those that answer exits and build tables */

/* Under tables_lock: the rights of memory that the guest now gets to. */
u32 dirty_rights(const struct vm *vm);

/* Under tables_lock: a fault on what is mapped; E_NOMEM. */
err_t dirty_fault(struct vm *vm, u64 gpa, bool write);

/* On the vCPU's CPU, attached: turns its log on or off, and empties it. */
void dirty_log(struct vcpu *vcpu);
void dirty_log_full(struct vcpu *vcpu);

/* The VM's vCPUs are gone, or will not run again. */
void dirty_release(struct vm *vm);

#endif
