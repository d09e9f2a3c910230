/*
 * Each instruction that makes a guest exit, on purpose: does it do what the
 * manual says, and is everything else as it was? Registers and flags are all
 * compared (run_bytes()), and a wrong step over the instruction is noticed.
 * Ports are in portio.c, memory-mapped devices in mmio.c, HLT in interrupts.c,
 * control and debug registers in registers.c.
 */
#include "apic.h"

#define LOW32(x) ((x)&0xffffffff)

static struct regs before, after;

/* Runs an instruction with patterns in the registers but RAX and RCX. */
static void run(const u8 *bytes, unsigned n, u64 rax, u64 rcx)
{
	regs_pattern(&before);
	before.gpr[RAX] = rax;
	before.gpr[RCX] = rcx;
	after = before;
	run_bytes(&after, bytes, n);
}
#define RUN(rax, rcx, ...)                                                     \
	run((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}), rax, \
	    rcx)

static void expect_intact(const char *what, u32 except)
{
	const char *name = regs_difference(&before, &after, except);

	expect(!name, "%s: %s has changed", what, name);
}

#define PREFIX_OF_HIGH 0xdeadbeef00000000ULL
#define MASK_ABCD      (BIT(RAX) | BIT(RBX) | BIT(RCX) | BIT(RDX))

/* --- CPUID --- */

static void test_cpuid(void)
{
	static const u32 leaves[] = {
		0,	    1,		2,	    4,		6,
		7,	    0xb,	0xd,	    0x40000000, 0x80000000,
		0x80000001, 0x80000002, 0x80000008, 0x7fffffff, 0xffffffff};

	for (unsigned i = 0; i < ARRAY_LEN(leaves); i++) {
		struct cpuid c = cpuid(leaves[i], 0);

		RUN(leaves[i] | PREFIX_OF_HIGH, PREFIX_OF_HIGH, 0x0f, 0xa2);
		expect_intact("CPUID", MASK_ABCD);
		for (unsigned r = RAX; r <= RBX; r++)
			expect(after.gpr[r] >> 32 == 0,
			       "leaf %x: upper half of register %u is %lx",
			       leaves[i], r, after.gpr[r] >> 32);
		expect(after.gpr[RAX] == c.eax && after.gpr[RBX] == c.ebx &&
			       after.gpr[RCX] == c.ecx &&
			       after.gpr[RDX] == c.edx,
		       "leaf %x answers twice differently", leaves[i]);
	}
}

static void test_cpuid_hypervisor(void)
{
	struct cpuid one = cpuid(1, 0);

	expect(on_godwit(), "no signature in leaf 0x40000100");
	expect(cpuid(0x40000000, 0).eax == 0x40000001, "largest leaf %x",
	       cpuid(0x40000000, 0).eax);
	expect(cpuid(0x40000000, 0).ebx == 0x4b4d564b, "KVM's signature: %x",
	       cpuid(0x40000000, 0).ebx);
	expect(cpuid(0x40000001, 0).eax & BIT(3), "no clock of KVM's");
	expect(!(one.ecx & BIT(5)), "VMX is offered");
	expect(!(one.ecx & BIT(3)), "MONITOR is offered");
	expect(!(cpuid(0x80000001, 0).ecx & BIT(2)), "SVM is offered");
	expect(cpuid(0x8000000a, 0).edx == 0, "SVM features are offered");
	expect(one.edx & BIT(9), "no local APIC");
	expect(one.ebx >> 24 == 0, "APIC id %u", one.ebx >> 24);
}

/* A VM that is not told what its exits cost does not learn it. */
static void test_cpuid_no_counters(void)
{
	for (u32 leaf = 0x40000101; leaf <= 0x40000103; leaf++) {
		struct cpuid c = cpuid(leaf, 1);

		expect(!c.eax && !c.ebx && !c.ecx && !c.edx, "leaf %x", leaf);
	}
	expect(cpuid(0x40000100, 0).eax == 0x40000100, "highest leaf %x",
	       cpuid(0x40000100, 0).eax);
}

