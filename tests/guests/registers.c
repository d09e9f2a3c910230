/*
 * Control and debug registers: each by each general register, by the
 * instructions that have their own opcodes (CLTS, LMSW, SMSW), with values that
 * are allowed and values that give #GP. Then breakpoints that must fire.
 */
#include "apic.h"

/* --- moves by every general register, RSP too --- */

static u64 cell, saved_rsp;

struct code {
	u8 bytes[48];
	unsigned n;
};

static void emit(struct code *c, unsigned n, const u8 *bytes)
{
	memcpy(c->bytes + c->n, bytes, n);
	c->n += n;
}
#define EMIT(c, ...) \
	emit(c, sizeof((const u8[]){__VA_ARGS__}), (const u8[]){__VA_ARGS__})

/* mov %reg, address (0x89) or back (0x8b). */
static void emit_memory(struct code *c, u8 opcode, unsigned reg, u64 *address)
{
	u32 at = (u64)address;

	EMIT(c, 0x48 | (reg & 8 ? 4 : 0), opcode, 0x04 | (reg & 7) << 3, 0x25);
	emit(c, 4, (const u8 *)&at);
}

/* opcode 0x20, 0x22: CR; 0x21, 0x23: DR. */
static void move(u8 opcode, unsigned number, unsigned reg)
{
	struct code c = {.n = 0};
	struct regs regs;
	u8 rex = 0x40 | (number & 8 ? 4 : 0) | (reg & 8 ? 1 : 0);

	emit_memory(&c, 0x89, RSP, &saved_rsp);
	if (opcode & 2)
		emit_memory(&c, 0x8b, reg, &cell);
	if (rex != 0x40)
		EMIT(&c, rex);
	EMIT(&c, 0x0f, opcode, 0xc0 | (number & 7) << 3 | (reg & 7));
	if (!(opcode & 2))
		emit_memory(&c, 0x89, reg, &cell);
	emit_memory(&c, 0x8b, RSP, &saved_rsp);
	regs_pattern(&regs);
	regs.rflags = 2;
	run_bytes(&regs, c.bytes, c.n);
}

static u64 move_from(u8 kind, unsigned number, unsigned reg)
{
	cell = 0x5555555555555555;
	move(0x20 | kind, number, reg);
	return cell;
}

static void move_to(u8 kind, unsigned number, unsigned reg, u64 value)
{
	cell = value;
	move(0x22 | kind, number, reg);
}
#define CR 0
#define DR 1

static void test_cr_gprs(void)
{
	for (unsigned r = 0; r < 16; r++) {
		u64 cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

		expect(move_from(CR, 0, r) == cr0, "CR0 by %u: %lx", r, cell);
		expect(move_from(CR, 3, r) == cr3, "CR3 by %u: %lx", r, cell);
		expect(move_from(CR, 4, r) == cr4, "CR4 by %u: %lx", r, cell);
		move_to(CR, 0, r, cr0 ^ CR0_AM);
		expect(read_cr0() == (cr0 ^ CR0_AM), "to CR0 by %u", r);
		move_to(CR, 3, r, cr3);
		expect(read_cr3() == cr3, "to CR3 by %u", r);
		move_to(CR, 4, r, cr4 ^ CR4_TSD);
		expect(read_cr4() == (cr4 ^ CR4_TSD), "to CR4 by %u", r);
		move_to(CR, 8, r, r);
		expect(read_cr8() == r, "to CR8 by %u", r);
		expect(move_from(CR, 8, r) == r, "CR8 by %u: %lx", r, cell);
	}
	write_cr8(0);
}

static void test_dr_gprs(void)
{
	for (unsigned r = 0; r < 16; r++) {
		for (unsigned d = 0; d < 4; d++)
			move_to(DR, d, r, 0xffff800000000000 + r * 16 + d);
		cpuid(0, 0);
		for (unsigned d = 0; d < 4; d++)
			expect(move_from(DR, d, r) ==
				       0xffff800000000000 + r * 16 + d,
			       "DR%u by %u: %lx", d, r, cell);
		move_to(DR, 7, r, 0x400 | r << 18);
		expect(move_from(DR, 7, r) == (0x400 | r << 18),
		       "DR7 by %u: %lx", r, cell);
		move_to(DR, 6, r, 0xffff0ff0 | (r & 7));
		expect(move_from(DR, 6, r) == (0xffff0ff0 | (r & 7)),
		       "DR6 by %u: %lx", r, cell);
	}
	for (unsigned d = 0; d < 4; d++)
		move_to(DR, d, 0, 0);
	write_dr7(0x400);
	write_dr6(0xffff0ff0);
}

