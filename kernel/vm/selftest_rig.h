/*
 * What the engine tests stand on: a VM of a few MiB, mapped by 4 KiB, whose one
 * vCPU they put into any mode and enter by hand.
 */
#ifndef VM_SELFTEST_RIG_H
#define VM_SELFTEST_RIG_H

#include "vm/dirty.h"
#include "vm/model.h"
#include "vm/vm.h"

struct rig {
	struct vm *vm;
	struct vcpu *vcpu;
	u64 alias, alias_size;
};

err_t rig_make(struct rig *rig);

/* As other VMs: mapped by 2 MiB, where its guest gets to. */
err_t rig_make_lazy(struct rig *rig, u64 memory, unsigned cpus);
void rig_free(struct rig *rig);

/*
 * A state of that mode in which every register holds something of its own, code
 * at CODE, all privileges, identity paging where the mode has any.
 */
void rig_state(struct rig *rig, enum cpu_mode mode);
#define RIG_CODE 0x1000
void rig_code(struct rig *rig, const char *bytes, size_t n);

/* Fills a state with rubbish, to see what a get() really writes. */
void rig_scribble(struct vcpu_state *state);

/* Onto this CPU, and off again with the whole state stored. */
void rig_attach(struct rig *rig);
void rig_detach(struct rig *rig);

/*
 * Once on and off: XSAVE may write out a component's initial state, or only say
 * that it is in it; let it choose before states are compared.
 */
void rig_settle(struct rig *rig);

/* Enters until an exit that is not the host's own business. */
enum exit_reason rig_run(struct rig *rig);

/* The same with the run loop's answers to exits, until it halts. */
void rig_run_to_halt(struct rig *rig);

/* Lets another CPU run it until rig_stop(). */
void rig_start(struct rig *rig, unsigned cpu);
void rig_stop(struct rig *rig);

u8 *rig_byte(struct rig *rig, u64 gpa);

/* Gives a page that was unmapped back its mapping. */
void rig_map(struct rig *rig, u64 gpa);

/*
 * Maps the VM's first page a second time, through one leaf of the given size,
 * and returns where; the leaf reaches beyond the VM's own memory, so only our
 * own code may run meanwhile.
 */
u64 rig_alias(struct rig *rig, u64 size);
void rig_unalias(struct rig *rig);

/* selftest_dirty.c: written pages are found, in this way. */
const char *dirty_selftest(enum dirty_way way);

/* A message in a buffer of its own; valid until the next. */
const char *rig_why(const char *fmt, ...) PRINTF(1);

#endif
