/*
 * Every exception that 64-bit code can cause, with its error code and the place
 * it comes from. What happens while one is delivered is in delivery.c.
 */
#include "apic.h"
#include "pages.h"
#include "traps.h"

static bool expect_error(int vector, u32 error, const char *what)
{
	expect(caught.vector == vector && caught.error == error, "%s: %s", what,
	       caught_text());
	return caught.vector == vector;
}

static void test_de(void)
{
	asm volatile(TRY("div %0")::"r"(0UL), "a"(1), "d"(0) : "memory");
	expect_trap(EXC_DE, "division by 0");
	asm volatile(TRY("idivl %0")::"r"(-1), "a"(0x80000000), "d"(-1)
		     : "memory");
	expect_trap(EXC_DE, "overflow");
}

static void test_ud(void)
{
	asm volatile(TRY("ud2")::: "memory");
	expect_trap(EXC_UD, "UD2");
	asm volatile(TRY(".byte 0x06")::: "memory");
	expect_trap(EXC_UD, "PUSH ES");
	asm volatile(TRY(".byte 0xce")::: "memory");
	expect_trap(EXC_UD, "INTO");
}

static void test_nm(void)
{
	write_cr0(read_cr0() | CR0_TS);
	asm volatile(TRY("fninit")::: "memory");
	expect_trap(EXC_NM, "FNINIT with TS");
	asm volatile("clts");
	asm volatile(TRY("fninit")::: "memory");
	expect_none("FNINIT without TS");
}

/* The saved RIP is behind the instruction. */
static volatile u64 trap_rip;
static volatile unsigned trap_count;

static bool note_trap(struct trap_frame *frame)
{
	trap_rip = frame->rip;
	trap_count++;
	return true;
}

#define EXPECT_TRAP_BEHIND(insn)                                           \
	do {                                                               \
		u64 behind;                                                \
		trap_count = 0;                                            \
		asm volatile(insn "\n1:\tlea 1b(%%rip), %0"                \
			     : "=r"(behind)::"memory");                    \
		expect(trap_count == 1, "%s: %u times", insn, trap_count); \
		expect(trap_rip == behind, "%s: at %lx, not %lx", insn,    \
		       trap_rip, behind);                                  \
	} while (0)

static void test_bp(void)
{
	trap_hooks[EXC_BP] = note_trap;
	EXPECT_TRAP_BEHIND("int3");
	EXPECT_TRAP_BEHIND("int $3");
}

static void test_int(void)
{
	trap_hooks[0x30] = trap_hooks[0xff] = note_trap;
	trap_hooks[EXC_OF] = note_trap;
	EXPECT_TRAP_BEHIND("int $0x30");
	EXPECT_TRAP_BEHIND("int $0xff");
	EXPECT_TRAP_BEHIND("int $4");
}

static void test_icebp(void)
{
	trap_hooks[EXC_DB] = note_trap;
	EXPECT_TRAP_BEHIND(".byte 0xf1");
}

/* An INT to a vector whose gate user mode may not use. */
static void user_int(void)
{
	asm volatile(TRY("int $0x30")::: "memory");
}

static void test_int_user(void)
{
	user_call(user_int);
	expect_trap(EXC_GP, "DPL 0 gate");
	trap_gate(0x30, 3, 0);
	trap_hooks[0x30] = note_trap;
	trap_count = 0;
	user_call(user_int);
	expect(trap_count == 1, "DPL 3 gate: %u times", trap_count);
	trap_gate(0x30, 0, 0);
}

static void test_np(void)
{
	extern u64 gdt_spare[2];

	gdt_spare[0] = 0x00cf13000000ffff; /* data, P=0 */
	asm volatile(TRY("mov %0, %%fs")::"r"(SPARE_SEL) : "memory");
	expect_error(EXC_NP, SPARE_SEL, "FS");
	asm volatile(TRY("mov %0, %%ss")::"r"(SPARE_SEL) : "memory");
	expect_error(EXC_SS, SPARE_SEL, "SS");
	gdt_spare[0] = 0;
	trap_gate_absent(0x31);
	asm volatile(TRY("int $0x31")::: "memory");
	expect_trap(EXC_NP, "absent gate");
	trap_gate(0x31, 0, 0);
}

