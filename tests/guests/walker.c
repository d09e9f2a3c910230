/*
 * A guest that finds any page of it that is lost, stale or torn, wherever it is
 * moved. It goes round its memory, checks each page against what it wrote there
 * the last time, and writes the next generation. What a page must hold follows
 * from the number of the step alone, so nothing that it remembers can be stale
 * together with the page. Beside that it watches that its clocks never go back,
 * its timer goes on, and its registers stay what they are.
 *
 *	pages=2048   how many it walks over, and
 *	hot=0        so many more, of which every step writes one,
 *	cold=1       while one of the others has its turn each so many steps
 *	chase        the others not in order: each says which one is next
 *	rate=0       steps per second behind the first round; 0: as fast as it
 *	             can, as in that one
 *	burst=0      works for so many ms, and
 *	rest=0       rests for so many; both by chance, half as long to half as
 *	             long again
 *	rounds=0     ends after so many; 0: when it is told to
 *	few          pages hold a few words and are zero else
 *	seed=1       of all that it writes
 *	every=1000   ms between lines
 *	window=0     ms; `walker: work US:STEPS ...` says what it did in each
 *	stale=N      leaves a page as it is in step N, to be found
 *	deadline     the timer is the TSC deadline, not the periodic one
 *
 * Keys: q ends it with its verdict, x ends it at once with status 3, c breaks
 * it (a triple fault). Status 0: all was right; 1: `FAIL walker: ...` says what
 * was not.
 */
#include "apic.h"
#include "fpu.h"
#include "kvmclock.h"
#include "multiboot.h"

#define VEC_TIMER   0x52
#define PERIOD	    4000000u /* of the timer, ns */
#define WORDS	    (4096 / sizeof(u64))
#define GOLDEN	    0x9e3779b97f4a7c15ULL
#define FEW	    8u
#define NEXT	    2u /* the word that says which page is next */
#define WINDOWS	    64u
#define UART_LSR    (PORT_UART + 5)
#define LSR_DATA    0x01
#define STATUS_TOLD 3

extern u8 image_end[];

static u64 pages, hot, cold, rate, rounds, seed, every, window, stale;
static u64 burst, rest;
static unsigned words = WORDS; /* of a page that are not zero */
static u64 first_page;	       /* where they begin */
static bool deadline, chase;

static volatile u64 ticks; /* of the timer */
static u64 step, last_tsc, last_ns, gap;
static u64 told; /* by the page before: which one is next */
static struct fpu_area fpu_set, fpu_seen;

#define fail(...)                                   \
	do {                                        \
		print("FAIL walker: " __VA_ARGS__); \
		guest_end(1);                       \
	} while (0)

/* --- pages */

/* Sebastiano Vigna's splitmix64. */
static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/*
 * The page at a place of the seed's own order: a Feistel network is one to one
 * on the powers of four, and what falls outside goes through it again.
 */
static u64 page_in_order(u64 place)
{
	unsigned half = 1;

	while (1ull << 2 * half < pages)
		half++;
	do {
		for (u64 round = 0; round < 4; round++) {
			u64 left = place >> half;
			u64 right = place & ((1ull << half) - 1);

			left ^= mix(seed << 32 ^ round << 24 ^ right) >>
				(64 - half);
			place = right << half | left;
		}
	} while (place >= pages);
	return place;
}

static volatile u64 *page_at(u64 page)
{
	return (volatile u64 *)(first_page + page * 4096);
}

/* What a page holds: all of it follows from its number and generation. */
struct text {
	u64 page, generation, hash;
	u64 next; /* the page behind it, where they are chased */
};

static struct text text_of(u64 page, u64 generation, u64 next)
{
	return (struct text){page, generation,
			     mix((page << 32 ^ generation) + seed), next};
}

/* No two pages, and no two generations, have one of the others in common. */
static u64 content(const struct text *text, unsigned place)
{
	switch (place) {
	case 0:
		return text->page;
	case 1:
		return text->generation;
	case NEXT:
		if (chase)
			return text->next;
		break;
	}
	return text->hash + place * GOLDEN;
}

static void write_page(const struct text *text)
{
	volatile u64 *at = page_at(text->page);

	for (unsigned i = 0; i < words; i++)
		at[i] = content(text, i);
}

static void page_is_wrong(const struct text *text, unsigned place, u64 want)
{
	volatile u64 *at = page_at(text->page);

	fail("page %llu at %llx, word %u: found %llx, expected %llx; it says "
	     "page %llu generation %llu, expected generation %llu\n",
	     (unsigned long long)text->page, (unsigned long long)(word)at,
	     place, (unsigned long long)at[place], (unsigned long long)want,
	     (unsigned long long)at[0], (unsigned long long)at[1],
	     (unsigned long long)text->generation);
}

