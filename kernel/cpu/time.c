/*
 * Calibration: up to two clocks of known rate are read together with the TSC
 * at both ends of a 10 ms window. The first sets our time, the second has to
 * agree with it.
 */
#include "cpu/acpi.h"
#include "cpu/clocks.h"
#include "cpu/lapic.h"
#include "cpu/time.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/printf.h"

#define WINDOW_NS     (10 * NS_PER_MS)
#define CLOCKS	      2
#define TRIES	      5
#define SPINS_MAX     100000 /* a clock that stands is found out later */
#define TOLERATED_PPM 1000

/* One clock read at one moment. */
struct sample {
	u64 tsc;
	u64 count;
};

u64 tsc_khz;
static u64 time_zero;
static struct ratio to_ns, from_ns;
static char source[48];

/*
 * Reads until the count changes: a tick's edge is known more precisely than a
 * tick is long. The edge that was seen in the least time is the best one.
 */
static struct sample sample(u64 (*read)(void))
{
	struct sample best = {0};
	u64 least = UINT64_MAX;

	for (unsigned i = 0; i < TRIES; i++) {
		u64 count = read(), last, start, end = rdtsc_ordered();
		unsigned spins = 0;

		do {
			last = count;
			start = end;
			count = read();
			end = rdtsc_ordered();
		} while (count == last && ++spins < SPINS_MAX);
		if (end - start < least) {
			least = end - start;
			best = (struct sample){end - least / 2, count};
		}
	}
	return best;
}

static u64 elapsed(const struct clock *clock, u64 from, u64 to)
{
	return (to - from) & clock->mask;
}

static void wait_window(const struct clock *clock, u64 start)
{
	u64 ticks = clock->hz / (NS_PER_S / WINDOW_NS);

	while (elapsed(clock, start, clock->read()) < ticks)
		cpu_relax();
}

static u64 tsc_hz(const struct clock *clock, const struct sample *a,
		  const struct sample *b)
{
	u64 ticks = elapsed(clock, a->count, b->count);

	return ratio_apply(ratio_make(ticks, clock->hz), b->tsc - a->tsc);
}

static u64 lapic_read(void)
{
	return lapic_timer_count();
}

static void describe(const struct clock *clocks, unsigned count, const u64 *hz)
{
	u64 apart;

	if (count < 2) {
		snprintf(source, sizeof(source), "%s", clocks[0].name);
		return;
	}
	apart = hz[0] > hz[1] ? hz[0] - hz[1] : hz[1] - hz[0];
	apart = apart * 1000 / (hz[0] / 1000);
	snprintf(source, sizeof(source), "%s, %s %lu ppm apart", clocks[0].name,
		 clocks[1].name, apart);
	if (apart > TOLERATED_PPM)
		log_warn("time: %s", source);
}

void time_init(const struct boot_info *info)
{
	struct sample first[CLOCKS], last[CLOCKS], timer_first, timer_last;
	struct clock clocks[CLOCKS];
	u64 hz[CLOCKS];
	unsigned count = clocks_find(clocks, CLOCKS);

	ASSERT(count); /* there is always a PIT */
	lapic_timer_start();
	timer_first = sample(lapic_read);
	for (unsigned i = 0; i < count; i++)
		first[i] = sample(clocks[i].read);
	wait_window(&clocks[0], first[0].count);
	for (unsigned i = 0; i < count; i++) {
		last[i] = sample(clocks[i].read);
		hz[i] = tsc_hz(&clocks[i], &first[i], &last[i]);
	}
	timer_last = sample(lapic_read);
	if (hz[0] < 1000000)
		panic("time: the TSC runs at %lu Hz by %s", hz[0],
		      clocks[0].name);

	lapic_timer_calibrated(timer_first.count - timer_last.count,
			       timer_last.tsc - timer_first.tsc);
	time_zero = info->jump_tsc;
	to_ns = ratio_make(hz[0], NS_PER_S);
	from_ns = ratio_make(NS_PER_S, hz[0]);
	tsc_khz = hz[0] / 1000;
	describe(clocks, count, hz);
}

const char *time_source_text(void)
{
	return source;
}

u64 tsc_to_ns(u64 ticks)
{
	return ratio_apply(to_ns, ticks);
}

u64 ns_to_tsc(u64 ns)
{
	return ratio_apply(from_ns, ns);
}

u64 now_ns(void)
{
	return tsc_khz != 0 ? tsc_to_ns(rdtsc() - time_zero) : 0;
}

void delay_ns(u64 ns)
{
	u64 end = rdtsc() + ns_to_tsc(ns);

	while ((i64)(rdtsc() - end) < 0)
		cpu_relax();
}