/* CPUID.1:ECX.OSXSAVE is CR4's bit; CPUID.D:EBX follows XCR0. */
static void test_cpuid_osxsave(void)
{
	if (!(cpuid(1, 0).ecx & BIT(26)))
		skip("this CPU has no XSAVE");
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	expect(!(cpuid(1, 0).ecx & BIT(27)), "set with CR4's bit clear");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	expect(cpuid(1, 0).ecx & BIT(27), "clear with CR4's bit set");
}

/* --- hypercalls --- */

#define HYPERCALL_UNKNOWN ((u64)-1000)

static void hypercall(const char *name, u8 last)
{
	static const u64 numbers[] = {0, 1, 0x7fffffff, 0x123456789abcdef,
				      ~0ULL};

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		RUN(numbers[i], 0x1234, 0x0f, 0x01, last);
		expect(after.gpr[RAX] == HYPERCALL_UNKNOWN,
		       "%s %lx answers %lx", name, numbers[i], after.gpr[RAX]);
		expect_intact(name, BIT(RAX));
	}
}

static void test_vmcall(void)
{
	hypercall("VMCALL", 0xc1);
}

static void test_vmmcall(void)
{
	hypercall("VMMCALL", 0xd9);
}

static volatile i64 user_answer;

static void user_hypercalls(void)
{
	i64 first = 0, second = 0;

	asm volatile(TRY("vmcall") : "+a"(first)::"memory");
	if (caught.vector < 0)
		asm volatile(TRY("vmmcall") : "+a"(second)::"memory");
	user_answer = MAX(first, second);
}

static void test_hypercall_user(void)
{
	user_call(user_hypercalls);
	expect_none("from user mode");
	expect(user_answer < 0, "answer %ld to user mode", user_answer);
}

/* --- MSRs --- */

static void test_msr_read(void)
{
	static const u32 known[] = {MSR_APIC_BASE, MSR_PAT, MSR_EFER, MSR_STAR,
				    MSR_SYSENTER_CS};

	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		u64 value = rdmsr(known[i]);

		RUN(PREFIX_OF_HIGH, known[i], 0x0f, 0x32);
		expect_intact("RDMSR", BIT(RAX) | BIT(RDX));
		expect(after.gpr[RAX] == LOW32(value) &&
			       after.gpr[RDX] == value >> 32,
		       "MSR %x: %lx:%lx, not %lx", known[i], after.gpr[RDX],
		       after.gpr[RAX], value);
	}
	expect((rdmsr(MSR_EFER) & ~EFER_SCE) ==
		       (EFER_LME | EFER_LMA | EFER_NXE),
	       "EFER is %lx", rdmsr(MSR_EFER));
}

static void test_msr_write(void)
{
	static const struct {
		u32 msr;
		u64 value;
	} t[] = {
		{MSR_STAR, 0x0018000812345678},
		{MSR_LSTAR, 0xffff800012345678},
		{MSR_CSTAR, 0x0000000012345678},
		{MSR_SFMASK, 0x0000000000047700},
		{MSR_KERNEL_GS_BASE, 0xffff900087654321},
		{MSR_FS_BASE, 0x0000123412341234},
		{MSR_GS_BASE, 0xffff912341234123},
		{MSR_SYSENTER_CS, 0x08},
		{MSR_SYSENTER_ESP, 0x12345678},
		{MSR_SYSENTER_EIP, 0x87654321},
		{MSR_PAT, 0x0001040600070406},
	};

	for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
		u64 old = rdmsr(t[i].msr);

		regs_pattern(&before);
		before.gpr[RAX] = LOW32(t[i].value) | PREFIX_OF_HIGH;
		before.gpr[RDX] = t[i].value >> 32 | PREFIX_OF_HIGH;
		before.gpr[RCX] = t[i].msr;
		after = before;
		run_bytes(&after, (const u8[]){0x0f, 0x30}, 2);
		expect_intact("WRMSR", 0);
		cpuid(0, 0);
		expect(rdmsr(t[i].msr) == t[i].value, "MSR %x holds %lx",
		       t[i].msr, rdmsr(t[i].msr));
		wrmsr(t[i].msr, old);
	}
}

