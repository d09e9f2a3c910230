#include "vm/decode_tables.h"

/* The rows of the opcode maps stay rows: */
/* clang-format off */

#define B	OP_BYTE
#define M	FORM(ANY)
#define SPECIAL OP_SPECIAL
#define BAD	IMM_BAD

/* The six opcodes that each of ADD, OR, ... CMP has. */
#define ALU(op, form)                                                \
	[op] = B | form, [op + 1] = form, [op + 2] = B | M,          \
	[op + 3] = M, [op + 4] = B | IMM_B, [op + 5] = IMM_Z

const u16 one_byte_ops[256] = {
	ALU(0x00, FORM(LOCK)), [0x06 ... 0x07] = OP_NO64,
	ALU(0x08, FORM(LOCK)), [0x0e] = OP_NO64, [0x0f] = SPECIAL,
	ALU(0x10, FORM(LOCK)), [0x16 ... 0x17] = OP_NO64,
	ALU(0x18, FORM(LOCK)), [0x1e ... 0x1f] = OP_NO64,
	ALU(0x20, FORM(LOCK)), [0x26] = SPECIAL, [0x27] = OP_NO64,
	ALU(0x28, FORM(LOCK)), [0x2e] = SPECIAL, [0x2f] = OP_NO64,
	ALU(0x30, FORM(LOCK)), [0x36] = SPECIAL, [0x37] = OP_NO64,
	ALU(0x38, M), [0x3e] = SPECIAL, [0x3f] = OP_NO64,
	[0x40 ... 0x4f] = SPECIAL, /* REX, or INC and DEC */
	[0x50 ... 0x5f] = OP_D64,
	[0x60 ... 0x61] = OP_NO64,
	[0x62] = SPECIAL | OP_NO64 | FORM(MEM), /* BOUND or EVEX */
	[0x63] = M,
	[0x64 ... 0x67] = SPECIAL,
	[0x68] = OP_D64 | IMM_Z,
	[0x69] = M | IMM_Z,
	[0x6a] = OP_D64 | IMM_B,
	[0x6b] = M | IMM_B,
	[0x6c] = B, [0x6e] = B,
	[0x70 ... 0x7f] = OP_F64 | IMM_B,

	[0x80] = B | FORM(GROUP1) | IMM_B,
	[0x81] = FORM(GROUP1) | IMM_Z,
	[0x82] = B | FORM(GROUP1) | IMM_B | OP_NO64,
	[0x83] = FORM(GROUP1) | IMM_B,
	[0x84] = B | M, [0x85] = M,
	[0x86] = B | FORM(LOCK), [0x87] = FORM(LOCK),
	[0x88] = B | M, [0x89] = M, [0x8a] = B | M, [0x8b] = M,
	[0x8c] = FORM(FROM_SREG),
	[0x8d] = FORM(MEM),
	[0x8e] = FORM(TO_SREG),
	[0x8f] = SPECIAL | OP_D64 | FORM(GROUP1A), /* POP or XOP */
	[0x9a] = OP_NO64 | IMM_FAR,
	[0x9c ... 0x9d] = OP_D64,
	[0xa0] = B | IMM_MOFFS, [0xa1] = IMM_MOFFS,
	[0xa2] = B | IMM_MOFFS, [0xa3] = IMM_MOFFS,
	[0xa4] = B, [0xa6] = B,
	[0xa8] = B | IMM_B, [0xa9] = IMM_Z,
	[0xaa] = B, [0xac] = B, [0xae] = B,
	[0xb0 ... 0xb7] = B | IMM_B,
	[0xb8 ... 0xbf] = IMM_V,

	[0xc0] = B | M | IMM_B, [0xc1] = M | IMM_B,
	[0xc2] = OP_F64 | IMM_W, [0xc3] = OP_F64,
	/* LES and LDS, or VEX */
	[0xc4 ... 0xc5] = SPECIAL | OP_NO64 | FORM(MEM),
	[0xc6] = B | FORM(GROUP11) | IMM_B,
	[0xc7] = FORM(GROUP11) | IMM_Z,
	[0xc8] = OP_D64 | IMM_WB, [0xc9] = OP_D64,
	[0xca] = IMM_W,
	[0xcd] = IMM_B,
	[0xce] = OP_NO64,
	[0xd0] = B | M, [0xd1] = M, [0xd2] = B | M, [0xd3] = M,
	[0xd4 ... 0xd5] = OP_NO64 | IMM_B,
	[0xd6] = BAD,
	[0xd8 ... 0xdf] = FORM(X87),
	[0xe0 ... 0xe3] = OP_F64 | IMM_B,
	[0xe4] = B | IMM_B, [0xe5] = IMM_B,
	[0xe6] = B | IMM_B, [0xe7] = IMM_B,
	[0xe8 ... 0xe9] = OP_F64 | IMM_Z,
	[0xea] = OP_NO64 | IMM_FAR,
	[0xeb] = OP_F64 | IMM_B,
	[0xec] = B, [0xee] = B,
	[0xf0] = SPECIAL, [0xf2 ... 0xf3] = SPECIAL,
	[0xf6] = B | FORM(GROUP3) | IMM_B, /* the immediate: TEST only */
	[0xf7] = FORM(GROUP3) | IMM_Z,
	[0xfe] = B | FORM(GROUP4), [0xff] = FORM(GROUP5),
};

