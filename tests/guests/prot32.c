/*
 * 32-bit protected mode: segments and their limits, gates, user mode, paging
 * with two levels and with PAE's four pointers, and virtual-8086 mode. No
 * 64-bit mode anywhere; the exits come from 32-bit code.
 */
#include "guest.h"
#include "multiboot.h"
#include "traps.h"

extern u64 gdt_spare[2];

static bool expect_error(int vector, u32 error, const char *what)
{
	expect(caught.vector == vector && caught.error == error, "%s: %s", what,
	       caught_text());
	return caught.vector == vector;
}

/* --- exits --- */

static void test_exits(void)
{
	static const struct {
		u8 bytes[5], n;
	} insns[] = {{{0x0f, 0xa2}, 2},
		     {{0x0f, 0x31}, 2},
		     {{0xee}, 1},
		     {{0x66, 0xef}, 2},
		     {{0xec}, 1},
		     {{0xe6, 0x80}, 2},
		     {{0x0f, 0x20, 0xc0}, 3},
		     {{0x0f, 0x20, 0xd9}, 3},
		     {{0x0f, 0x09}, 2},
		     {{0xf3, 0x90}, 2},
		     {{0x0f, 0x06}, 2},
		     {{0x2e, 0x67, 0x0f, 0xa2}, 4}};
	struct regs before, after;

	for (unsigned i = 0; i < ARRAY_LEN(insns); i++) {
		const char *name;

		regs_pattern(&before);
		before.gpr[RAX] = before.gpr[RCX] = 0;
		before.gpr[RDX] = PORT_NONE;
		after = before;
		run_bytes(&after, insns[i].bytes, insns[i].n);
		name = regs_difference(&before, &after, 0xf);
		expect(!name, "instruction %u: %s has changed", i, name);
	}
}

