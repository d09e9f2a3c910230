/*
 * The decoder's promises: lengths of what gets intercepted, operands, short
 * input, any input. decode_objdump_test.c compares the whole of it.
 *
 *	links: kernel/vm/decode.c kernel/vm/decode_opcode.c
 *	links: kernel/vm/decode_tables.c
 *	links: tests/unit/decode_candidates.c
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/decode_candidates.h"
#include "tests/unit/test.h"

#define TRIES 300000

static err_t decode_bytes(enum decode_mode mode, const char *bytes, size_t size,
			  struct insn *insn)
{
	return decode((const u8 *)bytes, size, mode, insn);
}
#define DECODE(mode, bytes, insn) \
	decode_bytes(mode, bytes, sizeof(bytes) - 1, insn)

static struct insn decoded(enum decode_mode mode, const char *bytes,
			   size_t size)
{
	struct insn insn;

	CHECK_EQ(decode_bytes(mode, bytes, size, &insn), E_OK);
	CHECK_EQ(insn.length, size);
	return insn;
}
#define DECODED(mode, bytes) decoded(mode, bytes, sizeof(bytes) - 1)

/* All that SVM intercepts, and VMCALL, in every mode; some with prefixes. */
TEST(lengths_of_intercepted_instructions)
{
	unsigned mode;

	for (mode = DECODE_16; mode <= DECODE_64; mode++) {
		DECODED(mode, "\x0f\xa2");     /* CPUID */
		DECODED(mode, "\xf3\x0f\xa2"); /* CPUID */
		DECODED(mode, "\xf4");	       /* HLT */
		DECODED(mode, "\x0f\x30");     /* WRMSR */
		DECODED(mode, "\x0f\x32");     /* RDMSR */
		DECODED(mode, "\x0f\x31");     /* RDTSC */
		DECODED(mode, "\x0f\x33");     /* RDPMC */
		DECODED(mode, "\x0f\x08");     /* INVD */
		DECODED(mode, "\x0f\x09");     /* WBINVD */
		DECODED(mode, "\x0f\x06");     /* CLTS */
		DECODED(mode, "\xf3\x90");     /* PAUSE */
		DECODED(mode, "\x0f\xaa");     /* RSM */
		DECODED(mode, "\xe4\x60");     /* IN */
		DECODED(mode, "\x66\xed");     /* IN */
		DECODED(mode, "\xf3\x6e");     /* REP OUTSB */
		DECODED(mode, "\xf3\x67\x6d"); /* REP INS */
		DECODED(mode, "\x0f\x01\xc1"); /* VMCALL */
		DECODED(mode, "\x0f\x01\xc8"); /* MONITOR */
		DECODED(mode, "\x0f\x01\xc9"); /* MWAIT */
		DECODED(mode, "\x0f\x01\xd1"); /* XSETBV */
		DECODED(mode, "\x0f\x01\xd8"); /* VMRUN */
		DECODED(mode, "\x0f\x01\xd9"); /* VMMCALL */
		DECODED(mode, "\x0f\x01\xdd"); /* CLGI */
		DECODED(mode, "\x0f\x01\xdf"); /* INVLPGA */
		DECODED(mode, "\x0f\x01\xf9"); /* RDTSCP */
		DECODED(mode, "\x0f\x01\xf0"); /* LMSW AX */
		DECODED(mode, "\x0f\x01\x38"); /* INVLPG */
		DECODED(mode, "\x0f\x22\xc0"); /* MOV CR0, EAX */
		DECODED(mode, "\x0f\x23\x38"); /* MOV DR7, EAX: mod ignored */
		DECODED(mode, "\xcd\x80");     /* INT */
		DECODED(mode, "\x9d");	       /* POPF */
		DECODED(mode, "\xcf");	       /* IRET */
	}
}

TEST(ports_and_control_registers)
{
	struct insn insn = DECODED(DECODE_32, "\xe6\xf4");

	CHECK_EQ((u8)insn.imm, 0xf4);
	CHECK_EQ(insn.op_size, 1);
	CHECK_EQ(DECODED(DECODE_16, "\xe7\x80").op_size, 2);
	CHECK_EQ(DECODED(DECODE_64, "\x66\xef").op_size, 2);
	CHECK_EQ(DECODED(DECODE_64, "\xef").op_size, 4);
	insn = DECODED(DECODE_64, "\x64\xf3\x67\x6f");
	CHECK_EQ(insn.prefixes, PREFIX_SEGMENT | PREFIX_REP | PREFIX_ADDRSIZE);
	CHECK_EQ(insn.segment, FS);
	CHECK_EQ(insn.addr_size, 4);

	insn = DECODED(DECODE_64, "\x45\x0f\x22\xc7");
	CHECK(insn.reg == 8 && insn.rm == R15 && insn.op_size == 8);
	insn = DECODED(DECODE_32, "\xf0\x0f\x20\xc3");
	CHECK(insn.reg == 8 && insn.rm == RBX && insn.op_size == 4);
	CHECK_EQ(DECODE(DECODE_64, "\x0f\x22\xc8", &insn), E_FORMAT);
	CHECK_EQ(DECODE(DECODE_64, "\x44\x0f\x23\xc0", &insn), E_FORMAT);
}