/* --- control registers --- */

static void test_cr0(void)
{
	static const u64 bits[] = {CR0_TS, CR0_MP, CR0_EM,
				   CR0_AM, CR0_WP, CR0_TS | CR0_MP};
	u64 cr0 = read_cr0();

	for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
		write_cr0(cr0 ^ bits[i]);
		expect(read_cr0() == (cr0 ^ bits[i]), "%lx written, %lx read",
		       cr0 ^ bits[i], read_cr0());
	}
	write_cr0(cr0 & ~CR0_ET); /* hard-wired to 1 */
	expect(read_cr0() == cr0, "ET was cleared: %lx", read_cr0());
}

static void test_clts(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 | CR0_TS);
	asm volatile("clts" ::: "memory");
	expect(read_cr0() == cr0, "CR0 is %lx", read_cr0());
	asm volatile("clts" ::: "memory");
	expect(read_cr0() == cr0, "again: CR0 is %lx", read_cr0());
}

/* LMSW writes bits 0-3, and cannot clear PE. */
static void test_lmsw(void)
{
	u64 cr0 = read_cr0();
	u16 word_in_memory = 0xfff0;

	asm volatile("lmsw %w0" ::"r"(0x000e) : "memory");
	expect(read_cr0() == (cr0 | CR0_MP | CR0_EM | CR0_TS),
	       "0x000e gives %lx", read_cr0());
	asm volatile("lmsw %0" ::"m"(word_in_memory) : "memory");
	expect(read_cr0() == (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)),
	       "0xfff0 from memory gives %lx", read_cr0());
	write_cr0(cr0);
}

static void test_smsw(void)
{
	u64 cr0 = read_cr0(), value = 0x1111111111111111;
	u32 half = 0x22222222;

	asm volatile("smsw %w0" : "+r"(value));
	expect(value == (0x1111111111110000 | (cr0 & 0xffff)), "16 bits: %lx",
	       value);
	asm volatile("smsw %0" : "=r"(value));
	expect((value & 0xffff) == (cr0 & 0xffff), "64 bits: %lx", value);
	asm volatile("smsw %0" : "+m"(half));
	expect(half == (0x22220000 | (cr0 & 0xffff)), "memory: %x", half);
}

#define EXPECT_GP(insn, value, what)                                       \
	do {                                                               \
		asm volatile(TRY(insn)::"r"((u64)(value)) : "memory");     \
		expect(caught.vector == EXC_GP && !caught.error, "%s: %s", \
		       what, caught_text());                               \
	} while (0)

static void test_cr0_illegal(void)
{
	u64 cr0 = read_cr0();

	EXPECT_GP("mov %0, %%cr0", cr0 & ~CR0_PE, "PG without PE");
	EXPECT_GP("mov %0, %%cr0", cr0 | CR0_NW, "NW without CD");
	EXPECT_GP("mov %0, %%cr0", cr0 | BIT(32), "upper half");
	EXPECT_GP("mov %0, %%cr0", cr0 & ~CR0_PG, "paging off in 64-bit code");
	expect(read_cr0() == cr0, "CR0 became %lx", read_cr0());
}

static void test_cr3_illegal(void)
{
	u64 cr3 = read_cr3(), bits = cpuid(0x80000008, 0).eax & 0xff;

	EXPECT_GP("mov %0, %%cr3", cr3 | BIT(62), "bit 62");
	EXPECT_GP("mov %0, %%cr3", cr3 | BIT(bits), "beyond physical memory");
	expect(read_cr3() == cr3, "CR3 became %lx", read_cr3());
}

static void test_cr4(void)
{
	static const u64 bits[] = {CR4_TSD,	   CR4_DE,  CR4_PGE, CR4_OSFXSR,
				   CR4_OSXMMEXCPT, CR4_PSE, CR4_VME};
	u64 cr4 = read_cr4();

	for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
		write_cr4(cr4 ^ bits[i]);
		expect(read_cr4() == (cr4 ^ bits[i]), "%lx written, %lx read",
		       cr4 ^ bits[i], read_cr4());
	}
	write_cr4(cr4);
	expect(!(cr4 & CR4_VMXE), "VMXE is visible");
}