static void test_string_io(void)
{
	u8 buffer[8] = {0};
	void *to = buffer + 1;
	u32 n = 6;

	asm volatile("rep insb"
		     : "+D"(to), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(!n && to == buffer + 7, "ECX %u", n);
	expect(!buffer[0] && buffer[1] == 0xff && buffer[6] == 0xff &&
		       !buffer[7],
	       "bytes %x %x %x %x", buffer[0], buffer[1], buffer[6], buffer[7]);
}

static void test_hypercall(void)
{
	i32 answer = 99;

	asm volatile("vmcall" : "+a"(answer)::"memory");
	expect(answer == -1000, "VMCALL answers %d", answer);
	answer = 99;
	asm volatile("vmmcall" : "+a"(answer)::"memory");
	expect(answer == -1000, "VMMCALL answers %d", answer);
}

/* --- exceptions and gates --- */

static void test_exceptions(void)
{
	static const int bounds[2] = {1, 5};

	asm volatile(TRY("ud2")::: "memory");
	expect_trap(EXC_UD, "UD2");
	asm volatile(TRY("divl %0")::"r"(0), "a"(1), "d"(0) : "memory");
	expect_trap(EXC_DE, "DIV");
	asm volatile(TRY("bound %0, %1")::"r"(7), "m"(bounds) : "memory");
	expect_trap(EXC_BR, "BOUND");
	asm volatile(TRY("mov %0, %%fs")::"r"(0x100) : "memory");
	expect_error(EXC_GP, 0x100, "selector beyond the GDT");
}

static volatile unsigned trap_count;

static bool count_trap(struct trap_frame *frame)
{
	trap_count++;
	return true;
}

static void test_soft(void)
{
	trap_hooks[EXC_BP] = trap_hooks[EXC_OF] = count_trap;
	trap_hooks[0x40] = count_trap;
	trap_count = 0;
	asm volatile("int3\n\tint $0x40\n\tmov $0x7f, %%al\n\tadd $1, %%al\n\t"
		     "into" ::
			     : "eax", "memory");
	expect(trap_count == 3, "%u of 3", trap_count);
}

/* A data segment of `limit` bytes, or downward from it. */
static void spare_segment(u32 base, u32 limit, u8 type)
{
	gdt_spare[0] = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 |
		       (u64)type << 40 | (u64)(limit >> 16 & 15) << 48 |
		       (u64)4 << 52 | (u64)(base >> 24) << 56;
}

static void test_limits(void)
{
	static u8 bytes[64];

	spare_segment((u32)bytes, 15, 0x93);
	asm volatile("mov %0, %%fs" ::"r"(SPARE_SEL));
	asm volatile(TRY("movb $1, %%fs:15")::: "memory");
	expect_none("last byte");
	asm volatile(TRY("movb $1, %%fs:16")::: "memory");
	expect_error(EXC_GP, 0, "beyond the limit");
	asm volatile(TRY("movl $1, %%fs:13")::: "memory");
	expect_error(EXC_GP, 0, "over the limit");
	expect(bytes[15] == 1, "the base is wrong");
	spare_segment((u32)bytes, 15, 0x97); /* expands down */
	asm volatile("mov %0, %%fs" ::"r"(SPARE_SEL));
	asm volatile(TRY("movb $2, %%fs:16")::: "memory");
	expect_none("expand-down, above");
	asm volatile(TRY("movb $2, %%fs:15")::: "memory");
	expect_error(EXC_GP, 0, "expand-down, below");
	spare_segment((u32)bytes, 15, 0x91); /* read-only */
	asm volatile("mov %0, %%fs" ::"r"(SPARE_SEL));
	asm volatile(TRY("movb $2, %%fs:3")::: "memory");
	expect_error(EXC_GP, 0, "read-only");
	spare_segment((u32)bytes, 15, 0x13); /* not present */
	asm volatile(TRY("mov %0, %%fs")::"r"(SPARE_SEL) : "memory");
	expect_error(EXC_NP, SPARE_SEL, "not present");
	asm volatile(TRY("mov %0, %%ss")::"r"(SPARE_SEL) : "memory");
	expect_error(EXC_SS, SPARE_SEL, "not present, SS");
	asm volatile("mov %0, %%fs" ::"r"(0));
}

/* The hypervisor must add the segment's base, and mind its limit. */
static void test_segment_io(void)
{
	static u8 bytes[16] = {1, 2, 3, 4};
	u32 esi = 0, n = 3;

	spare_segment((u32)bytes, 3, 0x93);
	asm volatile("mov %0, %%fs" ::"r"(SPARE_SEL));
	asm volatile(TRY("rep outsb %%fs:(%%esi), %%dx")
		     : "+S"(esi), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(caught.vector < 0 && esi == 3, "%s, ESI %x", caught_text(), esi);
	esi = 3;
	n = 3;
	asm volatile(TRY("rep outsb %%fs:(%%esi), %%dx")
		     : "+S"(esi), "+c"(n)
		     : "d"(PORT_NONE)
		     : "memory");
	expect_error(EXC_GP, 0, "over the limit");
	expect(esi == 4 && n == 2, "ESI %x ECX %u", esi, n);
	asm volatile("mov %0, %%fs" ::"r"(0));
}

static volatile u32 gate_cs;

/* A far call through a call gate and back. */
static void test_call_gate(void)
{
	static const struct {
		u32 offset;
		u16 selector;
	} far = {0, SPARE_SEL};
	u32 target;

	asm volatile("jmp 2f\n1:\tmov %%cs, %%eax\n\tmov %%eax, %1\n\tlret\n"
		     "2:\tmovl $1b, %0"
		     : "=r"(target), "=m"(gate_cs)::"eax", "memory");
	gdt_spare[0] = (target & 0xffff) | KERNEL_CS << 16 |
		       0x0000ec0000000000ULL | (u64)(target >> 16) << 48;
	gate_cs = 0;
	asm volatile("lcall *%0" ::"m"(far) : "eax", "memory");
	expect(gate_cs == KERNEL_CS, "CS %x in the gate", gate_cs);
}

static void user_try(void)
{
	asm volatile(TRY("cli")::: "memory");
}

static void test_user(void)
{
	user_call(user_try);
	expect_error(EXC_GP, 0, "CLI in user mode");
}

/* --- paging --- */

static u32 directory[1024] ALIGNED(4096);
static u32 table[1024] ALIGNED(4096);
static u64 pointers[4] ALIGNED(32);
static u64 pae_directory[4][512] ALIGNED(4096);
static u64 pae_table[512] ALIGNED(4096);
static u8 pages[2][4096] ALIGNED(4096);
#define SPOT 0x40000000u

static volatile u32 *spot(void)
{
	u32 at = SPOT;

	asm volatile("" : "+r"(at)::"memory");
	return (volatile u32 *)at;
}

static void test_paging(void)
{
	for (u32 i = 0; i < 1024; i++)
		directory[i] = i << 22 | 0x83; /* 4 MiB */
	directory[SPOT >> 22] = (u32)table | 3;
	table[0] = (u32)pages[0] | 3;
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((u32)directory);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	*spot() = 0x1234;
	cpuid(0, 0);
	expect(*(volatile u32 *)pages[0] == 0x1234, "written elsewhere");
	expect((table[0] & 0x60) == 0x60, "entry %x", table[0]);
	table[0] = (u32)pages[1] | 1;
	invlpg(spot());
	expect(*spot() == 0, "stale translation");
	asm volatile(TRY("movl $1, 0x40000000")::: "memory");
	expect_error(EXC_PF, 3, "write to read-only");
	asm volatile(TRY("movl 0x40001000, %%eax")::: "eax", "memory");
	expect_error(EXC_PF, 0, "read of nothing");
	write_cr0(read_cr0() & ~CR0_PG);
	cpuid(0, 0);
	*(volatile u32 *)pages[0] = 5;
	write_cr0(read_cr0() | CR0_PG);
	expect(*(volatile u32 *)pages[0] == 5, "off and on");
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(read_cr4() & ~CR4_PSE);
}

/*
 * The four pointers are read at MOV CR3 (SDM 4.4.1). They may be read later
 * too: under nested paging AMD's processors do at every walk (APM 15.25.10).
 */
static void test_pae(void)
{
	for (u32 i = 0; i < 4; i++) {
		for (u32 j = 0; j < 512; j++)
			pae_directory[i][j] = (u64)(i << 30 | j << 21) | 0x83;
		pointers[i] = (u32)pae_directory[i] | 1;
	}
	pae_directory[1][0] = (u32)pae_table | 3;
	pae_table[0] = (u32)pages[0] | 3;
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((u32)pointers);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	*spot() = 0x5678;
	cpuid(0, 0);
	expect(*(volatile u32 *)pages[0] == 0x5678, "written elsewhere");
	pointers[1] = 0;
	cpuid(0, 0);
	write_cr3((u32)pointers);
	asm volatile(TRY("movl 0x40000000, %%eax")::: "eax", "memory");
	expect_error(EXC_PF, 0, "after the reload");
	pointers[1] = (u32)pae_directory[1] | 1;
	write_cr3((u32)pointers);
	expect(*spot() == 0x5678, "restored");
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(read_cr4() & ~CR4_PAE);
}

static void test_pae_pointers(void)
{
	write_cr4(read_cr4() | CR4_PAE);
	pointers[2] |= 0x6; /* reserved bits */
	asm volatile(TRY("mov %0, %%cr3")::"r"(pointers) : "memory");
	expect_none("MOV CR3 without paging");
	asm volatile(TRY("mov %0, %%cr0")::"r"((word)(read_cr0() | CR0_PG))
		     : "memory");
	expect_error(EXC_GP, 0, "reserved bits in a pointer");
	if (read_cr0() & CR0_PG)
		write_cr0(read_cr0() & ~CR0_PG);
	pointers[2] &= ~6ULL;
	write_cr4(read_cr4() & ~CR4_PAE);
}

/* --- virtual-8086 mode --- */

#define VM86_PAGE 0x8000u

static volatile u32 vm86_ax, vm86_flags;
static u32 vm86_sp;
extern const u8 vm86_back[];

/* INT 0x21 from VM86 with IOPL 0 is a #GP at the INT. */
static bool leave_vm86(struct trap_frame *frame)
{
	if (!(frame->rflags & FLAG_VM))
		return false;
	vm86_ax = frame->gpr[RAX];
	vm86_flags = frame->rflags;
	frame->rip = (word)vm86_back;
	frame->cs = KERNEL_CS;
	frame->rflags = 2;
	return true;
}

/* mov ax, cs; add ax, [0x20]; cpuid-free; out dx... all 16-bit */
static void test_vm86(void)
{
	static const u8 code[] = {0x8c, 0xc8, /* mov %cs, %ax */
				  0x2e, 0x03, 0x06, 0x20, 0x00, /* add cs:20 */
				  0xcd, 0x21};			/* int $0x21 */

	memcpy((void *)VM86_PAGE, code, sizeof(code));
	*(volatile u16 *)(VM86_PAGE + 0x20) = 0x1111;
	trap_hooks[EXC_GP] = leave_vm86;
	vm86_ax = 0;
	asm volatile("pusha\n\tmov %%esp, %0\n\t"
		     "push $0\n\tpush $0\n\tpush $0x800\n\tpush $0x800\n\t"
		     "push $0x800\n\tpush $0xff0\n\tpush $0x20002\n\t"
		     "push $0x800\n\tpush $0\n\tiretl\n"
		     "vm86_back:\n\tmov $0x10, %%eax\n\tmov %%eax, %%ds\n\t"
		     "mov %%eax, %%es\n\tmov %%eax, %%ss\n\tmov %0, %%esp\n\t"
		     "popa"
		     : "=m"(vm86_sp)::"memory");
	expect((u16)vm86_ax == 0x800 + 0x1111, "AX %x", vm86_ax);
	expect(vm86_flags & FLAG_VM, "flags %x", vm86_flags);
}

static const struct test tests[] = {
	TEST("prot32.exits", test_exits),
	TEST("prot32.string-io", test_string_io),
	GODWIT_TEST("prot32.hypercall", test_hypercall),
	TEST("prot32.exceptions", test_exceptions),
	TEST("prot32.soft", test_soft),
	TEST("prot32.limits", test_limits),
	GODWIT_TEST("prot32.segment-io", test_segment_io),
	TEST("prot32.call-gate", test_call_gate),
	TEST("prot32.user", test_user),
	TEST("prot32.paging", test_paging),
	TEST("prot32.pae", test_pae),
	TEST("prot32.pae-pointers", test_pae_pointers),
	TEST("prot32.vm86", test_vm86),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
