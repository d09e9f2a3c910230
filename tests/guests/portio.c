/*
 * Ports: every form of IN and OUT, and the string forms in both directions,
 * with segments, address sizes, counts and page faults. The partner is the
 * UART, looped back to itself: what is sent there can be read again.
 */
#include "pages.h"
#include "traps.h"

#define UART_DATA (PORT_UART + 0)
#define UART_FCR  (PORT_UART + 2)
#define UART_LCR  (PORT_UART + 3)
#define UART_MCR  (PORT_UART + 4)
#define UART_LSR  (PORT_UART + 5)
#define UART_SCR  (PORT_UART + 7)
#define FIFO	  16u

static struct regs before, after;

static void expect_intact(const char *what, u32 except)
{
	const char *name = regs_difference(&before, &after, except);

	expect(!name, "%s: %s has changed", what, name);
}

#define RUN(...)                                              \
	do {                                                  \
		after = before;                               \
		run_bytes(&after, (const u8[]){__VA_ARGS__},  \
			  sizeof((const u8[]){__VA_ARGS__})); \
	} while (0)

static void pattern(u16 port)
{
	regs_pattern(&before);
	before.gpr[RDX] = 0x7777777777770000 | port;
}

/* AL and AX leave the rest of RAX alone, EAX clears its upper half. */
static void test_in(void)
{
	u64 rax;

	pattern(PORT_NONE);
	rax = before.gpr[RAX];
	RUN(0xec);
	expect(after.gpr[RAX] == (rax | 0xff), "IN AL: %lx", after.gpr[RAX]);
	expect_intact("IN AL", BIT(RAX));
	RUN(0x66, 0xed);
	expect(after.gpr[RAX] == (rax | 0xffff), "IN AX: %lx", after.gpr[RAX]);
	expect_intact("IN AX", BIT(RAX));
	RUN(0xed);
	expect(after.gpr[RAX] == 0xffffffff, "IN EAX: %lx", after.gpr[RAX]);
	expect_intact("IN EAX", BIT(RAX));
	RUN(0xe4, 0xe0);
	expect(after.gpr[RAX] == (rax | 0xff), "IN AL,e0: %lx", after.gpr[RAX]);
	RUN(0x66, 0xe5, 0xe0);
	expect(after.gpr[RAX] == (rax | 0xffff), "IN AX,e0: %lx",
	       after.gpr[RAX]);
	RUN(0xe5, 0xe0);
	expect(after.gpr[RAX] == 0xffffffff, "IN EAX,e0: %lx", after.gpr[RAX]);
	expect_intact("IN EAX,e0", BIT(RAX));
	RUN(0xe4, PORT_DEBUG);
	expect((u8)after.gpr[RAX] == PORT_DEBUG, "the debug port reads %lx",
	       after.gpr[RAX] & 0xff);
}

static void test_out(void)
{
	pattern(PORT_NONE);
	RUN(0xee);
	expect_intact("OUT DX,AL", 0);
	RUN(0x66, 0xef);
	expect_intact("OUT DX,AX", 0);
	RUN(0xef);
	expect_intact("OUT DX,EAX", 0);
	RUN(0xe6, 0xe0);
	expect_intact("OUT e0,AL", 0);
	RUN(0x66, 0xe7, 0xe0);
	expect_intact("OUT e0,AX", 0);
	RUN(0xe7, 0xe0);
	expect_intact("OUT e0,EAX", 0);
	RUN(0xe6, PORT_DELAY);
	expect_intact("OUT 80,AL", 0);
}

/* AL is what is sent, and only that. */
static void test_uart_scratch(void)
{
	for (unsigned i = 0; i < 256; i++) {
		pattern(UART_SCR);
		before.gpr[RAX] = 0xabcdef0123456700 | i;
		RUN(0xee);
		expect(inb(UART_SCR) == i, "%x written, %x read", i,
		       inb(UART_SCR));
	}
}

