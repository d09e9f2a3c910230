/*
 * Instructions on a device's memory: what a decoded instruction reads and
 * writes there, and what it computes. The caller finds the address, talks to
 * the device and advances RIP; for all but strings it is
 *
 *	decode_mmio(&insn, &op);
 *	if (op.read)
 *		value = the device's op.size bytes;
 *	mmio_execute(&op, gpr, &rflags, &value);
 *	if (op.write)
 *		give the device op.size bytes of value;
 *
 * A string instruction is done element by element; the caller counts RCX and
 * moves RSI and RDI by mmio_string_step().
 */
#ifndef VM_DECODE_MMIO_H
#define VM_DECODE_MMIO_H

#include "vm/alu.h"
#include "vm/decode.h"

enum mmio_kind {
	MMIO_LOAD,	 /* reg = mem, extended */
	MMIO_STORE,	 /* mem = operand */
	MMIO_ALU_TO_MEM, /* mem = mem ALU operand (CMP, TEST, BT: no write) */
	MMIO_ALU_TO_REG, /* reg = reg ALU mem */
	MMIO_XCHG,	 /* reg and mem change places */
	MMIO_CMPXCHG,	 /* if (RAX == mem) mem = reg; else RAX = mem */
	MMIO_XADD,	 /* mem = mem + reg, reg = the old mem */
	MMIO_STOS,	 /* ES:RDI = RAX */
	MMIO_LODS,	 /* RAX = segment:RSI */
	MMIO_MOVS,	 /* ES:RDI = segment:RSI */
};

struct mmio_op {
	u8 kind; /* enum mmio_kind */
	u8 alu;	 /* enum alu_op, where the kind says so */
	u8 size; /* of the access: 1, 2, 4 or 8 */
	bool read, write;
	bool rep; /* of a string */

	/* The other operand. */
	bool immediate;
	bool sign_extend; /* MOVSX: memory to the register's size */
	bool high_byte;	  /* reg is AH, CH, DH or BH: bits 8-15 of 0-3 */
	u8 reg;
	u8 reg_size;
	u64 imm;
};

/*
 * E_UNSUPPORTED: the instruction has no memory operand, or is none that drivers
 * use on devices (see the table in decode_mmio.c).
 */
err_t decode_mmio(const struct insn *insn, struct mmio_op *op);

/*
 * Segment and offset of the access. BT with a register reaches beyond its
 * operand, by the bit's number (SDM volume 2, 3.1.1.9). Of MOVS it is the
 * destination; the source is insn->segment with mmio_movs_source().
 */
u64 mmio_offset(const struct mmio_op *op, const struct insn *insn,
		const u64 gpr[GPRS], u64 next_rip, u8 *segment);
u64 mmio_movs_source(const struct insn *insn, const u64 gpr[GPRS]);

/* Is it a repeated string whose count is zero: nothing (more) to do? */
bool mmio_string_done(const struct mmio_op *op, const struct insn *insn,
		      const u64 gpr[GPRS]);

/*
 * After one element: moves RSI and RDI as the kind and the direction flag say
 * and counts RCX when repeating, all of the address size. True: there is more.
 */
bool mmio_string_step(const struct mmio_op *op, const struct insn *insn,
		      u64 gpr[GPRS], u64 rflags);

/*
 * *value is what was read and becomes what is to be written. All but MOVS,
 * which moves *value unchanged.
 */
void mmio_execute(const struct mmio_op *op, u64 gpr[GPRS], u64 *rflags,
		  u64 *value);

#endif