const u16 two_byte_ops[256] = {
	[0x00] = FORM(GROUP6), [0x01] = FORM(GROUP7),
	[0x02 ... 0x03] = M,
	[0x04] = BAD, [0x0a] = BAD, [0x0c] = BAD,
	[0x0d] = M,
	[0x0f] = M | IMM_B, /* 3DNow!: the byte is the opcode */
	[0x10 ... 0x11] = M,
	[0x12] = FORM(0F12), [0x13] = FORM(NP_66_MEM),
	[0x14 ... 0x15] = FORM(NP_66),
	[0x16] = FORM(0F16), [0x17] = FORM(NP_66_MEM),
	[0x18 ... 0x1f] = M, /* hints */
	[0x20] = OP_F64 | FORM(CR), [0x21] = OP_F64 | FORM(DR),
	[0x22] = OP_F64 | FORM(CR), [0x23] = OP_F64 | FORM(DR),
	[0x24 ... 0x27] = BAD,
	[0x28 ... 0x29] = FORM(NP_66),
	[0x2a] = M, [0x2b] = FORM(MEM), [0x2c ... 0x2d] = M,
	[0x2e ... 0x2f] = FORM(NP_66),
	[0x36] = BAD, [0x39] = BAD, [0x3b ... 0x3f] = BAD,
	[0x38] = SPECIAL, [0x3a] = SPECIAL,
	[0x40 ... 0x4f] = M,
	[0x50] = FORM(NP_66_REG), [0x51] = M,
	[0x52 ... 0x53] = FORM(NP_F3),
	[0x54 ... 0x57] = FORM(NP_66),
	[0x58 ... 0x5a] = M, [0x5b] = FORM(NP_66_F3), [0x5c ... 0x5f] = M,
	[0x60 ... 0x6b] = FORM(NP_66), [0x6c ... 0x6d] = FORM(66),
	[0x6e] = FORM(NP_66), [0x6f] = FORM(NP_66_F3),
	[0x70] = M | IMM_B,
	[0x71 ... 0x72] = FORM(GROUP12) | IMM_B,
	[0x73] = FORM(GROUP14) | IMM_B,
	[0x74 ... 0x76] = FORM(NP_66),
	[0x77] = FORM_NP << OP_FORM_SHIFT, /* EMMS: no ModRM */
	[0x78] = OP_F64 | FORM(0F78) | IMM_BB, /* none: VMREAD */
	[0x79] = OP_F64 | FORM(0F79),
	[0x7a ... 0x7b] = BAD,
	[0x7c ... 0x7d] = FORM(66_F2), [0x7e ... 0x7f] = FORM(NP_66_F3),

	[0x80 ... 0x8f] = OP_F64 | IMM_Z,
	[0x90 ... 0x9f] = B | M,
	[0xa0 ... 0xa1] = OP_D64, [0xa8 ... 0xa9] = OP_D64,
	[0xa3] = M,
	[0xa4] = M | IMM_B, [0xa5] = M,
	[0xa6 ... 0xa7] = BAD,
	[0xab] = FORM(LOCK),
	[0xac] = M | IMM_B, [0xad] = M,
	[0xae] = FORM(GROUP15),
	[0xaf] = M,
	[0xb0] = B | FORM(LOCK), [0xb1] = FORM(LOCK),
	[0xb2] = FORM(MEM), [0xb4 ... 0xb5] = FORM(MEM),
	[0xb3] = FORM(LOCK),
	[0xb6 ... 0xb7] = M,
	[0xb8] = FORM(F3),
	[0xb9] = M, /* UD1 */
	[0xba] = FORM(GROUP8) | IMM_B,
	[0xbb] = FORM(LOCK),
	[0xbc ... 0xbf] = M,
	[0xc0] = B | FORM(LOCK), [0xc1] = FORM(LOCK),
	[0xc2] = M | IMM_B,
	[0xc3] = FORM(NP_MEM),
	[0xc4] = FORM(NP_66) | IMM_B, [0xc5] = FORM(NP_66_REG) | IMM_B,
	[0xc6] = FORM(NP_66) | IMM_B,
	[0xc7] = FORM(GROUP9),
	[0xd0] = FORM(66_F2),
	[0xd1 ... 0xd5] = FORM(NP_66),
	[0xd6] = FORM(0FD6), [0xd7] = FORM(NP_66_REG),
	[0xd8 ... 0xe5] = FORM(NP_66),
	[0xe6] = FORM(66_F3_F2), [0xe7] = FORM(NP_66_MEM),
	[0xe8 ... 0xef] = FORM(NP_66),
	[0xf0] = FORM(F2_MEM),
	[0xf1 ... 0xf6] = FORM(NP_66), [0xf7] = FORM(NP_66_REG),
	[0xf8 ... 0xfe] = FORM(NP_66),
	[0xff] = M, /* UD0 */
};