static void test_cr4_illegal(void)
{
	u64 cr4 = read_cr4();

	EXPECT_GP("mov %0, %%cr4", cr4 & ~CR4_PAE, "PAE off in long mode");
	EXPECT_GP("mov %0, %%cr4", cr4 | CR4_VMXE, "VMXE");
	EXPECT_GP("mov %0, %%cr4", cr4 | BIT(31), "bit 31");
	EXPECT_GP("mov %0, %%cr4", cr4 | BIT(63), "bit 63");
	expect(read_cr4() == cr4, "CR4 became %lx", read_cr4());
}

/* The task priority's upper half, in both directions. */
static void test_cr8(void)
{
	apic_start();
	for (unsigned i = 0; i < 16; i++) {
		write_cr8(i);
		expect(read_cr8() == i, "%u written, %lu read", i, read_cr8());
		expect(apic_read(APIC_TPR) == i << 4, "CR8 %u, TPR %x", i,
		       apic_read(APIC_TPR));
	}
	for (unsigned i = 0; i < 16; i++) {
		apic_write(APIC_TPR, i << 4 | 5);
		expect(read_cr8() == i, "TPR %x, CR8 %lu", i << 4 | 5,
		       read_cr8());
	}
	apic_write(APIC_TPR, 0);
}

static void test_cr8_illegal(void)
{
	EXPECT_GP("mov %0, %%cr8", 16, "16");
	EXPECT_GP("mov %0, %%cr8", BIT(32), "bit 32");
	EXPECT_GP("mov %0, %%cr8", BIT(63), "bit 63");
	expect(read_cr8() == 0, "CR8 became %lu", read_cr8());
}

/* CR1, CR5-7, CR9-15 do not exist. */
static void test_cr_absent(void)
{
	asm volatile(TRY(".byte 0x0f, 0x20, 0xc8")::: "rax", "memory");
	expect_trap(EXC_UD, "CR1");
	asm volatile(TRY(".byte 0x0f, 0x20, 0xe8")::: "rax", "memory");
	expect_trap(EXC_UD, "CR5");
	asm volatile(TRY(".byte 0x44, 0x0f, 0x22, 0xc8")::: "memory");
	expect_trap(EXC_UD, "CR9");
}

static int user_vectors[6];

static void user_moves(void)
{
	word value = 0;

	asm volatile(TRY("mov %%cr0, %0") : "+r"(value)::"memory");
	user_vectors[0] = caught.vector;
	asm volatile(TRY("mov %0, %%cr3")::"r"(value) : "memory");
	user_vectors[1] = caught.vector;
	asm volatile(TRY("clts")::: "memory");
	user_vectors[2] = caught.vector;
	asm volatile(TRY("lmsw %w0")::"r"(value) : "memory");
	user_vectors[3] = caught.vector;
	asm volatile(TRY("mov %%dr7, %0") : "+r"(value)::"memory");
	user_vectors[4] = caught.vector;
	asm volatile(TRY("mov %0, %%cr8")::"r"(value) : "memory");
	user_vectors[5] = caught.vector;
}

static void test_user(void)
{
	user_call(user_moves);
	for (unsigned i = 0; i < ARRAY_LEN(user_vectors); i++)
		expect(user_vectors[i] == EXC_GP, "instruction %u: vector %d",
		       i, user_vectors[i]);
}

/* --- debug registers --- */

static void test_dr_illegal(void)
{
	EXPECT_GP("mov %0, %%dr7", BIT(32), "DR7 bit 32");
	EXPECT_GP("mov %0, %%dr6", BIT(32), "DR6 bit 32");
	EXPECT_GP("mov %0, %%dr7", BIT(63) | 0x400, "DR7 bit 63");
}

