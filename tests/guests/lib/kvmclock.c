#include "kvmclock.h"

#define MSR_SYSTEM_TIME 0x4b564d01
#define CLOCK_ON	1

static volatile struct PACKED {
	u32 version; /* odd: it is being written */
	u32 unused;
	u64 tsc, system_time;
	u32 multiplier;
	signed char shift;
	u8 flags, padding[2];
} clock ALIGNED(32);

void kvmclock_start(void)
{
	wrmsr(MSR_SYSTEM_TIME, (word)&clock | CLOCK_ON);
}

u64 kvmclock_now(void)
{
	u64 ticks, begin;
	u32 version, multiplier;
	signed char shift;

	do {
		version = clock.version;
		ticks = rdtsc() - clock.tsc;
		begin = clock.system_time;
		multiplier = clock.multiplier;
		shift = clock.shift;
	} while ((version & 1) || version != clock.version);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return begin + (u64)((unsigned __int128)ticks * multiplier >> 32);
}
