/*
 * The x86 instruction decoder: length, prefixes, opcode and operands of one
 * instruction in memory. It serves what the processor does not tell: the length
 * of an intercepted instruction (SVM without next-RIP save) and the operands of
 * an access to a device's memory (see decode_mmio.h).
 *
 * Pure: no allocation, no state, no kernel services; any bytes are safe input.
 *
 * "Valid" means a documented instruction of Intel or AMD with a legal operand
 * form, whatever this processor's CPUID says. For VEX, EVEX and XOP the opcode
 * is judged, not the finer fields (vvvv, L, W, pp, masks): these do not change
 * the length. Where vendors differ in length (66 before a near branch in 64-bit
 * mode) Intel's reading is used; no such instruction is intercepted.
 */
#ifndef VM_DECODE_H
#define VM_DECODE_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/state.h"

#define INSN_MAX 15 /* bytes; SDM volume 2, 2.3.11; APM volume 3, 1.1 */

/* The default size of the code segment: CS.L and CS.D. */
enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

enum opcode_map {
	MAP_ONE_BYTE,
	MAP_0F,
	MAP_0F38,
	MAP_0F3A,
	MAP_3DNOW, /* 0F 0F: the opcode is the byte after the operands */
	MAP_VEX_0F,
	MAP_VEX_0F38,
	MAP_VEX_0F3A,
	MAP_EVEX_0F,
	MAP_EVEX_0F38,
	MAP_EVEX_0F3A,
	MAP_EVEX_5,
	MAP_EVEX_6,
	MAP_XOP_8,
	MAP_XOP_9,
	MAP_XOP_A,
	OPCODE_MAPS
};

#define PREFIX_OPSIZE	0x01u /* 66 */
#define PREFIX_ADDRSIZE 0x02u /* 67 */
#define PREFIX_LOCK	0x04u /* F0 */
#define PREFIX_REP	0x08u /* F3; of several F2 and F3 the last counts */
#define PREFIX_REPNE	0x10u /* F2 */
#define PREFIX_SEGMENT	0x20u /* a segment override that has an effect */

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

#define REG_NONE 0xffu /* as base or index */

struct insn {
	u8 length;
	u8 mode; /* enum decode_mode */
	u8 map;	 /* enum opcode_map */
	u8 opcode;
	u8 prefixes;  /* PREFIX_* */
	u8 rex;	      /* REX_*, also what VEX, EVEX and XOP say of them */
	bool has_rex; /* a REX byte: byte registers 4-7 are SPL..DIL */
	u8 op_size;   /* 1, 2, 4 or 8 */
	u8 addr_size; /* 2, 4 or 8 */

	/* ModRM; reg and rm are extended by REX and its kind. */
	bool has_modrm;
	u8 mod, reg, rm;

	/* The memory operand of ModRM, or of MOV A0-A3; not of strings. */
	bool memory;
	bool rip_relative;
	u8 segment; /* default or override, also for a string's source */
	u8 base, index, scale;

	u8 imm_size; /* 0: none */
	u16 imm2;    /* ENTER's level, a far pointer's selector */
	i64 disp;    /* EVEX: as encoded, not scaled */
	i64 imm;     /* sign-extended, or a branch's distance */
};

/*
 * E_OK: *insn is complete. E_RANGE: the instruction goes on after avail bytes
 * (call again with more). E_FORMAT: no valid instruction, whatever follows.
 */
err_t decode(const u8 *bytes, size_t avail, enum decode_mode mode,
	     struct insn *insn);

/* Offset in its segment of the memory operand, cut to the address size. */
u64 insn_offset(const struct insn *insn, const u64 gpr[GPRS], u64 next_rip);

/*
 * The linear address of an offset in a segment: only FS and GS have a base in
 * 64-bit mode, whatever their registers hold. Limits are the caller's.
 */
u64 insn_linear(const struct insn *insn, u8 segment, u64 offset,
		const struct segment *segments);

/* A value cut to 1, 2, 4 or 8 bytes. */
static inline u64 cut(u64 value, unsigned size)
{
	return size >= 8 ? value : value & (BIT(8 * size) - 1);
}

#endif