/* The number is ECX: what stands above it must not reach another MSR. */
static void test_msr_high(void)
{
	u64 pat = rdmsr(MSR_PAT), other = 0x0001040600070406;

	RUN(0, MSR_APIC_BASE | PREFIX_OF_HIGH, 0x0f, 0x32);
	expect(after.gpr[RAX] == LOW32(rdmsr(MSR_APIC_BASE)), "RDMSR: %lx",
	       after.gpr[RAX]);
	regs_pattern(&before);
	before.gpr[RAX] = LOW32(pat);
	before.gpr[RDX] = other >> 32;
	before.gpr[RCX] = MSR_PAT | PREFIX_OF_HIGH;
	after = before;
	run_bytes(&after, (const u8[]){0x0f, 0x30}, 2);
	expect(rdmsr(MSR_PAT) == other, "WRMSR of %lx left %lx", other,
	       rdmsr(MSR_PAT));
	wrmsr(MSR_PAT, pat);
}

/* #GP, at the instruction, with nothing changed. */
static void expect_no_msr(u32 msr, bool write, u64 value)
{
	u64 rax = LOW32(value), rdx = value >> 32;

	if (write)
		asm volatile(TRY("wrmsr")::"a"(rax), "d"(rdx), "c"(msr)
			     : "memory");
	else
		asm volatile(TRY("rdmsr")
			     : "+a"(rax), "+d"(rdx)
			     : "c"(msr)
			     : "memory");
	expect(caught.vector == EXC_GP && caught.error == 0, "%s of MSR %x: %s",
	       write ? "write" : "read", msr, caught_text());
	expect(rax == LOW32(value) && rdx == value >> 32,
	       "MSR %x: registers changed in spite of #GP", msr);
}

static void test_msr_unknown(void)
{
	static const u32 unknown[] = {
		0x2,	    0x3a,	0x480,	    0x48b,	0x1fff,
		0x2000,	    0x4b564d02, 0xbfffffff, 0xc0000079, 0xc0001fff,
		0xc0010114, 0xc0010117, 0xc0012000, 0xffffffff};

	for (unsigned i = 0; i < ARRAY_LEN(unknown); i++) {
		expect_no_msr(unknown[i], false, 0x1122334455667788);
		expect_no_msr(unknown[i], true, 0);
	}
}

/* Values that the manuals forbid. */
static void test_msr_values(void)
{
	u64 efer = rdmsr(MSR_EFER), pat = rdmsr(MSR_PAT);

	expect_no_msr(MSR_EFER, true, efer | BIT(1));
	expect_no_msr(MSR_EFER, true, efer | BIT(63));
	expect_no_msr(MSR_EFER, true, efer | EFER_SVME);
	expect_no_msr(MSR_EFER, true, efer & ~EFER_LME);
	expect(rdmsr(MSR_EFER) == efer, "EFER became %lx", rdmsr(MSR_EFER));
	expect_no_msr(MSR_PAT, true, 0x0007040600070402);
	expect_no_msr(MSR_PAT, true, 0xff07040600070406);
	expect(rdmsr(MSR_PAT) == pat, "PAT became %lx", rdmsr(MSR_PAT));
}

static void user_msr(void)
{
	asm volatile(TRY("rdmsr")::"a"(0), "d"(0), "c"(MSR_EFER) : "memory");
}

static void test_msr_user(void)
{
	user_call(user_msr);
	expect_trap(EXC_GP, "RDMSR in user mode");
}

/* --- time --- */

static void test_tsc(void)
{
	u64 last = rdtsc();

	for (unsigned i = 0; i < 3000; i++) {
		u64 now = rdtsc();

		expect(now >= last, "went back by %lu", last - now);
		last = now;
		if (i % 3 == 0)
			cpuid(0, 0);
	}
	RUN(PREFIX_OF_HIGH, 1, 0x0f, 0x31);
	expect_intact("RDTSC", BIT(RAX) | BIT(RDX));
	expect(after.gpr[RAX] >> 32 == 0 && after.gpr[RDX] >> 32 == 0,
	       "upper halves are not zero");
}

