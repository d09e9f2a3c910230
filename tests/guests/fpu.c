/*
 * The floating-point registers belong to the guest over every exit and every
 * turn of another guest: x87, SSE and AVX are filled with a pattern (`seed=N`
 * on the command line, another for each VM that runs beside), thousands of
 * exits of each kind follow, and all is compared.
 */
#include "apic.h"

#define ROUNDS 2000u

/* FXSAVE's layout; XSAVE adds a header and AVX's upper halves behind. */
struct area {
	u16 fcw, fsw, ftw, fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u64 st[8][2];
	u64 xmm[16][2];
	u64 unused[12];
	u64 header[8];
	u64 ymm[16][2];
} ALIGNED(64);
ASSERT_SIZE(struct area, 832);

static struct area set, seen;
static u64 components; /* of XSAVE; 0: FXSAVE */

static void fpu_on(u64 wanted)
{
	bool xsave = cpuid(1, 0).ecx & BIT(26);

	write_cr0((read_cr0() | CR0_MP | CR0_NE) & ~(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (xsave ? CR4_OSXSAVE : 0));
	components = xsave ? cpuid(0xd, 0).eax & wanted : 0;
	if (xsave)
		asm volatile("xsetbv" ::"a"(components), "d"(0), "c"(0));
}

static void load(const struct area *area)
{
	if (components)
		asm volatile("xrstor %0" ::"m"(*area), "a"(7), "d"(0)
			     : "memory");
	else
		asm volatile("fxrstor %0" ::"m"(*area) : "memory");
}

static void store(struct area *area)
{
	memset(area, 0, sizeof(*area));
	if (components)
		asm volatile("xsave %0"
			     : "+m"(*area)
			     : "a"(7), "d"(0)
			     : "memory");
	else
		asm volatile("fxsave %0" : "=m"(*area)::"memory");
}

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state ^ *state >> 29;
}

static void fill(u64 seed)
{
	u64 state = seed * 0x9e3779b97f4a7c15ULL + 1;

	memset(&set, 0, sizeof(set));
	set.fcw = 0x37f;
	set.mxcsr = 0x1f80 | (seed & 3) << 13; /* rounding too */
	set.ftw = 0xff;
	for (unsigned i = 0; i < 8; i++) {
		set.st[i][0] = next_random(&state) | BIT(63); /* normal */
		set.st[i][1] = 0x4000 + i;
	}
	for (unsigned i = 0; i < 16; i++) {
		set.xmm[i][0] = next_random(&state);
		set.xmm[i][1] = next_random(&state);
		set.ymm[i][0] = components & 4 ? next_random(&state) : 0;
		set.ymm[i][1] = components & 4 ? next_random(&state) : 0;
	}
	set.header[0] = components;
}

static void compare(const char *when)
{
	store(&seen);
	expect(seen.fcw == set.fcw && seen.ftw == set.ftw,
	       "%s: FCW %x FTW %x, not %x %x", when, seen.fcw, seen.ftw,
	       set.fcw, set.ftw);
	expect(seen.mxcsr == set.mxcsr, "%s: MXCSR %x, not %x", when,
	       seen.mxcsr, set.mxcsr);
	for (unsigned i = 0; i < 8; i++)
		expect(seen.st[i][0] == set.st[i][0] &&
			       (u16)seen.st[i][1] == set.st[i][1],
		       "%s: ST%u %lx, not %lx", when, i, seen.st[i][0],
		       set.st[i][0]);
	for (unsigned i = 0; i < 16; i++) {
		expect(!memcmp(seen.xmm[i], set.xmm[i], 16),
		       "%s: XMM%u %lx, not %lx", when, i, seen.xmm[i][0],
		       set.xmm[i][0]);
		expect(!memcmp(seen.ymm[i], set.ymm[i], 16),
		       "%s: upper half of YMM%u %lx, not %lx", when, i,
		       seen.ymm[i][0], set.ymm[i][0]);
	}
}

/* --- exits --- */

static void by_cpuid(void)
{
	cpuid(0, 0);
}

static void by_io(void)
{
	outb(PORT_NONE, 1);
}

static void by_string_io(void)
{
	const struct area *at = &seen;
	u64 n = 16;

	asm volatile("rep outsb" : "+S"(at), "+c"(n) : "d"(PORT_NONE));
}

