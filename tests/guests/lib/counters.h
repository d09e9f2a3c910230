/*
 * What this vCPU's exits cost, as Godwit tells it: CPUID leaves 0x40000101 and
 * 0x40000102, for a VM with `counters = yes`. Kinds are those of
 * kernel/vm/exit_reasons.h, like EXIT_CPUID. Asking is itself an exit, and
 * counted; so what an instruction costs is
 *
 *	struct exit_cost before = exits_of(EXIT_IO), after;
 *
 *	outb(port, value);
 *	after = exits_of(EXIT_IO);
 *
 * Counts are this vCPU's since its host started it or took it in: after a move
 * they begin again. Cycles are ticks of the host's TSC, from an exit to the
 * next entry; those of the exit that asks are not in them yet.
 */
#ifndef GUEST_COUNTERS_H
#define GUEST_COUNTERS_H

#include "vm/exit_reasons.h"
#include "x86.h"

#define LEAF_GODWIT    0x40000100
#define LEAF_EXITS     0x40000101
#define LEAF_EXIT_KIND 0x40000102

struct exit_cost {
	u64 exits, cycles;
};

/* Does the hypervisor let us see them? */
static inline bool exits_visible(void)
{
	struct cpuid id = cpuid(LEAF_GODWIT, 0);

	return id.ebx == 0x77646f47 && id.ecx == 0x6f477469 &&
	       id.edx == 0x74697764 && id.eax >= LEAF_EXIT_KIND;
}

static inline struct exit_cost exit_cost(u32 leaf, u32 kind)
{
	struct cpuid c = cpuid(leaf, kind);

	return (struct exit_cost){.exits = c.eax | (u64)c.ebx << 32,
				  .cycles = c.ecx | (u64)c.edx << 32};
}

static inline struct exit_cost exits_all(void)
{
	return exit_cost(LEAF_EXITS, 0);
}

static inline struct exit_cost exits_of(enum exit_reason kind)
{
	return exit_cost(LEAF_EXIT_KIND, kind);
}

#endif
