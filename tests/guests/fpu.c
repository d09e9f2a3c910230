/*
 * The floating-point registers belong to the guest over every exit and every
 * turn of another guest: x87, SSE and AVX are filled with a pattern (`seed=N`
 * on the command line, another for each VM that runs beside), thousands of
 * exits of each kind follow, and all is compared.
 */
#include "apic.h"
#include "fpu.h"

#define ROUNDS 2000u

static struct fpu_area set, seen;

static void fill(u64 seed)
{
	fpu_fill(&set, seed);
}

static void compare(const char *when)
{
	fpu_store(&seen);
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
	const struct fpu_area *at = &seen;
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
		fpu_load(&set);
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
	if (!(fpu_components & 4))
		skip("this CPU has no AVX");
	fill(77);
	fpu_load(&set);
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
	fpu_components = 0;
	kept("FXSAVE", by_cpuid, ROUNDS);
}

/* A FPU in use by nobody: CR0.TS and EM give #NM, exits or not. */
static void test_ts(void)
{
	fpu_on(7);
	fill(5);
	fpu_load(&set);
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
