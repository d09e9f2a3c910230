/*
 * Changing second-level tables while vCPUs run: the shootdown that makes every
 * CPU forget old translations, and the ledger that catches a missing one.
 *
 * An entry is narrowed between tables_begin() and tables_end(). The end asks
 * every vCPU to flush, gets those on other CPUs out of the guest, and returns
 * when none can still use what was taken away. Emulators flush at every entry
 * and would hide a forgotten flush; the ledger does not: entering a guest with
 * a narrowing that this CPU has not flushed for is a panic.
 */
#ifndef VM_SHOOTDOWN_H
#define VM_SHOOTDOWN_H

#include "lib/types.h"

struct vm;
struct vcpu;

void tables_begin(struct vm *vm);
void tables_end(struct vm *vm);

/* In the middle of a long change: lets faults that wait for the tables in. */
void tables_yield(struct vm *vm);

/* NULL: fine to enter. Else what was narrowed and not flushed. */
const char *ledger_mismatch(const struct vcpu *vcpu);

#endif