static void test_rdtscp(void)
{
	u64 last = rdtsc(), now;

	if (!(cpuid(0x80000001, 0).edx & BIT(27)))
		skip("this CPU has no RDTSCP");
	wrmsr(MSR_TSC_AUX, 0x12345678);
	RUN(PREFIX_OF_HIGH, PREFIX_OF_HIGH, 0x0f, 0x01, 0xf9);
	now = after.gpr[RDX] << 32 | after.gpr[RAX];
	expect_intact("RDTSCP", BIT(RAX) | BIT(RCX) | BIT(RDX));
	expect(now >= last, "went back by %lu", last - now);
	expect(after.gpr[RCX] == 0x12345678, "TSC_AUX is %lx", after.gpr[RCX]);
}

/* A guest may set its clock; the two ways to read it agree. */
static void test_tsc_write(void)
{
	u64 now = rdtsc(), far = now + (1ULL << 40), old = now;

	wrmsr(MSR_TSC, far);
	now = rdtsc();
	expect(now >= far && now < far + (1ULL << 38), "%lx written, %lx read",
	       far, now);
	now = rdmsr(MSR_TSC);
	expect(now >= far && now < far + (1ULL << 38), "MSR says %lx", now);
	wrmsr(MSR_TSC, old);
}

/* --- the rest --- */

static void test_xsetbv(void)
{
	static const struct {
		u64 value;
		u32 index;
	} bad[] = {{0, 0}, {2, 0},	    {5, 0},	    {1 | BIT(62), 0},
		   {1, 1}, {3 | BIT(3), 0}, {3, 0xffffffff}};
	u64 all;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		skip("this CPU has no XSAVE");
	all = cpuid(0xd, 0).eax & 7;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	for (u64 value = 1; value <= all; value = value * 2 + 1) {
		regs_pattern(&before);
		before.gpr[RAX] = value | PREFIX_OF_HIGH;
		before.gpr[RDX] = PREFIX_OF_HIGH;
		before.gpr[RCX] = PREFIX_OF_HIGH;
		after = before;
		run_bytes(&after, (const u8[]){0x0f, 0x01, 0xd1}, 3);
		expect_intact("XSETBV", 0);
		RUN(PREFIX_OF_HIGH, 0, 0x0f, 0x01, 0xd0);
		expect(after.gpr[RAX] == value && after.gpr[RDX] == 0,
		       "XCR0 %lx reads as %lx", value, after.gpr[RAX]);
		expect(cpuid(0xd, 0).ebx == (value < 7 ? 576 : 832),
		       "CPUID says %u bytes for %lx", cpuid(0xd, 0).ebx, value);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		asm volatile(TRY("xsetbv")::"a"((u32)bad[i].value),
			     "d"(bad[i].value >> 32), "c"(bad[i].index)
			     : "memory");
		expect(caught.vector == EXC_GP, "XCR%u = %lx: %s", bad[i].index,
		       bad[i].value, caught_text());
	}
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	asm volatile(TRY("xsetbv")::"a"(1), "d"(0), "c"(0) : "memory");
	expect_trap(EXC_UD, "XSETBV without OSXSAVE");
}

static void test_cache(void)
{
	RUN(1, 2, 0x0f, 0x09);
	expect_intact("WBINVD", 0);
	RUN(1, 2, 0x0f, 0x08);
	expect_intact("INVD", 0);
}

static void user_wbinvd(void)
{
	asm volatile(TRY("wbinvd")::: "memory");
}

static void test_cache_user(void)
{
	user_call(user_wbinvd);
	expect_trap(EXC_GP, "WBINVD in user mode");
}

static void test_invlpg(void)
{
	RUN(0x200000, 2, 0x0f, 0x01, 0x38);
	expect_intact("INVLPG", 0);
}

static void test_pause(void)
{
	for (unsigned i = 0; i < 5000; i++)
		cpu_relax();
	RUN(1, 2, 0xf3, 0x90);
	expect_intact("PAUSE", 0);
}