/* Where nothing was written yet, memory is zero. */
static void check_page(const struct text *text)
{
	volatile u64 *at = page_at(text->page);
	unsigned written = text->generation ? words : 0;

	for (unsigned i = 0; i < WORDS; i++) {
		u64 want = i < written ? content(text, i) : 0;

		if (at[i] != want)
			page_is_wrong(text, i, want);
	}
}

/* A page that was visited so often before, in this step once more. */
static void visit(u64 page, u64 generation, u64 next)
{
	struct text text = text_of(page, generation, next);

	check_page(&text);
	text = text_of(page, generation + 1, next);
	if (step != stale)
		write_page(&text);
}

/* Of the pages that have their turn one after the other, the turn-th visit. */
static void visit_in_turn(u64 turn)
{
	u64 place = turn % pages, page = place, next = 0;

	if (chase) {
		page = page_in_order(place);
		next = page_in_order((place + 1) % pages);
		if (turn > pages && told != page)
			fail("page %llu is next, not %llu\n",
			     (unsigned long long)page,
			     (unsigned long long)told);
	}
	visit(page, turn / pages, next);
	told = page_at(page)[NEXT];
}

/* The first round is as if cold was 1. */
static void take_step(void)
{
	u64 later = step - pages;

	if (step < pages)
		visit_in_turn(step);
	else if (later % cold == 0)
		visit_in_turn(pages + later / cold);
	if (hot)
		visit(pages + step % hot, step / hot, 0);
}

/* --- time */

static void arm(void)
{
	if (deadline)
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + PERIOD);
}

static bool tick(struct trap_frame *frame)
{
	ticks++;
	arm();
	apic_eoi();
	return true;
}

static void start_timer(void)
{
	apic_start();
	trap_hooks[VEC_TIMER] = tick;
	apic_write(APIC_TIMER,
		   VEC_TIMER | (deadline ? APIC_DEADLINE : APIC_PERIODIC));
	apic_write(APIC_INITIAL, PERIOD);
	arm();
	sti();
}

/* Looks at the clocks; the time. */
static u64 look(void)
{
	u64 tsc = rdtsc(), ns = kvmclock_now();

	if (tsc < last_tsc)
		fail("the TSC went back from %llu to %llu\n",
		     (unsigned long long)last_tsc, (unsigned long long)tsc);
	if (ns < last_ns)
		fail("kvmclock went back from %llu to %llu\n",
		     (unsigned long long)last_ns, (unsigned long long)ns);
	gap = MAX(gap, ns - last_ns);
	last_tsc = tsc;
	last_ns = ns;
	return ns;
}

/* --- registers that nothing of this program changes */

static const u32 msrs[] = {MSR_STAR,	MSR_LSTAR,	    MSR_SFMASK,
			   MSR_FS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_EIP};

/* Canonical, and what each of them takes. */
static u64 msr_value(u32 msr)
{
	return mix(msr + seed) & (msr == MSR_SFMASK ? 0x3ffff : 0x7fffffff);
}

static void set_registers(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++)
		wrmsr(msrs[i], msr_value(msrs[i]));
	write_dr0(mix(seed) & 0x7fffffff);
	write_dr3(mix(seed + 3) & 0x7fffffff);
	fpu_on(7);
	fpu_fill(&fpu_set, seed);
	fpu_load(&fpu_set);
}

static void check_registers(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++)
		if (rdmsr(msrs[i]) != msr_value(msrs[i]))
			fail("MSR %x is %llx, not %llx\n", msrs[i],
			     (unsigned long long)rdmsr(msrs[i]),
			     (unsigned long long)msr_value(msrs[i]));
	if (read_dr0() != (mix(seed) & 0x7fffffff) ||
	    read_dr3() != (mix(seed + 3) & 0x7fffffff))
		fail("DR0 and DR3 are %lx %lx\n", read_dr0(), read_dr3());
	fpu_store(&fpu_seen);
	if (fpu_seen.fcw != fpu_set.fcw || fpu_seen.mxcsr != fpu_set.mxcsr)
		fail("FCW %x MXCSR %x, not %x %x\n", fpu_seen.fcw,
		     fpu_seen.mxcsr, fpu_set.fcw, fpu_set.mxcsr);
	for (unsigned i = 0; i < 8; i++)
		if (fpu_seen.st[i][0] != fpu_set.st[i][0])
			fail("ST%u is not what it was\n", i);
	for (unsigned i = 0; i < 16; i++)
		if (memcmp(fpu_seen.xmm[i], fpu_set.xmm[i], 16) ||
		    memcmp(fpu_seen.ymm[i], fpu_set.ymm[i], 16))
			fail("XMM%u or YMM%u is not what it was\n", i, i);
}

/* --- the operator */

static void verdict(void)
{
	print("walker: ok, %llu rounds, %llu steps, %llu ticks\n",
	      (unsigned long long)(step / pages), (unsigned long long)step,
	      (unsigned long long)ticks);
	guest_end(0);
}

