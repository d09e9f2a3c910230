/*
 * A device's memory by every kind of instruction that has a memory operand:
 * the local APIC's registers in xAPIC mode, and addresses where nothing is.
 * TPR holds eight bits, ICR2 its upper eight: enough to see what arrived.
 */
#include "apic.h"
#include "pages.h"

#define NOTHING 0xfd100000u /* neither RAM nor device */

static volatile u32 *const tpr = (volatile u32 *)(APIC_BASE + APIC_TPR);
static volatile u32 *const icr2 = (volatile u32 *)(APIC_BASE + APIC_ICR2);
static volatile u32 *const version = (volatile u32 *)(APIC_BASE + APIC_VERSION);

static void set_up(void)
{
	apic_start_as(false);
	*tpr = 0;
	*icr2 = 0;
}

static void test_mov(void)
{
	u64 value = 0x1111111122222222;

	set_up();
	for (u32 i = 0; i < 256; i += 17) {
		*icr2 = i << 24;
		expect(*icr2 == i << 24, "%x written, %x read", i << 24, *icr2);
	}
	asm volatile("movl $0x50, %0" : "=m"(*tpr));
	expect(*tpr == 0x50, "immediate: %x", *tpr);
	asm volatile("movl %1, %k0" : "+r"(value) : "m"(*tpr));
	expect(value == 0x50, "upper half kept: %lx", value);
	asm volatile("mov $0x60, %%r14d\n\tmov %%r14d, %0\n\t"
		     "mov %0, %%r9d\n\tmov %%r9, %1"
		     : "=m"(*tpr), "=r"(value)::"r9", "r14");
	expect(value == 0x60, "by R14 and R9: %lx", value);
	*tpr = 0;
}

/* Opcodes A1 and A3 hold a 64-bit address. */
static void test_moffs(void)
{
	u32 value;

	set_up();
	asm volatile("movabs %%eax, 0xfee00080" ::"a"(0x70) : "memory");
	asm volatile("movabs 0xfee00080, %%eax" : "=a"(value)::"memory");
	expect(value == 0x70, "%x", value);
}

/* Base, index, scale, displacements, RIP-relative, 67, FS. */
static void test_addressing(void)
{
	u64 base = APIC_BASE, value = 0;

	set_up();
	*icr2 = 0x42000000;
	asm volatile("mov 0x10(%1,%2,4), %k0"
		     : "=r"(value)
		     : "r"(base), "r"(0xc0UL));
	expect(value == 0x42000000, "SIB: %lx", value);
	asm volatile("mov -0x10(%1), %k0" : "=r"(value) : "r"(base + 0x320));
	expect(value == 0x42000000, "disp8: %lx", value);
	asm volatile("mov %1, %%r12\n\tmov $0x62, %%r13\n\t"
		     "mov (%%r12,%%r13,8), %k0"
		     : "=&r"(value)
		     : "r"(base)
		     : "r12", "r13");
	expect(value == 0x42000000, "R12+R13*8: %lx", value);
	asm volatile("addr32 mov (%k1), %k0"
		     : "=r"(value)
		     : "r"((base + APIC_ICR2) | 0xffffffff00000000));
	expect(value == 0x42000000, "67: %lx", value);
	wrmsr(MSR_FS_BASE, base);
	asm volatile("mov %%fs:0x310, %k0" : "=r"(value));
	wrmsr(MSR_FS_BASE, 0);
	expect(value == 0x42000000, "FS: %lx", value);
}

/* Each changes TPR as it would memory; flags come with it. */
#define MODIFY(insn, start, end)                                              \
	do {                                                                  \
		u32 plain = (start);                                          \
		u64 f1, f2, rax = 0x20;                                       \
		*tpr = (start);                                               \
		asm volatile("push $0x202\n\tandl $~0x200, "                  \
			     "(%%rsp)\n\tpopf\n\t" insn "\n\tpushf\n\tpop %1" \
			     : "+m"(*tpr), "=r"(f1), "+a"(rax)                \
			     : "r"(0x30)                                      \
			     : "cc", "memory");                               \
		rax = 0x20;                                                   \
		asm volatile("push $0x202\n\tandl $~0x200, "                  \
			     "(%%rsp)\n\tpopf\n\t" insn "\n\tpushf\n\tpop %1" \
			     : "+m"(plain), "=r"(f2), "+a"(rax)               \
			     : "r"(0x30)                                      \
			     : "cc", "memory");                               \
		expect(*tpr == (end), "%s gives %x", insn, *tpr);             \
		expect(((f1 ^ f2) & 0x8c5) == 0, "%s: flags %lx, in RAM %lx", \
		       insn, f1, f2);                                         \
	} while (0)