/* Prefixes that mean nothing here, and some that do. */
static void test_prefixes(void)
{
	pattern(UART_SCR);
	before.gpr[RAX] = 0x5a;
	RUN(0x2e, 0x48, 0xee);
	expect_intact("CS REX.W OUT", 0);
	RUN(0x65, 0x67, 0x4f, 0xee);
	expect_intact("GS 67 REX OUT", 0);
	expect(inb(UART_SCR) == 0x5a, "not written");
	before.gpr[RAX] = 0;
	RUN(0x3e, 0x67, 0x41, 0xec);
	expect(after.gpr[RAX] == 0x5a, "DS 67 REX IN: %lx", after.gpr[RAX]);
	pattern(PORT_NONE);
	RUN(0x66, 0x48, 0xed); /* REX.W: still EAX, not AX */
	expect(after.gpr[RAX] == 0xffffffff, "66 REX.W IN: %lx",
	       after.gpr[RAX]);
}

/* --- strings --- */

static u8 buffer[3 * 4096] ALIGNED(4096);

static void loop_on(void)
{
	outb(UART_LCR, 3);
	outb(UART_FCR, 7); /* FIFOs on and empty */
	outb(UART_MCR, 0x10);
}

static void loop_off(void)
{
	outb(UART_FCR, 0);
	outb(UART_MCR, 0);
}

static void string_regs(u64 rsi, u64 rdi, u64 rcx, u16 port)
{
	pattern(port);
	before.gpr[RSI] = rsi;
	before.gpr[RDI] = rdi;
	before.gpr[RCX] = rcx;
}

static u8 sample(unsigned i)
{
	return 0x31 + i * 5;
}

static void fill_samples(u8 *at)
{
	for (unsigned i = 0; i < FIFO; i++)
		at[i] = sample(i);
}

/* Sixteen bytes out and in again, across a page's end. */
static void test_string(void)
{
	u8 *from = buffer + 4096 - 5, *to = buffer + 8192 - 9;

	memset(buffer, 0, sizeof(buffer));
	fill_samples(from);
	loop_on();
	string_regs((u64)from, 1, FIFO, UART_DATA);
	RUN(0xf3, 0x6e);
	expect(!after.gpr[RCX] && after.gpr[RSI] == (u64)from + FIFO,
	       "OUTS: RCX %lx RSI %lx", after.gpr[RCX], after.gpr[RSI]);
	expect_intact("REP OUTSB", BIT(RCX) | BIT(RSI));
	string_regs(1, (u64)to, FIFO, UART_DATA);
	RUN(0xf3, 0x6c);
	expect(!after.gpr[RCX] && after.gpr[RDI] == (u64)to + FIFO,
	       "INS: RCX %lx RDI %lx", after.gpr[RCX], after.gpr[RDI]);
	expect_intact("REP INSB", BIT(RCX) | BIT(RDI));
	loop_off();
	expect(memcmp(from, to, FIFO) == 0, "bytes came back changed");
	expect(!to[-1] && !to[FIFO], "wrote beyond the buffer");
}

static void test_string_single(void)
{
	loop_on();
	buffer[0] = 0x77;
	string_regs((u64)buffer, 1, 0x55, UART_DATA);
	RUN(0x6e);
	expect(after.gpr[RSI] == (u64)buffer + 1, "OUTSB: RSI %lx",
	       after.gpr[RSI]);
	expect_intact("OUTSB", BIT(RSI));
	string_regs(1, (u64)buffer + 1, 0x55, UART_DATA);
	RUN(0x6c);
	expect(after.gpr[RDI] == (u64)buffer + 2, "INSB: RDI %lx",
	       after.gpr[RDI]);
	expect_intact("INSB", BIT(RDI));
	loop_off();
	expect(buffer[1] == 0x77, "%x came back", buffer[1]);
}

static void test_string_backward(void)
{
	u8 *from = buffer + 4096 + 3, *to = buffer + 8192 + 7;

	memset(buffer, 0, sizeof(buffer));
	for (unsigned i = 0; i < FIFO; i++)
		from[-(int)i] = sample(i);
	loop_on();
	string_regs((u64)from, 1, FIFO, UART_DATA);
	before.rflags |= FLAG_DF;
	RUN(0xf3, 0x6e);
	expect(after.gpr[RSI] == (u64)from - FIFO, "RSI %lx", after.gpr[RSI]);
	string_regs(1, (u64)to, FIFO, UART_DATA);
	before.rflags |= FLAG_DF;
	RUN(0xf3, 0x6c);
	expect(after.gpr[RDI] == (u64)to - FIFO, "RDI %lx", after.gpr[RDI]);
	loop_off();
	for (unsigned i = 0; i < FIFO; i++)
		expect(to[-(int)i] == sample(i), "byte %u is %x", i,
		       to[-(int)i]);
	expect(!to[1] && !to[-(int)FIFO], "wrote beyond the buffer");
}

