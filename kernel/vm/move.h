/*
 * The life of a VM between two hosts. At the source it runs, is frozen for the
 * handover, and then thaws, or is gone. At the target it arrives: first its
 * memory, then all else at once from the saved state, then it runs.
 *
 *	source: running -> (freeze) moving -> (thaw) running, or (leave) moved
 *	target: (arrive) arriving -> (restore), (run) running, or (discard) off
 *
 * All on the service CPU.
 */
#ifndef VM_MOVE_H
#define VM_MOVE_H

#include "vm/vm.h"

/* --- source: the VM is VM_RUNNING or VM_MOVING */

/* Nothing of it runs, and nothing writes to its memory, when it returns. */
err_t vm_freeze(struct vm *vm);
void vm_thaw(struct vm *vm);

/*
 * All that the VM is but its RAM: its configuration, each vCPU, each device.
 * The VM is frozen. Bytes used; 0: `room` is too small. The same state gives
 * the same bytes.
 */
size_t vm_save(struct vm *vm, u8 *to, size_t room);
size_t vm_save_room(const struct vm *vm); /* that is enough for it */

/* It runs elsewhere: its memory is free, its place stays as "moved". */
void vm_leave(struct vm *vm, const char *to);

/* --- target */

/*
 * A VM of this name with so much zeroed RAM and nothing else. E_EXISTS: the
 * name is in use by a VM that is not off, ended, crashed or moved. E_INVALID:
 * no name that a configuration could give.
 */
err_t vm_arrive(const char *name, u64 memory, struct vm **vm);

/* The next state for it was made of a VM of another name. */
void vm_came_as(struct vm *vm, const char *name);

/*
 * Builds it from what vm_save() made. Everything is checked: the stream, each
 * value, each vCPU by the entry auditor; `why` says what was wrong. After an
 * error the VM is as after vm_arrive() and only fit for vm_discard().
 */
err_t vm_restore(struct vm *vm, const u8 *state, size_t size, char *why,
		 size_t why_size);

/*
 * It runs from here on. It was frozen that long ago, and its clocks have gone
 * on meanwhile; timers that were due are due at once.
 */
err_t vm_run(struct vm *vm, u64 stood_ns);
void vm_discard(struct vm *vm);

/* The CPU that the VM needs, by the CPUID bits and values its model shows. */
struct cpu_need {
	u32 leaf, subleaf;
	u8 reg;	    /* 0 EAX to 3 EDX */
	bool equal; /* else: all bits of value */
	u32 value;
	char name[32];
};

/* The need with number i of the VM's model; false: there are no more. */
bool vm_cpu_need(const struct vm *vm, unsigned i, struct cpu_need *need);
/* What this host can give of it. */
u32 vm_cpu_have(const struct cpu_need *need);

#endif