#define ALL(n)	   {n, n, n, n}

/* Columns: no prefix, 66, F3, F2. */
const struct form forms[FORMS] = {
	[FORM_ANY] = {ALL(0xff), ALL(0xff)},
	[FORM_LOCK] = {ALL(0xff), ALL(0xff), 0xff},
	[FORM_MEM] = {ALL(0xff), ALL(0)},
	[FORM_GROUP1] = {ALL(0xff), ALL(0xff), 0x7f}, /* not CMP */
	[FORM_GROUP1A] = {ALL(0x01), ALL(0x01)},
	[FORM_GROUP3] = {ALL(0xff), ALL(0xff), 0x0c}, /* NOT, NEG */
	[FORM_GROUP4] = {ALL(0x03), ALL(0x03), 0x03},
	[FORM_GROUP5] = {ALL(0x7f), ALL(0x57), 0x03},
	[FORM_GROUP6] = {ALL(0x3f), ALL(0x3f)},
	[FORM_GROUP7] = {{0xdf, 0xdf, 0xff, 0xdf}}, /* and group7_register */
	[FORM_GROUP8] = {ALL(0xf0), ALL(0xf0), 0xe0},
	[FORM_GROUP9] = {{0xfa, 0x42, 0x42, 0x02}, {0xc0, 0xc0, 0xc0, 0},
			 0x02},
	[FORM_GROUP11] = {ALL(0x01), ALL(0x81)}, /* XABORT, XBEGIN: rm 0 */
	[FORM_GROUP12] = {ALL(0), {0x54, 0x54}},
	[FORM_GROUP14] = {ALL(0), {0x44, 0xcc}},
	[FORM_GROUP15] = {{0xff, 0xc0, 0x50, 0}, {0xe0, 0x40, 0x7f, 0x40}},
	[FORM_FROM_SREG] = {ALL(0x3f), ALL(0x3f)},
	[FORM_TO_SREG] = {ALL(0x3d), ALL(0x3d)}, /* not CS */
	[FORM_CR] = {ALL(0), ALL(0x1d)},
	[FORM_DR] = {ALL(0), ALL(0xff)},
	[FORM_NP] = {{0xff}, {0xff}},
	[FORM_66] = {{0, 0xff}, {0, 0xff}},
	[FORM_F3] = {{0, 0, 0xff}, {0, 0, 0xff}},
	[FORM_NP_66] = {{0xff, 0xff}, {0xff, 0xff}},
	[FORM_NP_F3] = {{0xff, 0, 0xff}, {0xff, 0, 0xff}},
	[FORM_66_F2] = {{0, 0xff, 0, 0xff}, {0, 0xff, 0, 0xff}},
	[FORM_NP_66_F3] = {{0xff, 0xff, 0xff}, {0xff, 0xff, 0xff}},
	[FORM_66_F3_F2] = {{0, 0xff, 0xff, 0xff}, {0, 0xff, 0xff, 0xff}},
	[FORM_NP_MEM] = {{0xff}},
	[FORM_66_MEM] = {{0, 0xff}},
	[FORM_F2_MEM] = {{0, 0, 0, 0xff}},
	[FORM_NP_66_MEM] = {{0xff, 0xff}},
	[FORM_NP_66_REG] = {ALL(0), {0xff, 0xff}},
	[FORM_0F12] = {ALL(0xff), {0xff, 0, 0xff, 0xff}},
	[FORM_0F16] = {{0xff, 0xff, 0xff}, {0xff, 0, 0xff}},
	[FORM_0F78] = {{0xff}, {0xff, 0xff, 0, 0xff}}, /* VMREAD, EXTRQ */
	[FORM_0F79] = {{0xff}, {0xff, 0xff, 0, 0xff}},
	[FORM_0FD6] = {{0, 0xff}, {0, 0xff, 0xff, 0xff}},
	/* AES and Key Locker */
	[FORM_0F38D8] = {{0, 0, 0x0f}},
	[FORM_0F38DC] = {{0, 0xff, 0xff}, {0, 0xff, 0xff}},
	[FORM_0F38DD] = {{0, 0xff, 0xff}, {0, 0xff}},
	/* MOVBE and CRC32; WRSS, ADCX and ADOX; MOVDIR64B, ENQCMD(S) */
	[FORM_0F38F0] = {{0xff, 0xff, 0, 0xff}, {0, 0, 0, 0xff}},
	[FORM_0F38F6] = {{0xff, 0xff, 0xff}, {0, 0xff, 0xff}},
	[FORM_0F38F8] = {{0, 0xff, 0xff, 0xff}},
	[FORM_F3_REG] = {ALL(0), {0, 0, 0xff}},
	[FORM_HRESET] = {ALL(0), {0, 0, 0x01}},
};