static void test_string_zero(void)
{
	buffer[0] = 0x12;
	string_regs((u64)buffer, (u64)buffer, 0, PORT_NONE);
	RUN(0xf3, 0x6c);
	expect_intact("REP INSB of nothing", 0);
	RUN(0xf3, 0x6f);
	expect_intact("REP OUTSD of nothing", 0);
	expect(buffer[0] == 0x12, "it wrote something");
	/* Nothing is touched, so nothing faults. */
	string_regs(TEST_BASE, TEST_BASE, 0, PORT_NONE);
	RUN(0xf3, 0x6c);
	expect_intact("REP INSB of nothing to nowhere", 0);
}

static void test_string_sizes(void)
{
	memset(buffer, 0, sizeof(buffer));
	string_regs(1, (u64)buffer + 4096 - 3, 4, PORT_NONE);
	RUN(0xf3, 0x66, 0x6d);
	expect(after.gpr[RDI] == (u64)buffer + 4096 + 5, "INSW: RDI %lx",
	       after.gpr[RDI]);
	for (int i = -3; i < 5; i++)
		expect(buffer[4096 + i] == 0xff, "INSW: byte %d", i);
	expect(!buffer[4096 - 4] && !buffer[4096 + 5], "INSW: too much");
	string_regs(1, (u64)buffer + 8192 - 6, 4, PORT_NONE);
	RUN(0xf3, 0x6d);
	for (int i = -6; i < 10; i++)
		expect(buffer[8192 + i] == 0xff, "INSD: byte %d", i);
	expect(!buffer[8192 - 7] && !buffer[8192 + 10], "INSD: too much");
	string_regs((u64)buffer, 1, 3, PORT_NONE);
	RUN(0xf3, 0x66, 0x6f);
	expect(after.gpr[RSI] == (u64)buffer + 6, "OUTSW: RSI %lx",
	       after.gpr[RSI]);
	RUN(0xf3, 0x48, 0x6f);
	expect(after.gpr[RSI] == (u64)buffer + 12, "OUTSD: RSI %lx",
	       after.gpr[RSI]);
}

/* FS and GS have bases; with 67 only the lower halves count. */
static void test_string_segment(void)
{
	u8 *at = buffer + 100;

	fill_samples(at);
	wrmsr(MSR_FS_BASE, (u64)at - 0x1000);
	loop_on();
	string_regs(0x1000, 1, FIFO, UART_DATA);
	RUN(0x64, 0xf3, 0x6e);
	expect(after.gpr[RSI] == 0x1000 + FIFO, "RSI %lx", after.gpr[RSI]);
	wrmsr(MSR_FS_BASE, 0);
	/* The destination is ES always: GS is ignored. */
	wrmsr(MSR_GS_BASE, 0x12345);
	string_regs(1, (u64)buffer | 0x9999999900000000, FIFO | BIT(32),
		    UART_DATA);
	RUN(0x65, 0x67, 0xf3, 0x6c);
	wrmsr(MSR_GS_BASE, 0);
	loop_off();
	expect(memcmp(buffer, at, FIFO) == 0, "bytes came back changed");
	expect(after.gpr[RCX] == 0 && after.gpr[RDI] == (u64)buffer + FIFO,
	       "67: RCX %lx RDI %lx", after.gpr[RCX], after.gpr[RDI]);
}

/* --- page faults in the middle --- */

#define HOLE (TEST_BASE + 4096)

static void map_before_hole(void)
{
	page_map(TEST_BASE, (u64)buffer, PTE_RWU);
	page_unmap(HOLE);
}

