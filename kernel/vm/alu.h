/*
 * The arithmetic of the instructions that the hypervisor executes for a guest:
 * result and flags, as the processor makes them. Pure.
 */
#ifndef VM_ALU_H
#define VM_ALU_H

#include "lib/types.h"

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_OF BIT(11)
#define FLAGS_ARITHMETIC \
	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The first eight in the order of their opcodes. */
enum alu_op {
	ALU_ADD,
	ALU_OR,
	ALU_ADC,
	ALU_SBB,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP,
	ALU_TEST,
	ALU_INC, /* these four have no b */
	ALU_DEC,
	ALU_NOT,
	ALU_NEG,
	ALU_BT, /* b is the bit's number, taken modulo the size */
	ALU_BTS,
	ALU_BTR,
	ALU_BTC,
	ALU_OPS
};

/*
 * a OP b on 1, 2, 4 or 8 bytes. CMP, TEST and BT return a: they write nothing.
 * Of *rflags only arithmetic flags change; where the manuals leave one
 * undefined it is what processors do: AF is 0 after logic, BT changes CF only.
 */
u64 alu(enum alu_op op, u64 a, u64 b, unsigned size, u64 *rflags);

#endif