/* The error code names the gate: 8 times the vector, and IDT. */
static void test_gate_error(void)
{
	user_call(user_int);
	expect_error(EXC_GP, 0x30 * 8 + 2, "DPL 0 gate");
	trap_gate_absent(0x30);
	asm volatile(TRY("int $0x30")::: "memory");
	expect_error(EXC_NP, 0x30 * 8 + 2, "absent gate");
	trap_gate(0x30, 0, 0);
}

static void test_gp(void)
{
	u64 far = 0x1234567812345678;

	asm volatile(TRY("mov %0, %%fs")::"r"(0x100) : "memory");
	expect_error(EXC_GP, 0x100, "selector beyond the GDT");
	asm volatile(TRY("mov (%0), %%rax")::"r"(far) : "rax", "memory");
	expect_error(EXC_GP, 0, "non-canonical read");
	asm volatile(TRY("mov %%rax, (%0)")::"r"(far) : "memory");
	expect_error(EXC_GP, 0, "non-canonical write");
	asm volatile(TRY("movaps %%xmm0, 1(%0)")::"r"(&far) : "memory");
	expect(caught.vector == EXC_GP || caught.vector == EXC_UD,
	       "unaligned MOVAPS: %s", caught_text());
}

static void test_ss(void)
{
	asm volatile("push %%rbp\n\tmov %0, %%rbp\n\t" TRY(
			     "mov (%%rbp), %%eax") "pop %%rbp" ::"r"(BIT(62))
		     : "rax", "memory");
	expect_error(EXC_SS, 0, "non-canonical by RBP");
}

/* --- #PF --- */

static u8 page[4096] ALIGNED(4096);
#define SPOT (TEST_BASE + 0x123)

#define TOUCH(insn) asm volatile(TRY(insn)::"r"(SPOT), "a"(0x90c3) : "memory")
#define READ	    "movb (%0), %%cl"
#define WRITE	    "movb %%al, (%0)"

static void expect_pf(u32 error, const char *what)
{
	if (expect_error(EXC_PF, error, what))
		expect(caught.cr2 == SPOT, "%s: CR2 %lx", what, caught.cr2);
}

static void test_pf(void)
{
	page_unmap(TEST_BASE);
	TOUCH(READ);
	expect_pf(0, "read of nothing");
	TOUCH(WRITE);
	expect_pf(PF_W, "write to nothing");
	page_map(TEST_BASE, (u64)page, PTE_P);
	TOUCH(READ);
	expect_none("read-only read");
	TOUCH(WRITE);
	expect_pf(PF_P | PF_W, "read-only write");
	write_cr0(read_cr0() & ~CR0_WP);
	TOUCH(WRITE);
	expect_none("read-only write without WP");
	write_cr0(read_cr0() | CR0_WP);
}

static void user_read(void)
{
	TOUCH(READ);
}

static void user_write(void)
{
	TOUCH(WRITE);
}

static void test_pf_user(void)
{
	page_unmap(TEST_BASE);
	user_call(user_read);
	expect_pf(PF_U, "user read of nothing");
	page_map(TEST_BASE, (u64)page, PTE_P | PTE_W);
	user_call(user_read);
	expect_pf(PF_P | PF_U, "user read of supervisor");
	page_map(TEST_BASE, (u64)page, PTE_P | PTE_U);
	user_call(user_read);
	expect_none("user read");
	user_call(user_write);
	expect_pf(PF_P | PF_W | PF_U, "user write to read-only");
}

/* A call there: the exception is at the target, so a hook goes back. */
static bool back_from_fetch(struct trap_frame *frame)
{
	caught.vector = frame->vector;
	caught.error = frame->error;
	caught.cr2 = read_cr2();
	frame->rip = *(u64 *)frame->rsp;
	frame->rsp += 8;
	return true;
}