/* RCX and RDI say how far it came, and it can go on from there. */
static void test_string_fault(void)
{
	u64 rdi = HOLE - 6, rcx = 10;

	map_before_hole();
	memset(buffer, 0, sizeof(buffer));
	asm volatile(TRY("rep insb")
		     : "+D"(rdi), "+c"(rcx)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(caught.vector == EXC_PF && caught.cr2 == HOLE &&
		       caught.error == PF_W,
	       "%s, CR2 %lx", caught_text(), caught.cr2);
	expect(rdi == HOLE && rcx == 4, "RDI %lx RCX %lu", rdi, rcx);
	page_map(HOLE, (u64)buffer + 4096, PTE_RWU);
	asm volatile(TRY("rep insb")
		     : "+D"(rdi), "+c"(rcx)
		     : "d"(PORT_NONE)
		     : "memory");
	expect_none("second half");
	for (int i = -6; i < 4; i++)
		expect(buffer[4096 + i] == 0xff, "byte %d", i);
	expect(!buffer[4096 - 7] && !buffer[4096 + 4], "too much");
}

static void test_string_fault_out(void)
{
	u64 rsi = HOLE - 3, rcx = 5;

	map_before_hole();
	asm volatile(TRY("rep outsb")
		     : "+S"(rsi), "+c"(rcx)
		     : "d"(PORT_NONE)
		     : "memory");
	expect(caught.vector == EXC_PF && caught.cr2 == HOLE && !caught.error,
	       "%s, CR2 %lx", caught_text(), caught.cr2);
	expect(rsi == HOLE && rcx == 2, "RSI %lx RCX %lu", rsi, rcx);
}

static void test_string_readonly(void)
{
	u64 rdi = TEST_BASE;

	page_map(TEST_BASE, (u64)buffer, PTE_P);
	asm volatile(TRY("insb") : "+D"(rdi) : "d"(PORT_NONE) : "memory");
	expect(caught.vector == EXC_PF && caught.error == (PF_P | PF_W), "%s",
	       caught_text());
	expect(rdi == TEST_BASE, "RDI moved to %lx", rdi);
}

static void test_string_noncanonical(void)
{
	asm volatile(TRY("outsb")::"S"(BIT(63)), "d"(PORT_NONE) : "memory");
	expect(caught.vector == EXC_GP && !caught.error, "OUTSB: %s",
	       caught_text());
	asm volatile(TRY("insb")::"D"(BIT(62)), "d"(PORT_NONE) : "memory");
	expect(caught.vector == EXC_GP && !caught.error, "INSB: %s",
	       caught_text());
}

/* --- user mode --- */

static int user_vector[2];

static void user_ports(void)
{
	asm volatile(TRY("inb %%dx, %%al")::"d"(UART_SCR) : "rax", "memory");
	user_vector[0] = caught.vector;
	asm volatile(TRY("inb $0x84, %%al")::: "rax", "memory");
	user_vector[1] = caught.vector;
}

static void test_user(void)
{
	user_call(user_ports);
	expect(user_vector[0] == EXC_GP && user_vector[1] == EXC_GP,
	       "IOPL 0: vectors %d and %d", user_vector[0], user_vector[1]);
	io_bitmap()[UART_SCR / 8] &= ~(1u << UART_SCR % 8);
	user_call(user_ports);
	io_bitmap()[UART_SCR / 8] = 0xff;
	expect(user_vector[0] == -1 && user_vector[1] == EXC_GP,
	       "bitmap: vectors %d and %d", user_vector[0], user_vector[1]);
	user_flags = 2 | FLAG_IOPL;
	user_call(user_ports);
	expect(user_vector[0] == -1 && user_vector[1] == -1,
	       "IOPL 3: vectors %d and %d", user_vector[0], user_vector[1]);
}

static const struct test tests[] = {
	TEST("io.in", test_in),
	TEST("io.out", test_out),
	TEST("io.uart-scratch", test_uart_scratch),
	TEST("io.prefixes", test_prefixes),
	TEST("io.string", test_string),
	TEST("io.string-single", test_string_single),
	TEST("io.string-backward", test_string_backward),
	TEST("io.string-zero", test_string_zero),
	TEST("io.string-sizes", test_string_sizes),
	TEST("io.string-segment", test_string_segment),
	TEST("io.string-fault", test_string_fault),
	TEST("io.string-fault-out", test_string_fault_out),
	TEST("io.string-readonly", test_string_readonly),
	TEST("io.string-noncanonical", test_string_noncanonical),
	TEST("io.user", test_user),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
