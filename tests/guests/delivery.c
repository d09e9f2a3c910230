/*
 * Exceptions on their way: single steps over instructions that exit, exceptions
 * inside handlers, and trouble while one is being delivered.
 */
#include "apic.h"
#include "pages.h"

static u8 page[4096] ALIGNED(4096);

/* The saved RIP is behind the instruction. */
static volatile u64 trap_rip;
static volatile unsigned trap_count;

static bool note_trap(struct trap_frame *frame)
{
	trap_rip = frame->rip;
	trap_count++;
	return true;
}

/* --- single steps --- */

static u64 steps[12];
static volatile unsigned step_count;

static bool note_step(struct trap_frame *frame)
{
	if (step_count < ARRAY_LEN(steps))
		steps[step_count] = frame->rip;
	step_count++;
	caught.dr6 = read_dr6();
	write_dr6(0xffff0ff0);
	return true;
}

/*
 * POPF sets TF; the first trap comes after the instruction behind POPF, which
 * is the one under test, the second after PUSHF.
 */
#define STEP(insn, ...)                                                       \
	do {                                                                  \
		u64 behind;                                                   \
		step_count = 0;                                               \
		asm volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\t" insn  \
			     "\n1:\tpushf\n\tandl $~0x100, (%%rsp)\n\t"       \
			     "popf\n\tlea 1b(%%rip), %0"                      \
			     : "=&D"(behind)                                  \
			     : __VA_ARGS__                                    \
			     : "rbx", "memory");                              \
		expect(steps[0] == behind, "%s: trap at %lx, not %lx", insn,  \
		       steps[0], behind);                                     \
		expect(step_count == 4, "%s: %u steps", insn, step_count);    \
		expect(caught.dr6 &BIT(14), "%s: DR6 %lx", insn, caught.dr6); \
	} while (0)

static void test_step(void)
{
	trap_hooks[EXC_DB] = note_step;
	STEP("nop", "a"(0));
	STEP("lea 1(%%rax), %%rbx", "a"(0));
}

static void test_step_exits(void)
{
	trap_hooks[EXC_DB] = note_step;
	STEP("cpuid", "a"(0), "c"(0), "d"(0));
	STEP("outb %%al, %%dx", "a"(0), "d"(PORT_NONE));
	STEP("inb %%dx, %%al", "a"(0), "d"(PORT_NONE));
	STEP("rdmsr", "c"(MSR_PAT));
	STEP("wrmsr", "a"((u32)rdmsr(MSR_PAT)), "d"(rdmsr(MSR_PAT) >> 32),
	     "c"(MSR_PAT));
	STEP("wbinvd", "a"(0));
	STEP("mov %%rax, %%cr3", "a"(read_cr3()));
	STEP("mov %%rax, %%cr0", "a"(read_cr0()));
	STEP("clts", "a"(0));
}

static void test_step_mmio(void)
{
	volatile u32 *tpr = (volatile u32 *)(APIC_BASE + APIC_TPR);

	apic_start_as(false);
	trap_hooks[EXC_DB] = note_step;
	STEP("movl %%eax, (%%rdx)", "a"(0x20), "d"(tpr));
	STEP("movl (%%rdx), %%eax", "a"(0), "d"(tpr));
	*tpr = 0;
}

/* A repeated instruction traps after each round. */
static void test_step_rep(void)
{
	u64 rcx = 3;
	const u8 *rsi = page;

	trap_hooks[EXC_DB] = note_step;
	step_count = 0;
	asm volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\trep outsb\n\t"
		     "pushf\n\tandl $~0x100, (%%rsp)\n\tpopf"
		     : "+c"(rcx), "+S"(rsi)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(step_count == 6, "%u steps, not 3 and 3", step_count);
	expect(!rcx && rsi == page + 3, "RCX %lu", rcx);
}

/* --- trouble during delivery --- */

static volatile unsigned double_faults;

static bool take_df(struct trap_frame *frame)
{
	double_faults++;
	caught.error = frame->error;
	frame->rip = *(u64 *)(frame->gpr[RBX]);
	return true;
}

/* #PF, whose gate is absent: #NP, so #DF, on a stack of its own. */
static void test_df(void)
{
	u64 resume;

	trap_hooks[EXC_DF] = take_df;
	trap_gate(EXC_DF, 0, 1);
	trap_gate_absent(EXC_PF);
	double_faults = 0;
	asm volatile(
		"lea 1f(%%rip), %%rax\n\tmov %%rax, %0\n\tlea %0, %%rbx\n\t"
		"mov (%1), %%al\n1:"
		: "=m"(resume)
		: "r"(TEST_BASE + 0x5000)
		: "rax", "rbx", "memory");
	trap_gate(EXC_PF, 0, 0);
	trap_gate(EXC_DF, 0, 0);
	expect(double_faults == 1 && !caught.error, "%u, error %x",
	       double_faults, caught.error);
}

/* The stack for an exception is not there: #PF on another, then as before. */
static volatile unsigned faults;

static bool mend_stack(struct trap_frame *frame)
{
	faults++;
	caught.error = frame->error;
	page_map(read_cr2() & ~0xfffULL, (u64)page, PTE_RWU);
	return true;
}

static void test_delivery_fault(void)
{
	u64 saved;

	trap_hooks[EXC_PF] = mend_stack;
	trap_hooks[0x30] = note_trap;
	trap_gate(EXC_PF, 0, 2);
	trap_count = faults = 0;
	page_unmap(TEST_BASE);
	asm volatile("mov %%rsp, %0\n\tmov %1, %%rsp\n\tint $0x30\n\t"
		     "mov %0, %%rsp"
		     : "=&r"(saved)
		     : "r"(TEST_BASE + 0x1000)
		     : "memory");
	trap_gate(EXC_PF, 0, 0);
	expect(faults == 1 && caught.error == PF_W, "%u page faults, error %x",
	       faults, caught.error);
	expect(trap_count == 1, "INT delivered %u times", trap_count);
}

/* An exception in an exception's handler, with exits in between. */
static bool nested_ud(struct trap_frame *frame)
{
	cpuid(0, 0);
	asm volatile(TRY("div %0")::"r"(0UL), "a"(1), "d"(0) : "memory");
	expect_trap(EXC_DE, "inside #UD");
	outb(PORT_NONE, 0);
	frame->rip += 2;
	trap_count++;
	return true;
}

static void test_nested(void)
{
	trap_hooks[EXC_UD] = nested_ud;
	trap_count = 0;
	for (unsigned i = 0; i < 100; i++)
		asm volatile("ud2" ::: "memory");
	expect(trap_count == 100, "%u of 100", trap_count);
}

static const struct test tests[] = {
	TEST("delivery.step", test_step),
	TEST("delivery.step-exits", test_step_exits),
	TEST("delivery.step-mmio", test_step_mmio),
	TEST("delivery.step-rep", test_step_rep),
	TEST("delivery.df", test_df),
	TEST("delivery.fault", test_delivery_fault),
	TEST("delivery.nested", test_nested),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
