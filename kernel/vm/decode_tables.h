/*
 * The decoder's tables: what follows each opcode, and which operand forms
 * exist. Intel SDM volume 2, appendix A; AMD APM volume 3, appendix A.
 */
#ifndef VM_DECODE_TABLES_H
#define VM_DECODE_TABLES_H

#include "lib/types.h"
#include "vm/decode.h"

/* The immediate after the operands, by its size. */
enum imm_kind {
	IMM_NONE,
	IMM_B,	   /* a byte */
	IMM_W,	   /* two bytes */
	IMM_Z,	   /* two or four, by operand size */
	IMM_V,	   /* two, four or eight: MOV B8-BF */
	IMM_D,	   /* four */
	IMM_WB,	   /* ENTER */
	IMM_BB,	   /* EXTRQ, INSERTQ */
	IMM_FAR,   /* offset and selector */
	IMM_MOFFS, /* an address: MOV A0-A3 */
	IMM_BAD,   /* there is no such opcode */
};

/*
 * The mandatory prefix chooses a column of a form. The order is that of the pp
 * field of VEX.
 */
enum { PP_NONE, PP_66, PP_F3, PP_F2 };

/* Which ModRM forms exist: masks of reg values, memory or register operand. */
enum form_name {
	FORM_ANY,
	FORM_LOCK, /* any, and memory may be LOCKed */
	FORM_MEM,
	FORM_GROUP1,
	FORM_GROUP1A,
	FORM_GROUP3,
	FORM_GROUP4,
	FORM_GROUP5,
	FORM_GROUP6,
	FORM_GROUP7,
	FORM_GROUP8,
	FORM_GROUP9,
	FORM_GROUP11,
	FORM_GROUP12, /* 0F 71 and 72 */
	FORM_GROUP14, /* 0F 73 */
	FORM_GROUP15,
	FORM_FROM_SREG,
	FORM_TO_SREG,
	FORM_CR,
	FORM_DR,
	FORM_X87,
	FORM_NP,
	FORM_66,
	FORM_F3,
	FORM_NP_66,
	FORM_NP_F3,
	FORM_66_F2,
	FORM_NP_66_F3,
	FORM_66_F3_F2,
	FORM_NP_MEM,
	FORM_66_MEM,
	FORM_F2_MEM,
	FORM_NP_66_MEM,
	FORM_NP_66_REG,
	FORM_0F12,
	FORM_0F16,
	FORM_0F78,
	FORM_0F79,
	FORM_0FD6,
	FORM_0F38D8,
	FORM_0F38DC,
	FORM_0F38DD,
	FORM_0F38F0,
	FORM_0F38F6,
	FORM_0F38F8,
	FORM_F3_REG,
	FORM_HRESET,
	FORMS
};

struct form {
	u8 mem[4]; /* by PP_*: bit n: reg n exists */
	u8 reg[4];
	u8 lock; /* with memory */
};

/* An opcode: IMM_* in the low bits, flags, FORM_* above. */
#define OP_IMM	      0x000f
#define OP_MODRM      0x0010
#define OP_BYTE	      0x0020
#define OP_D64	      0x0040 /* 64-bit operands by default in 64-bit mode */
#define OP_F64	      0x0080 /* always */
#define OP_NO64	      0x0100 /* does not exist in 64-bit mode */
#define OP_SPECIAL    0x0200 /* a prefix or an escape, at least sometimes */
#define OP_FORM_SHIFT 10
#define OP_FORM(op)   ((op) >> OP_FORM_SHIFT)
#define FORM(name)    (OP_MODRM | FORM_##name << OP_FORM_SHIFT)

/* Maps with many holes: the opcodes that exist. */
struct opcode_range {
	u8 map, first, last, form;
};

extern const u16 one_byte_ops[256];
extern const u16 two_byte_ops[256];
extern const struct form forms[FORMS];
extern const struct opcode_range opcode_ranges[];
extern const unsigned opcode_range_count;

/* Register forms by all of reg and rm. */
extern const u8 x87_memory[8]; /* by opcode: mask of reg */
extern const u64 x87_register[8];
extern const u64 group7_register[4]; /* by PP_* */

#endif