/* No counters are offered: #GP, or on some machines a number. */
static void test_rdpmc(void)
{
	asm volatile(TRY("rdpmc")::"c"(0x12345) : "rax", "rdx", "memory");
	expect_trap(EXC_GP, "RDPMC of no counter");
}

static void test_monitor(void)
{
	asm volatile(TRY("monitor")::"a"(&before), "c"(0), "d"(0) : "memory");
	expect_trap(EXC_UD, "MONITOR");
	asm volatile(TRY("mwait")::"a"(0), "c"(0) : "memory");
	expect_trap(EXC_UD, "MWAIT");
}

#define EXPECT_UD(insn)                                               \
	do {                                                          \
		asm volatile(TRY(insn)::"a"(page), "c"(0L), "d"(page) \
			     : "memory");                             \
		expect_trap(EXC_UD, insn);                            \
	} while (0)

static void test_vmx(void)
{
	static u8 page[4096] ALIGNED(4096);

	EXPECT_UD("vmxon (%%rax)");
	EXPECT_UD("vmclear (%%rax)");
	EXPECT_UD("vmptrld (%%rax)");
	EXPECT_UD("vmptrst (%%rax)");
	EXPECT_UD("vmread %%rax, %%rcx");
	EXPECT_UD("vmwrite %%rax, %%rcx");
	EXPECT_UD("vmlaunch");
	EXPECT_UD("vmresume");
	EXPECT_UD("vmxoff");
	EXPECT_UD("invept (%%rdx), %%rcx");
	EXPECT_UD("invvpid (%%rdx), %%rcx");
	EXPECT_UD("vmfunc");
	asm volatile(TRY("mov %0, %%cr4")::"r"(read_cr4() | CR4_VMXE)
		     : "memory");
	expect_trap(EXC_GP, "CR4.VMXE");
}

static void test_svm(void)
{
	static u8 page[4096] ALIGNED(4096);

	EXPECT_UD("vmrun");
	EXPECT_UD("vmload");
	EXPECT_UD("vmsave");
	EXPECT_UD("stgi");
	EXPECT_UD("clgi");
	EXPECT_UD("invlpga");
	EXPECT_UD("skinit");
}

static void test_privileged_others(void)
{
	static u8 page[16];

	EXPECT_UD(".byte 0x0f, 0x37"); /* GETSEC */
	EXPECT_UD("rsm");
}

static const struct test tests[] = {
	TEST("exit.cpuid", test_cpuid),
	GODWIT_TEST("exit.cpuid-hypervisor", test_cpuid_hypervisor),
	GODWIT_TEST("exit.cpuid-no-counters", test_cpuid_no_counters),
	TEST("exit.cpuid-osxsave", test_cpuid_osxsave),
	GODWIT_TEST("exit.hypercall-vmcall", test_vmcall),
	GODWIT_TEST("exit.hypercall-vmmcall", test_vmmcall),
	GODWIT_TEST("exit.hypercall-user", test_hypercall_user),
	TEST("exit.msr-read", test_msr_read),
	TEST("exit.msr-write", test_msr_write),
	TEST("exit.msr-high", test_msr_high),
	GODWIT_TEST("exit.msr-unknown", test_msr_unknown),
	GODWIT_TEST("exit.msr-values", test_msr_values),
	TEST("exit.msr-user", test_msr_user),
	TEST("exit.tsc", test_tsc),
	TEST("exit.rdtscp", test_rdtscp),
	GODWIT_TEST("exit.tsc-write", test_tsc_write),
	TEST("exit.xsetbv", test_xsetbv),
	TEST("exit.cache", test_cache),
	TEST("exit.cache-user", test_cache_user),
	TEST("exit.invlpg", test_invlpg),
	TEST("exit.pause", test_pause),
	GODWIT_TEST("exit.rdpmc", test_rdpmc),
	GODWIT_TEST("exit.monitor", test_monitor),
	GODWIT_TEST("exit.vmx-insn", test_vmx),
	TEST("exit.svm-insn", test_svm),
	TEST("exit.smx-smm-insn", test_privileged_others),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
