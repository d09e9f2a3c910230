/*
 * A move to itself: all of a running VM but its memory is saved, taken apart
 * and built anew from the bytes. The operator's and the tests' tool to see what
 * a handover does, without a network.
 */
#ifndef VM_REBUILD_H
#define VM_REBUILD_H

#include "lib/error.h"
#include "lib/types.h"

struct vm;

struct rebuild_report {
	size_t bytes;
	u64 freeze_ns, save_ns, discard_ns, restore_ns, run_ns;
	u64 total_ns; /* that the guest stood still */
};

/*
 * E_STATE: it does not run. E_BUSY: its writes are tracked, so it moves
 * already. E_NOMEM, E_RANGE: no room for its state, it goes on. After any other
 * error the VM is off. `why` says more, if there is more.
 */
err_t vm_rebuild(struct vm *vm, struct rebuild_report *report, char *why,
		 size_t why_size);

#endif