static void test_dr4_dr5(void)
{
	u64 value = 0;

	write_cr4(read_cr4() & ~CR4_DE);
	write_dr6(0xffff0ff1);
	asm volatile(TRY("mov %%dr4, %0") : "+r"(value)::"memory");
	expect(caught.vector < 0 && value == 0xffff0ff1, "DR4 is %lx", value);
	asm volatile(TRY("mov %%dr5, %0") : "+r"(value)::"memory");
	expect(caught.vector < 0 && value == 0x400, "DR5 is %lx", value);
	write_cr4(read_cr4() | CR4_DE);
	asm volatile(TRY("mov %%dr4, %0") : "+r"(value)::"memory");
	expect_trap(EXC_UD, "DR4 with CR4.DE");
	asm volatile(TRY("mov %0, %%dr5")::"r"(value) : "memory");
	expect_trap(EXC_UD, "DR5 with CR4.DE");
	write_cr4(read_cr4() & ~CR4_DE);
	write_dr6(0xffff0ff0);
}

/* GD guards the registers: #DB before the access, and GD is cleared. */
static void test_dr_guard(void)
{
	u64 value = 0;

	write_dr6(0xffff0ff0);
	write_dr7(0x2400);
	asm volatile(TRY("mov %%dr0, %0") : "+r"(value)::"memory");
	expect_trap(EXC_DB, "read of DR0");
	expect(read_dr7() == 0x400, "DR7 is %lx afterwards", read_dr7());
	expect(caught.dr6 & BIT(13), "DR6 is %lx", caught.dr6);
	write_dr7(0x400);
	write_dr6(0xffff0ff0);
}

static unsigned hits;
static u64 hit_rip, hit_dr6;

static bool count_hit(struct trap_frame *frame)
{
	hits++;
	hit_rip = frame->rip;
	hit_dr6 = read_dr6();
	frame->rflags |= FLAG_RF; /* go on over an execution breakpoint */
	write_dr6(0xffff0ff0);
	return true;
}

extern const u8 break_here[];

static void __attribute__((noinline)) pass_breakpoint(void)
{
	asm volatile("cpuid\nbreak_here: nop" ::"a"(0), "c"(0)
		     : "rbx", "rdx", "memory");
}

static void test_break_execute(void)
{
	trap_hooks[EXC_DB] = count_hit;
	hits = 0;
	write_dr6(0xffff0ff0);
	write_dr0((u64)break_here);
	write_dr7(0x402); /* G0, execution */
	for (unsigned i = 0; i < 3; i++)
		pass_breakpoint();
	write_dr7(0x400);
	pass_breakpoint();
	expect(hits == 3, "%u hits, not 3", hits);
	expect(hit_rip == (u64)break_here, "at %lx, not %lx", hit_rip,
	       (u64)break_here);
	expect((hit_dr6 & 0xf) == 1, "DR6 was %lx", hit_dr6);
}

static void test_break_write(void)
{
	static volatile u32 watched[2];

	trap_hooks[EXC_DB] = count_hit;
	hits = 0;
	write_dr6(0xffff0ff0);
	write_dr3((u64)&watched[0]);
	write_dr7(0x400 | 0x80 | 0xdu << 28); /* G3, 4 bytes, writes */
	cpuid(0, 0);			      /* kept over an exit */
	watched[0] = 1;
	watched[1] = 1;
	watched[0] = 2;
	(void)watched[0];
	write_dr7(0x400);
	watched[0] = 3;
	write_dr3(0);
	expect(hits == 2, "%u hits, not 2", hits);
	expect((hit_dr6 & 0xf) == 8, "DR6 was %lx", hit_dr6);
}

static const struct test tests[] = {
	TEST("cr.gprs", test_cr_gprs),
	TEST("cr.cr0", test_cr0),
	TEST("cr.clts", test_clts),
	TEST("cr.lmsw", test_lmsw),
	TEST("cr.smsw", test_smsw),
	GODWIT_TEST("cr.cr0-illegal", test_cr0_illegal),
	GODWIT_TEST("cr.cr3-illegal", test_cr3_illegal),
	TEST("cr.cr4", test_cr4),
	GODWIT_TEST("cr.cr4-illegal", test_cr4_illegal),
	TEST("cr.cr8", test_cr8),
	GODWIT_TEST("cr.cr8-illegal", test_cr8_illegal),
	TEST("cr.absent", test_cr_absent),
	TEST("cr.user", test_user),
	TEST("dr.gprs", test_dr_gprs),
	GODWIT_TEST("dr.illegal", test_dr_illegal),
	TEST("dr.dr4-dr5", test_dr4_dr5),
	GODWIT_TEST("dr.guard", test_dr_guard),
	TEST("dr.break-execute", test_break_execute),
	TEST("dr.break-write", test_break_write),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