static void test_alu(void)
{
	set_up();
	MODIFY("addl $0x11, %0", 0x20, 0x31);
	MODIFY("addl %3, %0", 0x20, 0x50);
	MODIFY("subl %3, %0", 0x40, 0x10);
	MODIFY("orl %3, %0", 0x41, 0x71);
	MODIFY("andl $0x3c, %0", 0x55, 0x14);
	MODIFY("xorl %3, %0", 0x35, 0x05);
	MODIFY("adcl %3, %0", 0x10, 0x40);
	MODIFY("sbbl %3, %0", 0x40, 0x10);
	MODIFY("incl %0", 0x3f, 0x40);
	MODIFY("decl %0", 0x40, 0x3f);
	MODIFY("lock orl $2, %0", 0x40, 0x42);
	MODIFY("lock addl %3, %0", 0x10, 0x40);
	*tpr = 0;
}

static void test_bits(void)
{
	set_up();
	MODIFY("btsl $4, %0", 0x20, 0x30);
	MODIFY("btrl $5, %0", 0x20, 0x00);
	MODIFY("btcl $5, %0", 0x30, 0x10);
	MODIFY("btl $5, %0", 0x20, 0x20);
	MODIFY("lock btsl $6, %0", 0x10, 0x50);
	*tpr = 0;
}

static void test_compare(void)
{
	set_up();
	MODIFY("testl $0x20, %0", 0x20, 0x20);
	MODIFY("testl %3, %0", 0x40, 0x40);
	MODIFY("cmpl $0x20, %0", 0x20, 0x20);
	MODIFY("cmpl %3, %0", 0x20, 0x20);
	MODIFY("cmpl %0, %3", 0x20, 0x20);
	*tpr = 0;
}

static void test_exchange(void)
{
	u32 value = 0x30;

	set_up();
	*tpr = 0x50;
	asm volatile("xchg %0, %1" : "+r"(value), "+m"(*tpr));
	expect(value == 0x50 && *tpr == 0x30, "XCHG: %x, %x", value, *tpr);
	MODIFY("cmpxchgl %3, %0", 0x20, 0x30);
	MODIFY("lock cmpxchgl %3, %0", 0x40, 0x40);
	*tpr = 0x10;
	value = 0x20;
	asm volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*tpr));
	expect(value == 0x10 && *tpr == 0x30, "XADD: %x, %x", value, *tpr);
	*tpr = 0;
}

/* Memory to register, with arithmetic or extension. */
static void test_to_register(void)
{
	u64 value = 0x1000000000000001;

	set_up();
	*icr2 = 0x81000000;
	asm volatile("addl %1, %k0" : "+r"(value) : "m"(*icr2));
	expect(value == 0x81000001, "ADD: %lx", value);
	asm volatile("movslq %1, %0" : "=r"(value) : "m"(*icr2));
	expect(value == 0xffffffff81000000, "MOVSXD: %lx", value);
}

static void test_strings(void)
{
	volatile u32 *to = tpr;
	u32 ram[4] = {0};
	const volatile void *from = icr2;
	u64 n = 3;

	set_up();
	asm volatile("stosl" : "+D"(to) : "a"(0x40) : "memory");
	expect(*tpr == 0x40 && to == tpr + 1, "STOS: %x", *tpr);
	*icr2 = 0x12000000;
	to = ram;
	asm volatile("movsl" : "+S"(from), "+D"(to)::"memory");
	expect(ram[0] == 0x12000000 && to == ram + 1, "MOVS from: %x", ram[0]);
	ram[0] = 0x34000000;
	from = ram;
	to = icr2;
	asm volatile("movsl" : "+S"(from), "+D"(to)::"memory");
	expect(*icr2 == 0x34000000, "MOVS to: %x", *icr2);
	from = icr2;
	asm volatile("lodsl" : "=a"(ram[1]), "+S"(from)::"memory");
	expect(ram[1] == 0x34000000, "LODS: %x", ram[1]);
	to = tpr;
	asm volatile("rep stosl"
		     : "+D"(to), "+c"(n)
		     : "a"(0)
		     : "memory"); /* TPR and the reserved words behind it */
	expect(!n && to == tpr + 3, "REP STOS: %lu left", n);
}

