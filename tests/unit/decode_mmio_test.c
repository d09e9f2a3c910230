/*
 * Instructions on device memory, against the processor that runs the test: it
 * executes each instruction on a buffer, and so do we, on a copy.
 *
 *	links: kernel/vm/decode.c kernel/vm/decode_opcode.c
 *	links: kernel/vm/decode_tables.c
 *	links: kernel/vm/decode_mmio.c kernel/vm/alu.c
 *	links: tests/unit/decode_candidates.c
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/decode_candidates.h"
#include "tests/unit/test.h"
#include "vm/decode_mmio.h"

#define FLAG_DF BIT(10)
#define RUNS	200000
#define MEMORY	4096

/* --- the processor ---------------------------------------------------------
 */

/* RSP stays our own. The processor starts with these and leaves its own. */
u64 native_gpr[GPRS], native_flags;
void *native_code;
void native_run(void);

asm(".macro each action\n"
    "	\\action 1, %rcx\n	\\action 2, %rdx\n"
    "	\\action 3, %rbx\n	\\action 5, %rbp\n"
    "	\\action 6, %rsi\n	\\action 7, %rdi\n"
    "	\\action 8, %r8\n	\\action 9, %r9\n"
    "	\\action 10, %r10\n	\\action 11, %r11\n"
    "	\\action 12, %r12\n	\\action 13, %r13\n"
    "	\\action 14, %r14\n	\\action 15, %r15\n"
    "	\\action 0, %rax\n"
    ".endm\n"
    ".macro load n, reg\n"
    "	mov native_gpr + 8 * \\n(%rip), \\reg\n"
    ".endm\n"
    ".macro store n, reg\n"
    "	mov \\reg, native_gpr + 8 * \\n(%rip)\n"
    ".endm\n"
    "native_run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	pushq native_flags(%rip)\n"
    "	each load\n"
    "	popfq\n"
    "	call *native_code(%rip)\n"
    "	pushfq\n"
    "	cld\n"
    "	each store\n"
    "	popq native_flags(%rip)\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

static u8 memory[MEMORY], copy[MEMORY];

/* --- instructions ----------------------------------------------------------
 */

static const u16 opcodes[] = {
	0x00,  0x01,  0x02,  0x03,  0x08,  0x09,  0x0a,	 0x0b,	0x10,  0x11,
	0x12,  0x13,  0x18,  0x19,  0x1a,  0x1b,  0x20,	 0x21,	0x22,  0x23,
	0x28,  0x29,  0x2a,  0x2b,  0x30,  0x31,  0x32,	 0x33,	0x38,  0x39,
	0x3a,  0x3b,  0x63,  0x80,  0x81,  0x83,  0x84,	 0x85,	0x86,  0x87,
	0x88,  0x89,  0x8a,  0x8b,  0xa0,  0xa1,  0xa2,	 0xa3,	0xa4,  0xa5,
	0xaa,  0xab,  0xac,  0xad,  0xc6,  0xc7,  0xf6,	 0xf7,	0xfe,  0xff,
	0xfa3, 0xfab, 0xfb3, 0xfbb, 0xfba, 0xfb0, 0xfb1, 0xfc0, 0xfc1, 0xfb6,
	0xfb7, 0xfbe, 0xfbf, 0xfc3};

static bool is_moffs(u16 opcode)
{
	return opcode >= 0xa0 && opcode <= 0xa3;
}

static bool is_string(u16 opcode)
{
	return opcode >= 0xa4 && opcode <= 0xad;
}

/* A supported opcode on [RDI + disp8], or [R15 + disp8]. */
static void make_instruction(struct random *r, u8 *p)
{
	u16 opcode = opcodes[random_below(r, ARRAY_LEN(opcodes))];
	u64 address = (u64)memory + MEMORY / 2;
	unsigned i;

	if (random_below(r, 4) == 0)
		*p++ = 0x66;
	if (random_below(r, 5) == 0)
		*p++ = is_string(opcode) ? 0xf2 + random_below(r, 2) : 0xf0;
	if (random_below(r, 2))
		*p++ = 0x40 | random_below(r, 16);
	if (opcode > 0xff)
		*p++ = 0x0f;
	*p++ = (u8)opcode;
	if (is_moffs(opcode)) {
		memcpy(p, &address, sizeof(address));
		return;
	}
	if (!is_string(opcode))
		*p++ = 0x47 | random_below(r, 8) << 3;
	for (i = 0; i < 10; i++)
		*p++ = random_u32(r);
}

static u64 random_value(struct random *r)
{
	static const u64 edges[] = {
		0,	1,	    ~0ULL,	0x7f,	    0x80,	0x7fff,
		0x8000, 0x7fffffff, 0x80000000, 1ULL << 63, ~0ULL >> 1, 0x10};

	if (random_below(r, 3) == 0)
		return edges[random_below(r, ARRAY_LEN(edges))];
	return (u64)random_u32(r) << 32 | random_u32(r);
}

static bool bit_string(const struct mmio_op *op)
{
	return op->kind == MMIO_ALU_TO_MEM && op->alu >= ALU_BT &&
	       !op->immediate;
}

static void make_state(struct random *r, const struct mmio_op *op)
{
	unsigned i;

	for (i = 0; i < GPRS; i++)
		native_gpr[i] = random_value(r);
	if (op->kind >= MMIO_STOS)
		native_gpr[RCX] = random_below(r, 6);
	if (op->kind == MMIO_CMPXCHG && random_below(r, 2))
		native_gpr[RAX] = 0; /* as memory is, often */
	if (bit_string(op))
		native_gpr[op->reg] = (i64)random_below(r, 8192) - 4096;
	native_gpr[RDI] = (u64)memory + MEMORY / 2;
	native_gpr[RSI] = (u64)memory + MEMORY / 4;
	native_gpr[R15] = native_gpr[RDI];
	native_flags = 0x202 | (random_u32(r) & (FLAGS_ARITHMETIC | FLAG_DF));
	for (i = 0; i < MEMORY; i += 8)
		*(u64 *)(memory + i) = random_below(r, 2) ? random_value(r) : 0;
	memcpy(copy, memory, MEMORY);
}

/* --- our own execution, as the hypervisor's would be -----------------------
 */

static u8 *device(u64 address, unsigned size)
{
	CHECK(address >= (u64)memory && address + size <= (u64)memory + MEMORY);
	return copy + (address - (u64)memory);
}

static void access_once(const struct mmio_op *op, const struct insn *insn,
			u64 *gpr, u64 *flags)
{
	u8 segment;
	u8 *place = device(mmio_offset(op, insn, gpr, 0, &segment), op->size);
	u8 *from = op->kind == MMIO_MOVS
			   ? device(mmio_movs_source(insn, gpr), op->size)
			   : place;
	u64 value = random_u32(&(struct random){(u64)gpr});

	if (op->read)
		memcpy(&value, from, op->size);
	mmio_execute(op, gpr, flags, &value);
	if (op->write)
		memcpy(place, &value, op->size);
}

static void execute(const struct mmio_op *op, const struct insn *insn, u64 *gpr,
		    u64 *flags)
{
	if (mmio_string_done(op, insn, gpr))
		return;
	do
		access_once(op, insn, gpr, flags);
	while (op->kind >= MMIO_STOS &&
	       mmio_string_step(op, insn, gpr, *flags));
}

/* Flags that the manuals leave undefined are not compared. */
static u64 defined_flags(const struct mmio_op *op)
{
	u64 flags = FLAGS_ARITHMETIC | FLAG_DF;

	if (op->kind != MMIO_ALU_TO_MEM && op->kind != MMIO_ALU_TO_REG)
		return flags;
	if (op->alu >= ALU_BT)
		return FLAG_CF | FLAG_ZF | FLAG_DF;
	if (op->alu == ALU_AND || op->alu == ALU_OR || op->alu == ALU_XOR ||
	    op->alu == ALU_TEST)
		return flags & ~FLAG_AF;
	return flags;
}

static void compare(const struct mmio_op *op, const struct insn *insn,
		    const u64 *gpr, u64 flags)
{
	unsigned i;

	for (i = 0; i < GPRS; i++)
		if (i != RSP && gpr[i] != native_gpr[i])
			test_fail(__FILE__, __LINE__,
				  "map %u opcode %02x /%u size %u: register %u "
				  "is %lx, should be %lx",
				  insn->map, insn->opcode, insn->reg, op->size,
				  i, gpr[i], native_gpr[i]);
	if ((flags ^ native_flags) & defined_flags(op))
		test_fail(__FILE__, __LINE__,
			  "map %u opcode %02x /%u size %u: flags are %lx, "
			  "should be %lx",
			  insn->map, insn->opcode, insn->reg, op->size, flags,
			  native_flags);
	CHECK_MEM(copy, memory, MEMORY);
}

/* RSP is ours; a bit's number that is an address would reach too far. */
static bool fits_test(const struct mmio_op *op)
{
	if (bit_string(op) &&
	    (op->reg == RDI || op->reg == RSI || op->reg == R15))
		return false;
	return op->reg != RSP || op->high_byte || op->immediate;
}

/*
 * A locked access over two cache lines holds up the whole machine, and kernels
 * slow down whoever does it. Its result is no other.
 */
static bool splits_lock(const struct mmio_op *op, const struct insn *insn,
			const u8 *code)
{
	u8 segment;

	if (code[code[0] == 0x66] != 0xf0 && op->kind != MMIO_XCHG)
		return false;
	return mmio_offset(op, insn, native_gpr, 0, &segment) % 64 + op->size >
	       64;
}

static bool run_one(struct random *r, u8 *code, bool *kinds, bool *alus)
{
	struct insn insn;
	struct mmio_op op;
	u64 gpr[GPRS], flags;

	make_instruction(r, code);
	if (decode(code, INSN_MAX, DECODE_64, &insn) || decode_mmio(&insn, &op))
		return false;
	if (!fits_test(&op))
		return false;
	make_state(r, &op);
	if (splits_lock(&op, &insn, code))
		return false;
	memcpy(gpr, native_gpr, sizeof(gpr));
	flags = native_flags;
	code[insn.length] = 0xc3; /* RET */
	native_code = code;
	native_run();
	execute(&op, &insn, gpr, &flags);
	compare(&op, &insn, gpr, flags);
	kinds[op.kind] = true;
	if (op.kind == MMIO_ALU_TO_MEM)
		alus[op.alu] = true;
	return true;
}

TEST(mmio_instructions_agree_with_the_processor)
{
	u8 *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct random r = {0x5eed};
	bool kinds[MMIO_MOVS + 1] = {0}, alus[ALU_OPS] = {0};
	unsigned i, ran = 0;

	CHECK(code != MAP_FAILED);
	for (i = 0; i < RUNS; i++)
		ran += run_one(&r, code, kinds, alus);
	CHECK(ran > RUNS / 2);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		CHECK(kinds[i]);
	for (i = 0; i < ALU_OPS; i++)
		CHECK(alus[i]);
}

/* --- what the processor of this test cannot show ---------------------------
 */

static err_t classify(enum decode_mode mode, const char *bytes, size_t size,
		      struct mmio_op *op)
{
	struct insn insn;

	CHECK_EQ(decode((const u8 *)bytes, size, mode, &insn), E_OK);
	CHECK_EQ(insn.length, size);
	return decode_mmio(&insn, op);
}
#define CLASSIFY(mode, bytes, op) classify(mode, bytes, sizeof(bytes) - 1, op)

TEST(mmio_sizes_by_mode)
{
	struct mmio_op op;

	CHECK_EQ(CLASSIFY(DECODE_16, "\x89\x07", &op), E_OK);
	CHECK_EQ(op.size, 2);
	CHECK_EQ(CLASSIFY(DECODE_16, "\x66\x89\x07", &op), E_OK);
	CHECK_EQ(op.size, 4);
	CHECK_EQ(CLASSIFY(DECODE_32, "\xa1\x20\x00\xe0\xfe", &op), E_OK);
	CHECK_EQ(op.size, 4);
	CHECK(op.kind == MMIO_LOAD && op.reg == RAX && op.read && !op.write);
	CHECK_EQ(CLASSIFY(DECODE_32, "\x82\x0f\x80", &op), E_OK);
	CHECK(op.alu == ALU_OR && op.imm == 0x80 && op.size == 1);
	CHECK_EQ(CLASSIFY(DECODE_16, "\x0f\xc3\x07", &op), E_OK);
	CHECK_EQ(op.size, 4); /* MOVNTI knows no 16-bit operand */
	CHECK_EQ(CLASSIFY(DECODE_32, "\xf3\x67\xa5", &op), E_OK);
	CHECK(op.kind == MMIO_MOVS && op.rep && op.size == 4);
}

TEST(mmio_refuses_the_rest)
{
	struct mmio_op op;

	CHECK_EQ(CLASSIFY(DECODE_64, "\x89\xc0", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\x0f\xa2", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\xff\x30", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\xf7\x20", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\x8f\x00", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\xd8\x00", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\x0f\x10\x00", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\xc5\xf8\x10\x00", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_32, "\x63\x00", &op), E_UNSUPPORTED);
	CHECK_EQ(CLASSIFY(DECODE_64, "\xae", &op), E_UNSUPPORTED);
}

/* 16-bit strings wrap in their 64 KiB; 32-bit ones clear the upper halves. */
TEST(mmio_string_registers)
{
	u64 gpr[GPRS] = {[RCX] = 0x10001, [RDI] = 0x1ffff, [RSI] = 0x15555};
	struct insn insn;
	struct mmio_op op;
	u8 segment;

	CHECK_EQ(decode((const u8 *)"\xf3\xaa", 2, DECODE_16, &insn), E_OK);
	CHECK_EQ(decode_mmio(&insn, &op), E_OK);
	CHECK_EQ(mmio_offset(&op, &insn, gpr, 0, &segment), 0xffff);
	CHECK_EQ(segment, ES);
	CHECK(!mmio_string_step(&op, &insn, gpr, 0));
	CHECK_EQ(gpr[RDI], 0x10000);
	CHECK_EQ(gpr[RCX], 0x10000);
	CHECK_EQ(gpr[RSI], 0x15555);
	CHECK(mmio_string_done(&op, &insn, gpr));

	gpr[RSI] = 0xffffffff00000002;
	CHECK_EQ(decode((const u8 *)"\x65\x67\xad", 3, DECODE_64, &insn), E_OK);
	CHECK_EQ(decode_mmio(&insn, &op), E_OK);
	CHECK_EQ(mmio_offset(&op, &insn, gpr, 0, &segment), 2);
	CHECK_EQ(segment, GS);
	CHECK(!mmio_string_step(&op, &insn, gpr, FLAG_DF));
	CHECK_EQ(gpr[RSI], 0xfffffffe);
}

TEST(mmio_any_instruction_is_safe)
{
	struct random r = {0xabcd};
	u64 gpr[GPRS] = {0}, flags = 2, value = 0;
	u8 bytes[CANDIDATE], segment;
	struct insn insn;
	struct mmio_op op;
	unsigned i;

	for (i = 0; i < RUNS; i++) {
		make_candidate(&r, i % 3, bytes);
		if (decode(bytes, CANDIDATE, i % 3, &insn) ||
		    decode_mmio(&insn, &op))
			continue;
		CHECK(op.size == 1 || op.size == 2 || op.size == 4 ||
		      op.size == 8);
		CHECK(op.reg_size >= op.size && op.reg_size <= 8);
		CHECK(op.read || op.write);
		mmio_offset(&op, &insn, gpr, 0, &segment);
		CHECK(segment <= GS);
		mmio_execute(&op, gpr, &flags, &value);
		CHECK_EQ(value, cut(value, op.size));
		mmio_string_step(&op, &insn, gpr, flags);
	}
}
