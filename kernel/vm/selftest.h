/*
 * Tests that need the real engine on the real (or emulated) processor: state
 * round trips, refused entries, second-level faults, the flush ledger, the
 * shootdown between CPUs. The shell's `selftest` runs them; each prints
 * `ok selftest.NAME` or `FAIL selftest.NAME: why`.
 */
#ifndef VM_SELFTEST_H
#define VM_SELFTEST_H

/* NULL: all. */
void selftest_run(const char *name);

#endif