static void triple_fault(void)
{
	static const struct PACKED {
		u16 limit;
		u64 base;
	} none;

	asm volatile("lidt %0; ud2" ::"m"(none));
}

static void obey(void)
{
	if (!(inb(UART_LSR) & LSR_DATA))
		return;
	switch (inb(PORT_UART)) {
	case 'q':
		verdict();
		break;
	case 'x':
		guest_end(STATUS_TOLD);
		break;
	case 'c':
		triple_fault();
		break;
	default:
		break;
	}
}

/* --- work, and rest */

/* Steps since the pace was begun, and when that was. */
static u64 done, begun;

static struct {
	u64 begun, steps; /* of the one that is open */
	unsigned count;
	u32 us[WINDOWS], did[WINDOWS];
} work;

/* Is it the time of a rest? Bursts and rests follow each other. */
static bool rests(void)
{
	static u64 turn, ends;

	while (burst && last_ns >= ends) {
		u64 usual = ++turn % 2 ? burst : rest;

		ends = (ends ? ends : last_ns) +
		       usual * 1000000 / 1024 * (512 + mix(seed + turn) % 1024);
	}
	return burst && turn % 2 == 0;
}

static bool is_ahead(void)
{
	return rate && done * 1000000000 / rate > last_ns - begun;
}

static void begin_pace(void)
{
	begun = last_ns;
	done = 0;
}

/*
 * Ends a window of work that is over: with a pace, when all is done that was
 * due, since the timer that wakes us is coarse; or when it is twice as long.
 */
static void look_at_work(bool due_is_done)
{
	u64 length = last_ns - work.begun;

	if (!window || length < window * 1000000 ||
	    (rate && !due_is_done && length < 2 * window * 1000000))
		return;
	if (work.count < WINDOWS) {
		work.us[work.count] = (u32)(length / 1000);
		work.did[work.count++] = (u32)(step - work.steps);
	}
	work.begun = last_ns;
	work.steps = step;
}

static void report_work(void)
{
	if (!work.count)
		return;
	print("walker: work");
	for (unsigned i = 0; i < work.count; i++)
		print(" %u:%u", work.us[i], work.did[i]);
	print("\n");
	work.count = 0;
}

/* Lines; and was the timer still alive since the last ones? */
static void report(void)
{
	static u64 ticks_before;

	check_registers();
	if (ticks == ticks_before)
		fail("the timer has not ticked in %llu ms\n",
		     (unsigned long long)every);
	print("walker: generation %llu, step %llu, %llu ticks, largest gap "
	      "%llu "
	      "us\n",
	      (unsigned long long)(step / pages), (unsigned long long)step,
	      (unsigned long long)(ticks - ticks_before),
	      (unsigned long long)(gap / 1000));
	report_work();
	ticks_before = ticks;
	gap = 0;
}

/* Until something is due, a line at the latest. */
static void wait_until_due(u64 line)
{
	bool rested = false;

	while (look() < line && step >= pages && (rests() || is_ahead())) {
		rested |= rests();
		look_at_work(true);
		obey();
		sti_hlt();
	}
	look_at_work(false);
	if (rested)
		begin_pace();
}

static void walk(void)
{
	u64 line = look() + every * 1000000;

	begin_pace();
	work.begun = last_ns;
	for (; !rounds || step < rounds * pages; step++, done++) {
		take_step();
		wait_until_due(line);
		if (last_ns < line)
			continue;
		obey();
		report();
		line = look() + every * 1000000;
		begin_pace();
	}
}

static void settle(void)
{
	u64 end = MIB(1) + ((u64)boot_info->mem_upper << 10);

	pages = option_number("pages", 2048);
	hot = option_number("hot", 0);
	cold = MAX(option_number("cold", 1), 1);
	chase = option("chase");
	rate = option_number("rate", 0);
	burst = option_number("burst", 0);
	rest = option_number("rest", 0);
	rounds = option_number("rounds", 0);
	seed = option_number("seed", 1);
	every = option_number("every", 1000);
	window = option_number("window", 0);
	stale = option_number("stale", UINT64_MAX);
	deadline = option("deadline");
	if (option("few"))
		words = FEW;
	/* The loader's own things lie behind the image. */
	first_page = ALIGN_UP((u64)image_end, 4096) + MIB(1);
	if (!pages || first_page + (pages + hot) * 4096 > end)
		fail("%llu pages at %llx, and memory ends at %llx\n",
		     (unsigned long long)(pages + hot),
		     (unsigned long long)first_page, (unsigned long long)end);
}

int guest_main(void)
{
	settle();
	kvmclock_start();
	last_tsc = rdtsc();
	last_ns = kvmclock_now();
	set_registers();
	start_timer();
	print("walker: %llu pages and %llu hot ones from %llx on\n",
	      (unsigned long long)pages, (unsigned long long)hot,
	      (unsigned long long)first_page);
	walk();
	check_registers();
	verdict();
	return 0;
}