static void by_msr(void)
{
	wrmsr(MSR_PAT, rdmsr(MSR_PAT));
}

static void by_cr(void)
{
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr3(read_cr3());
}

static void by_apic(void)
{
	apic_write(APIC_TPR, apic_read(APIC_TPR));
}

#define VEC 0x45

static void by_interrupt(void)
{
	apic_self(VEC);
	sti();
	cpuid(0, 0);
	cli();
}

/* To sleep is to hand the CPU to others. */
static void by_hlt(void)
{
	apic_write(APIC_INITIAL, 20000);
	sti_hlt();
	cli();
}

static void by_exception(void)
{
	asm volatile(TRY("ud2")::: "memory");
}

/* Long enough for turns of other guests. */
static void by_time(void)
{
	for (u64 end = rdtsc() + LONG_TIME / 10000; rdtsc() < end;)
		;
}

static void kept(const char *name, void (*exit)(void), unsigned rounds)
{
	u64 seed = option_number("seed", 1);

	apic_start();
	trap_hooks[VEC] = irq_counted;
	apic_write(APIC_TIMER, VEC);
	for (unsigned part = 0; part < 10 && !test_failed(); part++) {
		fill(seed * 100 + part);
		load(&set);
		for (unsigned i = 0; i < rounds / 10; i++)
			exit();
		compare(name);
	}
}

#define KEPT(name, exit, rounds)          \
	static void test_##exit(void)     \
	{                                 \
		fpu_on(7);                \
		kept(name, exit, rounds); \
	}
KEPT("CPUID", by_cpuid, ROUNDS)
KEPT("OUT", by_io, ROUNDS)
KEPT("REP OUTSB", by_string_io, ROUNDS)
KEPT("WRMSR", by_msr, ROUNDS)
KEPT("MOV CR", by_cr, ROUNDS)
KEPT("the APIC", by_apic, ROUNDS)
KEPT("interrupts", by_interrupt, ROUNDS)
KEPT("HLT", by_hlt, 200)
KEPT("#UD", by_exception, ROUNDS)
KEPT("time", by_time, ROUNDS)

/* With AVX off in XCR0 the registers are there again when it is back on. */
static void test_xcr0(void)
{
	fpu_on(7);
	if (!(components & 4))
		skip("this CPU has no AVX");
	fill(77);
	load(&set);
	for (unsigned i = 0; i < 100; i++) {
		asm volatile("xsetbv" ::"a"(3), "d"(0), "c"(0));
		cpuid(0, 0);
		asm volatile(TRY("vmovdqa %%ymm0, %%ymm0")::: "memory");
		expect_trap(EXC_UD, "AVX with XCR0=3");
		asm volatile("xsetbv" ::"a"(7), "d"(0), "c"(0));
		cpuid(0, 0);
	}
	compare("XCR0 3 and 7");
}

static void test_fxsave(void)
{
	fpu_on(3);
	components = 0;
	kept("FXSAVE", by_cpuid, ROUNDS);
}

/* A FPU in use by nobody: CR0.TS and EM give #NM, exits or not. */
static void test_ts(void)
{
	fpu_on(7);
	fill(5);
	load(&set);
	for (unsigned i = 0; i < 100; i++) {
		write_cr0(read_cr0() | CR0_TS);
		cpuid(0, 0);
		asm volatile(TRY("movaps %%xmm0, %%xmm0")::: "memory");
		expect_trap(EXC_NM, "SSE with TS");
		asm volatile("clts");
	}
	compare("TS");
}

static const struct test tests[] = {
	TEST("fpu.kept-cpuid", test_by_cpuid),
	TEST("fpu.kept-io", test_by_io),
	TEST("fpu.kept-string-io", test_by_string_io),
	TEST("fpu.kept-msr", test_by_msr),
	TEST("fpu.kept-cr", test_by_cr),
	TEST("fpu.kept-apic", test_by_apic),
	TEST("fpu.kept-interrupt", test_by_interrupt),
	TEST("fpu.kept-hlt", test_by_hlt),
	TEST("fpu.kept-exception", test_by_exception),
	TEST("fpu.kept-time", test_by_time),
	TEST("fpu.xcr0", test_xcr0),
	TEST("fpu.fxsave", test_fxsave),
	TEST("fpu.ts", test_ts),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