const u8 x87_memory[8] = {0xff, 0xfd, 0xff, 0xaf, 0xff, 0xdf, 0xff, 0xff};

/* Bytes from the right: the registers of reg 0, 1, ... */
const u64 x87_register[8] = {
	0xffffffffffffffff, /* D8 */
	0xffff7f330001ffff, /* D9: FNOP, FCHS, FXAM, FLDZ, FSIN, ... */
	0x00000200ffffffff, /* DA: FCMOVcc, FUCOMPP */
	0x00ffff1fffffffff, /* DB: FCMOVNcc, FNCLEX, FUCOMI, FCOMI */
	0xffffffff0000ffff, /* DC */
	0x0000ffffffff00ff, /* DD: FFREE, FST, FSTP, FUCOM, FUCOMP */
	0xffffffff0200ffff, /* DE: FCOMPP, ... */
	0x00ffff01000000ff, /* DF: FFREEP, FNSTSW, FUCOMIP, FCOMIP */
};

/*
 * The same for 0F 01 (C0 is bit 0). Of the manuals only Intel's says which of
 * these a prefix makes invalid; what an AMD processor intercepts must not fail
 * here, so what exists without a prefix exists with one.
 */
const u64 group7_register[4] = {
	0xffffc1fffff38f7f,
	0xffffc1fffff3ff7f, /* SEAMCALL, ... */
	0xfffff5fffff38f7f, /* SAVEPREVSSP, UIRET, ... */
	0xffffc3fffff38f7f, /* XRESLDTRK */
};

