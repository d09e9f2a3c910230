/*
 * The machine's clocks whose rate is known by specification, best first: HPET,
 * ACPI PM timer, PIT. The TSC is calibrated against them.
 */
#ifndef CPU_CLOCKS_H
#define CPU_CLOCKS_H

#include "lib/types.h"

struct clock {
	const char *name;
	u64 hz;
	u64 mask; /* it counts up and wraps to 0 after this */
	u64 (*read)(void);
};

/* At least one: every PC has a PIT. All found run when this returns. */
unsigned clocks_find(struct clock *clocks, unsigned max);

#endif