TEST(immediates)
{
	struct insn insn = DECODED(DECODE_64, "\x48\xb8\1\2\3\4\5\6\7\x88");

	CHECK_EQ(insn.imm, 0x8807060504030201);
	insn = DECODED(DECODE_64, "\x48\xc7\xc0\xfe\xff\xff\xff");
	CHECK(insn.imm == -2 && insn.imm_size == 4);
	insn = DECODED(DECODE_16, "\xea\x34\x12\x78\x56");
	CHECK(insn.imm == 0x1234 && insn.imm2 == 0x5678);
	insn = DECODED(DECODE_32, "\xea\1\2\3\4\x34\xf2");
	CHECK(insn.imm == 0x04030201 && insn.imm2 == 0xf234);
	insn = DECODED(DECODE_64, "\xc8\x10\x80\x03");
	CHECK((u16)insn.imm == 0x8010 && insn.imm2 == 3);
	insn = DECODED(DECODE_64, "\xe8\xfb\xff\xff\xff");
	CHECK(insn.imm == -5 && insn.op_size == 8);
	DECODED(DECODE_64, "\x66\xe8\1\2\3\4"); /* as Intel reads it */
	DECODED(DECODE_32, "\x66\xe8\1\2");
	DECODED(DECODE_64, "\xf6\x00\x01"); /* TEST */
	DECODED(DECODE_64, "\xf6\x10");	    /* NOT */
	insn = DECODED(DECODE_64, "\xa1\1\2\3\4\5\6\7\x88");
	CHECK(insn.memory && (u64)insn.disp == 0x8807060504030201);
	CHECK_EQ(DECODED(DECODE_64, "\x67\xa1\1\2\3\x84").addr_size, 4);
}

/* Opcodes beyond what is read, and only them. */
TEST(vector_prefixes_or_old_instructions)
{
	struct insn insn;

	CHECK_EQ(DECODED(DECODE_32, "\xc5\x00").map, MAP_ONE_BYTE); /* LDS */
	CHECK_EQ(DECODED(DECODE_32, "\xc5\xf8\x77").map, MAP_VEX_0F);
	CHECK_EQ(DECODED(DECODE_32, "\x62\x00").map, MAP_ONE_BYTE); /* BOUND */
	CHECK_EQ(DECODED(DECODE_64, "\x8f\xc0").map, MAP_ONE_BYTE); /* POP */
	insn = DECODED(DECODE_64, "\x62\x61\x7c\x48\x10\x40\x01");
	CHECK(insn.map == MAP_EVEX_0F && insn.reg == 8 && insn.disp == 1);
	insn = DECODED(DECODE_64, "\x8f\xe8\x78\xc0\xc0\x05");
	CHECK(insn.map == MAP_XOP_8 && insn.imm == 5);
	insn = DECODED(DECODE_64, "\x0f\x0f\x40\x10\xb4");
	CHECK(insn.map == MAP_3DNOW && insn.opcode == 0xb4 &&
	      insn.disp == 0x10);
	CHECK_EQ(DECODE(DECODE_64, "\x66\xc5\xf8\x77", &insn), E_FORMAT);
	CHECK_EQ(DECODE(DECODE_64, "\xc4\xe0\x78\x77\0", &insn), E_FORMAT);
}

TEST(lock_only_where_it_may_be)
{
	struct insn insn;

	DECODED(DECODE_64, "\xf0\x0f\xc7\x08");
	DECODED(DECODE_64, "\xf0\x01\x00");
	CHECK_EQ(DECODE(DECODE_64, "\xf0\x01\xc0", &insn), E_FORMAT);
	CHECK_EQ(DECODE(DECODE_64, "\xf0\x03\x00", &insn), E_FORMAT);
	CHECK_EQ(DECODE(DECODE_64, "\xf0\x80\x38\0", &insn), E_FORMAT);
	CHECK_EQ(DECODE(DECODE_64, "\xf0\xf4", &insn), E_FORMAT);
}

