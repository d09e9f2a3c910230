/*
 * Which pages of a running guest's memory are written, in three ways behind one
 * interface: write protection (a fault for the first write to each page), the
 * D bits of the second-level tables, and PML (the processor keeps a list). RAM
 * pages are counted as guest_ram_offset() / 4 KiB.
 *
 * What the host stores into guest memory never faults, so whoever does it says
 * so: dirty_mark(). Harvested means flushed: when dirty_harvest() returns, no
 * CPU can write to a page whose bit was taken without the page being noted anew.
 */
#ifndef VM_DIRTY_H
#define VM_DIRTY_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

enum dirty_way { DIRTY_OFF, DIRTY_WP, DIRTY_DBIT, DIRTY_PML, DIRTY_WAYS };

extern const char *const dirty_names[DIRTY_WAYS]; /* "off", "wp", ... */

bool dirty_can(enum dirty_way way); /* this host's engine has it */
enum dirty_way dirty_best(void);

/* What tracking did since dirty_on(); times in nanoseconds. */
struct dirty_stats {
	u64 on_ns, off_ns;
	u64 harvests, harvest_ns, longest_ns;
	u64 pages;	   /* found, all harvests together */
	u64 faults;	   /* write protection */
	u64 drains;	   /* PML lists that were full */
	u64 splits, merges; /* of large pages */
};

/*
 * On, the guest running or not: from when it returns every write is noted. Off
 * gives large pages back. The service CPU only.
 */
err_t dirty_on(struct vm *vm, enum dirty_way way);
void dirty_off(struct vm *vm);

/* Ors the pages written since the last call, or `on`, into bitmap; how many. */
u64 dirty_harvest(struct vm *vm, u64 *bitmap);

/* The host has stored, or is about to store, to [gpa, gpa + size). Any CPU. */
void dirty_mark(struct vm *vm, u64 gpa, u64 size);

#endif