/* Nothing answers with ones, in every size, and takes every write. */
static void test_nothing(void)
{
	volatile u8 *at = (volatile u8 *)(u64)NOTHING;
	u64 copy[4] = {0};
	const volatile void *from = at;
	void *to = copy;
	u64 n = sizeof(copy);

	expect(*at == 0xff, "byte %x", *at);
	expect(*(volatile u16 *)(at + 2) == 0xffff, "word");
	expect(*(volatile u32 *)(at + 4) == 0xffffffff, "double word");
	expect(*(volatile u64 *)(at + 8) == ~0ULL, "quad word");
	*(volatile u64 *)at = 0;
	expect(*(volatile u64 *)at == ~0ULL, "it remembers");
	at[1] = 3;
	asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n)::"memory");
	for (unsigned i = 0; i < 4; i++)
		expect(copy[i] == ~0ULL, "REP MOVSB: %lx", copy[i]);
}

/* Narrow loads; AH is another byte than SPL, which has the same number. */
static void test_narrow(void)
{
	volatile u8 *at = (volatile u8 *)(u64)NOTHING;
	u64 value = 0x1234;

	asm volatile("mov %1, %%ah" : "+a"(value) : "m"(*at));
	expect(value == 0xff34, "to AH: %lx", value);
	asm volatile("mov %1, %%sil" : "+S"(value) : "m"(*at));
	expect(value == 0xffff, "to SIL: %lx", value);
	value = 0x5555555555555555;
	asm volatile("mov %1, %w0" : "+r"(value) : "m"(*at));
	expect(value == 0x555555555555ffff, "16 bits: %lx", value);
	asm volatile("movzbl %1, %k0" : "=r"(value) : "m"(*at));
	expect(value == 0xff, "MOVZX byte: %lx", value);
	asm volatile("movsbq %1, %0" : "=r"(value) : "m"(*at));
	expect(value == ~0ULL, "MOVSX byte: %lx", value);
	asm volatile("movzwl %1, %k0" : "=r"(value) : "m"(*at));
	expect(value == 0xffff, "MOVZX word: %lx", value);
	asm volatile("movswl %1, %k0" : "=r"(value) : "m"(*at));
	expect(value == 0xffffffff, "MOVSX word: %lx", value);
	value = 0x1200;
	asm volatile("orb %1, %b0" : "+r"(value) : "m"(*at));
	expect(value == 0x12ff, "OR byte: %lx", value);
}

/* The same page by another linear address, 4 KiB mapped. */
static void test_alias(void)
{
	volatile u32 *alias = (volatile u32 *)(TEST_BASE + APIC_TPR);

	set_up();
	page_map(TEST_BASE, APIC_BASE, PTE_RWU | PTE_PCD);
	*alias = 0x20;
	expect(*tpr == 0x20, "%x", *tpr);
	*tpr = 0;
	/* The guest's own protection comes first. */
	page_map(TEST_BASE, APIC_BASE, PTE_P);
	asm volatile(TRY("movl $0x30, %0") : "=m"(*alias));
	expect(caught.vector == EXC_PF && caught.error == (PF_P | PF_W),
	       "read-only: %s", caught_text());
	expect(*tpr == 0, "written all the same: %x", *tpr);
}

static void user_mmio(void)
{
	*tpr = 0x60;
}

static void test_user(void)
{
	set_up();
	user_call(user_mmio);
	expect(*tpr == 0x60, "%x", *tpr);
	*tpr = 0;
	expect((*version & 0xff) >= 0x10, "version %x", *version);
}

static const struct test tests[] = {
	TEST("mmio.mov", test_mov),
	TEST("mmio.moffs", test_moffs),
	TEST("mmio.addressing", test_addressing),
	TEST("mmio.alu", test_alu),
	TEST("mmio.bits", test_bits),
	TEST("mmio.compare", test_compare),
	TEST("mmio.exchange", test_exchange),
	TEST("mmio.to-register", test_to_register),
	TEST("mmio.strings", test_strings),
	GODWIT_TEST("mmio.nothing", test_nothing),
	GODWIT_TEST("mmio.narrow", test_narrow),
	TEST("mmio.alias", test_alias),
	TEST("mmio.user", test_user),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