static void test_pf_fetch(void)
{
	trap_hooks[EXC_PF] = back_from_fetch;
	page[0x123] = 0xc3;
	page_map(TEST_BASE, (u64)page, PTE_RWU | PTE_NX);
	caught.vector = -1;
	((void (*)(void))SPOT)();
	expect_pf(PF_P | PF_I, "fetch from NX");
	page_unmap(TEST_BASE);
	((void (*)(void))SPOT)();
	expect_pf(PF_I, "fetch from nothing");
	page_map(TEST_BASE, (u64)page, PTE_RWU);
	caught.vector = -1;
	((void (*)(void))SPOT)();
	expect_none("fetch");
}

static void test_pf_reserved(void)
{
	*page_entry(TEST_BASE, 0) = (u64)page | PTE_RWU | BIT(51);
	invlpg((void *)SPOT);
	TOUCH(READ);
	expect_pf(PF_P | PF_R, "bit 51");
	TOUCH(WRITE);
	expect_pf(PF_P | PF_W | PF_R, "bit 51, write");
	page_unmap(TEST_BASE);
}

/* --- FPU --- */

static void test_mf(void)
{
	static const u16 control = 0x37b; /* division by zero unmasked */

	write_cr0((read_cr0() | CR0_NE) & ~(CR0_EM | CR0_TS));
	asm volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\t"
		     "fdivrp" ::"m"(control)
		     : "memory");
	asm volatile(TRY("fwait")::: "memory");
	asm volatile("fninit");
	expect_trap(EXC_MF, "FWAIT after 1/0");
}

static void test_xm(void)
{
	static const u32 unmasked = 0x1f80 & ~0x200, normal = 0x1f80;
	static const float one = 1, zero;

	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	asm volatile("ldmxcsr %0\n\tmovss %1, %%xmm0\n\t" TRY(
			     "divss %2, %%xmm0") "ldmxcsr %3" ::"m"(unmasked),
		     "m"(one), "m"(zero), "m"(normal)
		     : "memory");
	expect_trap(EXC_XM, "DIVSS by 0");
}

static void user_unaligned(void)
{
	static u32 words[2];

	asm volatile(TRY("mov 1(%0), %%eax")::"r"(words) : "rax", "memory");
}

static void test_ac(void)
{
	write_cr0(read_cr0() | CR0_AM);
	user_flags = 2 | FLAG_AC;
	user_call(user_unaligned);
	write_cr0(read_cr0() & ~CR0_AM);
	expect_error(EXC_AC, 0, "user mode");
	user_call(user_unaligned);
	expect_none("without AM");
}

static void test_syscall(void)
{
	u64 rcx, flags = save_flags();

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (u64)KERNEL_CS << 32);
	wrmsr(MSR_SFMASK, FLAG_DF);
	asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %%rdx\n\t"
		     "shr $32, %%rdx\n\tmov $0xc0000082, %%ecx\n\twrmsr\n\t"
		     "std\n\tsyscall\n1:\tmov %%rcx, %0"
		     : "=r"(rcx)::"rax", "rcx", "rdx", "r11", "memory");
	expect(!(save_flags() & FLAG_DF), "SFMASK did not clear DF");
	expect((flags & FLAG_DF) == 0 && rcx, "RCX %lx", rcx);
}

static const struct test tests[] = {
	TEST("exception.de", test_de),
	TEST("exception.ud", test_ud),
	TEST("exception.nm", test_nm),
	TEST("exception.bp", test_bp),
	TEST("exception.int", test_int),
	TEST("exception.int-user", test_int_user),
	TEST("exception.icebp", test_icebp),
	TEST("exception.np", test_np),
	TEST("exception.gate-error", test_gate_error),
	TEST("exception.gp", test_gp),
	TEST("exception.ss", test_ss),
	TEST("exception.pf", test_pf),
	TEST("exception.pf-user", test_pf_user),
	TEST("exception.pf-fetch", test_pf_fetch),
	TEST("exception.pf-reserved", test_pf_reserved),
	TEST("exception.mf", test_mf),
	TEST("exception.xm", test_xm),
	TEST("exception.ac", test_ac),
	TEST("exception.syscall", test_syscall),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