TEST(effective_addresses)
{
	u64 gpr[GPRS];
	struct segment segments[SEGMENTS] = {
		[SS] = {.base = 0x30000},
		[DS] = {.base = 0xffff0000},
		[GS] = {.base = 0xffff888000000000}};
	struct insn insn;
	unsigned i;

	for (i = 0; i < GPRS; i++)
		gpr[i] = 0x1111111111110000 + i * 0x1001;
	/* [BP + SI - 1], SS, in 64 KiB */
	insn = DECODED(DECODE_16, "\x8b\x42\xff");
	CHECK_EQ(insn_offset(&insn, gpr, 0), (u16)(gpr[RBP] + gpr[RSI] - 1));
	CHECK_EQ(insn.segment, SS);
	CHECK_EQ(insn_linear(&insn, SS, 0xb00a, segments), 0x3b00a);
	insn = DECODED(DECODE_16, "\x8b\x1e\x34\xf2"); /* [0xf234] */
	CHECK(insn_offset(&insn, gpr, 0) == 0xf234 && insn.segment == DS);
	/* [ebx + ecx * 4 + 0x80000000], wrapping */
	insn = DECODED(DECODE_32, "\x8b\x84\x8b\0\0\0\x80");
	CHECK_EQ(insn_offset(&insn, gpr, 0),
		 (u32)(gpr[RBX] + 4 * gpr[RCX] + 0x80000000));
	CHECK_EQ(insn_linear(&insn, DS, 0x20000, segments), 0x10000);
	/* [r13 + r12 * 8 + 0], and RSP as base without index */
	insn = DECODED(DECODE_64, "\x4b\x8b\x44\xe5\x00");
	CHECK_EQ(insn_offset(&insn, gpr, 0), gpr[R13] + 8 * gpr[R12]);
	insn = DECODED(DECODE_64, "\x48\x8b\x04\x24");
	CHECK(insn_offset(&insn, gpr, 0) == gpr[RSP] && insn.segment == SS);
	/* relative to the next instruction, behind the immediate */
	insn = DECODED(DECODE_64, "\xc7\x05\xf0\xff\xff\xff\1\2\3\4");
	CHECK_EQ(insn_offset(&insn, gpr, 0x100a), 0xffa);
	insn = DECODED(DECODE_64, "\x67\x8b\x05\xf0\xff\xff\xff");
	CHECK_EQ(insn_offset(&insn, gpr, 0x700000005), 0xfffffff5);
	/* DS has no base in 64-bit mode, GS has */
	CHECK_EQ(insn_linear(&insn, DS, 0x1000, segments), 0x1000);
	CHECK_EQ(insn_linear(&insn, GS, 0x1000, segments), 0xffff888000001000);
	insn = DECODED(DECODE_64, "\x65\x2e\x8b\x00"); /* 2E has no effect */
	CHECK_EQ(insn.segment, GS);
}

TEST(fifteen_bytes_and_no_more)
{
	u8 bytes[20];
	struct insn insn;

	memset(bytes, 0x66, sizeof(bytes));
	bytes[14] = 0x90;
	CHECK_EQ(decode(bytes, 20, DECODE_64, &insn), E_OK);
	CHECK_EQ(insn.length, 15);
	CHECK_EQ(decode(bytes, 14, DECODE_64, &insn), E_RANGE);
	bytes[14] = 0x66;
	CHECK_EQ(decode(bytes, 20, DECODE_64, &insn), E_FORMAT);
	CHECK_EQ(decode(bytes, 15, DECODE_64, &insn), E_FORMAT);
	bytes[13] = 0x04; /* ADD AL, imm8 */
	CHECK_EQ(decode(bytes, 15, DECODE_64, &insn), E_OK);
	bytes[13] = 0x05; /* ADD AX, imm16 */
	CHECK_EQ(decode(bytes, 15, DECODE_64, &insn), E_FORMAT);
}

/* The answer to all that is there, then the answers to less of it. */
static void try_shorter(const u8 *bytes, enum decode_mode mode)
{
	struct insn whole, part;
	err_t err = decode(bytes, CANDIDATE, mode, &whole), got;
	bool bad = false;
	size_t avail;

	CHECK(err == E_OK || err == E_FORMAT);
	CHECK(whole.length <= INSN_MAX);
	for (avail = 0; avail < CANDIDATE; avail++) {
		/* Exactly so many bytes: the sanitizer sees a step beyond. */
		u8 *room = malloc(avail);

		memcpy(room, bytes, avail);
		got = decode(room, avail, mode, &part);
		free(room);
		if (err == E_OK && avail < whole.length)
			CHECK_EQ(got, E_RANGE);
		else if (err == E_OK)
			CHECK(got == E_OK &&
			      !memcmp(&whole, &part, sizeof(part)));
		else
			CHECK(got == E_FORMAT || (got == E_RANGE && !bad));
		bad |= got == E_FORMAT;
	}
}

TEST(short_input_asks_for_more)
{
	struct random r = {0xfeed};
	u8 bytes[CANDIDATE];
	unsigned i;

	for (i = 0; i < TRIES; i++) {
		make_candidate(&r, i % 3, bytes);
		try_shorter(bytes, i % 3);
	}
}

TEST(any_bytes_are_safe)
{
	struct random r = {0xf022};
	u64 gpr[GPRS] = {0};
	u8 bytes[CANDIDATE];
	struct insn insn;
	unsigned i, j, mode;

	for (i = 0; i < 10 * TRIES; i++) {
		for (j = 0; j < CANDIDATE; j++)
			bytes[j] = random_u32(&r);
		mode = i % 3;
		if (decode(bytes, 1 + i % CANDIDATE, mode, &insn))
			continue;
		CHECK(insn.length && insn.length <= 1 + i % CANDIDATE);
		CHECK(insn.base < GPRS || insn.base == REG_NONE);
		CHECK(insn.index < GPRS || insn.index == REG_NONE);
		CHECK(insn.reg < GPRS && insn.rm < GPRS && insn.segment <= GS);
		CHECK_EQ(insn_offset(&insn, gpr, 0),
			 cut(insn.disp, insn.addr_size));
	}
}
