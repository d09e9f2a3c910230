/*
 * Which vCPU runs where. Every vCPU belongs to one host CPU; a CPU's vCPUs take
 * turns. The first CPU serves the operator between the turns; on a machine with
 * more CPUs it runs no guests. A CPU with nothing to do halts.
 */
#ifndef VM_SCHED_H
#define VM_SCHED_H

#include "lib/error.h"
#include "lib/types.h"

struct vcpu;

/*
 * The loop of every CPU. serve: the first CPU's other work between turns; it
 * returns the TSC at which it wants to be called again, ~0: when an interrupt
 * has come.
 */
void sched_loop(u64 (*serve)(void)) NORETURN;

/*
 * One turn for each vCPU of this CPU. False: none had anything to do, and the
 * timer is set for the first that will, or for `wanted`.
 */
bool sched_turn(u64 wanted);

/*
 * Puts a vCPU on a host CPU (-1: the one with the fewest) and lets it run.
 * E_NOMEM: that CPU has all it can take.
 */
err_t sched_add(struct vcpu *vcpu, int cpu);

/*
 * Stops it (its VM's life must say so already), waits until its CPU has let
 * go, and takes it off. Afterwards its whole state is in vcpu->state.
 */
void sched_remove(struct vcpu *vcpu);

/* Its VM may run again, or has just been stopped: its CPU should look. */
void sched_notify(struct vcpu *vcpu);

/*
 * The same for a vCPU that stays where it is: waits until its CPU has put its
 * state away (a paused VM's vCPUs are so).
 */
void sched_settle(struct vcpu *vcpu);

/* The guest that runs on this CPU, if any, ends its turn at once. */
void sched_yield(void);

/* How long a guest keeps a CPU that others want, from now on; 0: as always. */
void sched_set_turn(u64 ns);

/* Takes whatever guest's registers out of this CPU. */
void sched_unload(void);

#endif