#define RANGE(map, first, last) {MAP_##map, 0x##first, 0x##last, FORM_ANY}
#define LEGACY(map, first, last, form) \
	{MAP_##map, 0x##first, 0x##last, FORM_##form}

const struct opcode_range opcode_ranges[] = {
	/* SSSE3, SSE4, SHA, AES, VMX, MOVBE, ... */
	LEGACY(0F38, 00, 0b, NP_66), LEGACY(0F38, 10, 10, 66),
	LEGACY(0F38, 14, 15, 66), LEGACY(0F38, 17, 17, 66),
	LEGACY(0F38, 1c, 1e, NP_66), LEGACY(0F38, 20, 25, 66),
	LEGACY(0F38, 28, 29, 66), LEGACY(0F38, 2a, 2a, 66_MEM),
	LEGACY(0F38, 2b, 2b, 66), LEGACY(0F38, 30, 35, 66),
	LEGACY(0F38, 37, 41, 66), LEGACY(0F38, 80, 82, 66_MEM),
	LEGACY(0F38, c8, cd, NP), LEGACY(0F38, cf, cf, 66),
	LEGACY(0F38, db, db, 66), LEGACY(0F38, d8, d8, 0F38D8),
	LEGACY(0F38, dc, dc, 0F38DC), LEGACY(0F38, dd, df, 0F38DD),
	LEGACY(0F38, f0, f1, 0F38F0), LEGACY(0F38, f5, f5, 66_MEM),
	LEGACY(0F38, f6, f6, 0F38F6), LEGACY(0F38, f8, f8, 0F38F8),
	LEGACY(0F38, f9, f9, NP_MEM), LEGACY(0F38, fa, fb, F3_REG),
	LEGACY(0F38, fc, fc, MEM),

	LEGACY(0F3A, 08, 0e, 66), LEGACY(0F3A, 0f, 0f, NP_66),
	LEGACY(0F3A, 14, 17, 66), LEGACY(0F3A, 20, 22, 66),
	LEGACY(0F3A, 40, 42, 66), LEGACY(0F3A, 44, 44, 66),
	LEGACY(0F3A, 60, 63, 66), LEGACY(0F3A, cc, cc, NP),
	LEGACY(0F3A, ce, cf, 66), LEGACY(0F3A, df, df, 66),
	LEGACY(0F3A, f0, f0, HRESET),

	RANGE(3DNOW, 0c, 0d), RANGE(3DNOW, 1c, 1d), RANGE(3DNOW, 8a, 8a),
	RANGE(3DNOW, 8e, 8e), RANGE(3DNOW, 90, 90), RANGE(3DNOW, 94, 94),
	RANGE(3DNOW, 96, 97), RANGE(3DNOW, 9a, 9a), RANGE(3DNOW, 9e, 9e),
	RANGE(3DNOW, a0, a0), RANGE(3DNOW, a4, a4), RANGE(3DNOW, a6, a7),
	RANGE(3DNOW, aa, aa), RANGE(3DNOW, ae, ae), RANGE(3DNOW, b0, b0),
	RANGE(3DNOW, b4, b4), RANGE(3DNOW, b6, b7), RANGE(3DNOW, bb, bb),
	RANGE(3DNOW, bf, bf),

	RANGE(VEX_0F, 10, 17), RANGE(VEX_0F, 28, 2f), RANGE(VEX_0F, 41, 42),
	RANGE(VEX_0F, 44, 47), RANGE(VEX_0F, 4a, 4b), RANGE(VEX_0F, 50, 77),
	RANGE(VEX_0F, 7c, 7f), RANGE(VEX_0F, 90, 93), RANGE(VEX_0F, 98, 99),
	RANGE(VEX_0F, ae, ae), RANGE(VEX_0F, c2, c2), RANGE(VEX_0F, c4, c6),
	RANGE(VEX_0F, d0, fe),

	RANGE(VEX_0F38, 00, 0f), RANGE(VEX_0F38, 13, 13),
	RANGE(VEX_0F38, 16, 1a), RANGE(VEX_0F38, 1c, 1e),
	RANGE(VEX_0F38, 20, 25), RANGE(VEX_0F38, 28, 41),
	RANGE(VEX_0F38, 45, 47), RANGE(VEX_0F38, 49, 49),
	RANGE(VEX_0F38, 4b, 4b), RANGE(VEX_0F38, 50, 53),
	RANGE(VEX_0F38, 58, 5a), RANGE(VEX_0F38, 5c, 5c),
	RANGE(VEX_0F38, 5e, 5e), RANGE(VEX_0F38, 72, 72),
	RANGE(VEX_0F38, 78, 79), RANGE(VEX_0F38, 8c, 8c),
	RANGE(VEX_0F38, 8e, 8e), RANGE(VEX_0F38, 90, 93),
	RANGE(VEX_0F38, 96, 9f), RANGE(VEX_0F38, a6, b1),
	RANGE(VEX_0F38, b4, bf), RANGE(VEX_0F38, cf, cf),
	RANGE(VEX_0F38, db, ef), RANGE(VEX_0F38, f2, f3),
	RANGE(VEX_0F38, f5, f7),

	RANGE(VEX_0F3A, 00, 02), RANGE(VEX_0F3A, 04, 06),
	RANGE(VEX_0F3A, 08, 0f), RANGE(VEX_0F3A, 14, 19),
	RANGE(VEX_0F3A, 1d, 1d), RANGE(VEX_0F3A, 20, 22),
	RANGE(VEX_0F3A, 30, 33), RANGE(VEX_0F3A, 38, 39),
	RANGE(VEX_0F3A, 40, 42), RANGE(VEX_0F3A, 44, 44),
	RANGE(VEX_0F3A, 46, 46), RANGE(VEX_0F3A, 48, 4c),
	RANGE(VEX_0F3A, 5c, 63), RANGE(VEX_0F3A, 68, 6f),
	RANGE(VEX_0F3A, 78, 7f), RANGE(VEX_0F3A, ce, cf),
	RANGE(VEX_0F3A, df, df), RANGE(VEX_0F3A, f0, f0),

	RANGE(EVEX_0F, 10, 17), RANGE(EVEX_0F, 28, 2f),
	RANGE(EVEX_0F, 51, 51), RANGE(EVEX_0F, 54, 76),
	RANGE(EVEX_0F, 78, 7b), RANGE(EVEX_0F, 7e, 7f),
	RANGE(EVEX_0F, c2, c2), RANGE(EVEX_0F, c4, c6),
	RANGE(EVEX_0F, d1, d6), RANGE(EVEX_0F, d8, ef),
	RANGE(EVEX_0F, f1, f6), RANGE(EVEX_0F, f8, fe),

	RANGE(EVEX_0F38, 00, 00), RANGE(EVEX_0F38, 04, 04),
	RANGE(EVEX_0F38, 0b, 0d), RANGE(EVEX_0F38, 10, 16),
	RANGE(EVEX_0F38, 18, 1f), RANGE(EVEX_0F38, 20, 2d), RANGE(EVEX_0F38, 30, 40),
	RANGE(EVEX_0F38, 42, 47), RANGE(EVEX_0F38, 4c, 55),
	RANGE(EVEX_0F38, 58, 5b), RANGE(EVEX_0F38, 62, 66),
	RANGE(EVEX_0F38, 68, 68), RANGE(EVEX_0F38, 70, 73),
	RANGE(EVEX_0F38, 75, 7f), RANGE(EVEX_0F38, 83, 83),
	RANGE(EVEX_0F38, 88, 8b), RANGE(EVEX_0F38, 8d, 8d),
	RANGE(EVEX_0F38, 8f, 93), RANGE(EVEX_0F38, 96, a3),
	RANGE(EVEX_0F38, a6, af), RANGE(EVEX_0F38, b4, bf),
	RANGE(EVEX_0F38, c4, c4), RANGE(EVEX_0F38, c6, c8),
	RANGE(EVEX_0F38, ca, cd), RANGE(EVEX_0F38, cf, cf),
	RANGE(EVEX_0F38, dc, df),

	RANGE(EVEX_0F3A, 00, 01), RANGE(EVEX_0F3A, 03, 05),
	RANGE(EVEX_0F3A, 08, 0b), RANGE(EVEX_0F3A, 0f, 0f),
	RANGE(EVEX_0F3A, 14, 1b), RANGE(EVEX_0F3A, 1d, 23),
	RANGE(EVEX_0F3A, 25, 27), RANGE(EVEX_0F3A, 38, 3b),
	RANGE(EVEX_0F3A, 3e, 3f), RANGE(EVEX_0F3A, 42, 44),
	RANGE(EVEX_0F3A, 50, 51), RANGE(EVEX_0F3A, 54, 57),
	RANGE(EVEX_0F3A, 66, 67), RANGE(EVEX_0F3A, 70, 73),
	RANGE(EVEX_0F3A, c2, c2), RANGE(EVEX_0F3A, ce, cf),

	RANGE(EVEX_5, 10, 11), RANGE(EVEX_5, 1d, 1d), RANGE(EVEX_5, 2a, 2a),
	RANGE(EVEX_5, 2c, 2f), RANGE(EVEX_5, 51, 51), RANGE(EVEX_5, 58, 5f),
	RANGE(EVEX_5, 6e, 6e), RANGE(EVEX_5, 78, 7e),
	RANGE(EVEX_6, 13, 13), RANGE(EVEX_6, 2c, 2d), RANGE(EVEX_6, 42, 43),
	RANGE(EVEX_6, 4c, 4f), RANGE(EVEX_6, 56, 57), RANGE(EVEX_6, 96, 9f),
	RANGE(EVEX_6, a6, af), RANGE(EVEX_6, b6, bf), RANGE(EVEX_6, d6, d7),

	RANGE(XOP_8, 85, 87), RANGE(XOP_8, 8e, 8f), RANGE(XOP_8, 95, 97),
	RANGE(XOP_8, 9e, 9f), RANGE(XOP_8, a2, a3), RANGE(XOP_8, a6, a6),
	RANGE(XOP_8, b6, b6), RANGE(XOP_8, c0, c3), RANGE(XOP_8, cc, cf),
	RANGE(XOP_8, ec, ef),
	RANGE(XOP_9, 01, 02), RANGE(XOP_9, 12, 12), RANGE(XOP_9, 80, 83),
	RANGE(XOP_9, 90, 9b), RANGE(XOP_9, c1, c3), RANGE(XOP_9, c6, c7),
	RANGE(XOP_9, cb, cb), RANGE(XOP_9, d1, d3), RANGE(XOP_9, d6, d7),
	RANGE(XOP_9, db, db), RANGE(XOP_9, e1, e3),
	RANGE(XOP_A, 10, 10), RANGE(XOP_A, 12, 12),
};
const unsigned opcode_range_count = ARRAY_LEN(opcode_ranges);
