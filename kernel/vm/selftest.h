/*
 * Tests that need the real engine on the real (or emulated) processor: state
 * round trips, refused entries, second-level faults, the flush ledger, the
 * shootdown between CPUs. The shell's `selftest` runs them.
 */
#ifndef VM_SELFTEST_H
#define VM_SELFTEST_H

#include "lib/error.h"

enum selftest_verdict { SELFTEST_OK, SELFTEST_FAILED, SELFTEST_SKIPPED };

/* why: of what did not pass, else NULL. */
typedef void (*selftest_report)(void *context, const char *name,
				enum selftest_verdict verdict, const char *why);

/* name NULL: all. E_NOTFOUND: no such test; E_UNSUPPORTED: no engine here. */
err_t selftest_run(const char *name, selftest_report report, void *context);

#endif
