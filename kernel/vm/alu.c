#include "vm/alu.h"

static u64 mask_of(unsigned size)
{
	return size >= 8 ? ~0ULL : BIT(8 * size) - 1;
}

static u64 sign_of(unsigned size)
{
	return BIT(8 * size - 1);
}

static u64 flag_if(bool condition, u64 flag)
{
	return condition ? flag : 0;
}

/* PF (of the low byte alone), ZF and SF. */
static u64 result_flags(u64 result, unsigned size)
{
	return flag_if(!__builtin_parity((u8)result), FLAG_PF) |
	       flag_if(result == 0, FLAG_ZF) |
	       flag_if(result & sign_of(size), FLAG_SF);
}

static u64 add(u64 a, u64 b, bool carry, unsigned size, u64 *flags)
{
	u64 result = (a + b + carry) & mask_of(size);
	u64 carries = (a & b) | ((a | b) & ~result);
	u64 sign = sign_of(size);

	*flags = result_flags(result, size) | flag_if(carries & sign, FLAG_CF) |
		 flag_if(carries & 8, FLAG_AF) |
		 flag_if((a ^ result) & (b ^ result) & sign, FLAG_OF);
	return result;
}

static u64 subtract(u64 a, u64 b, bool borrow, unsigned size, u64 *flags)
{
	u64 result = (a - b - borrow) & mask_of(size);
	u64 borrows = (~a & b) | ((~a | b) & result);
	u64 sign = sign_of(size);

	*flags = result_flags(result, size) | flag_if(borrows & sign, FLAG_CF) |
		 flag_if(borrows & 8, FLAG_AF) |
		 flag_if((a ^ b) & (a ^ result) & sign, FLAG_OF);
	return result;
}

static u64 logic(u64 result, unsigned size, u64 *flags)
{
	*flags = result_flags(result, size);
	return result;
}

static u64 bit(enum alu_op op, u64 a, u64 b, unsigned size, u64 *flags)
{
	u64 bit = BIT(b & (8 * size - 1));

	*flags = (*flags & ~FLAG_CF) | flag_if(a & bit, FLAG_CF);
	switch (op) {
	case ALU_BTS:
		return a | bit;
	case ALU_BTR:
		return a & ~bit;
	case ALU_BTC:
		return a ^ bit;
	default:
		return a;
	}
}

static u64 compute(enum alu_op op, u64 a, u64 b, unsigned size, u64 *flags)
{
	u64 carry = *flags & FLAG_CF;
	u64 result;

	switch (op) {
	case ALU_ADD:
		return add(a, b, 0, size, flags);
	case ALU_ADC:
		return add(a, b, carry, size, flags);
	case ALU_SBB:
		return subtract(a, b, carry, size, flags);
	case ALU_SUB:
		return subtract(a, b, 0, size, flags);
	case ALU_CMP:
		subtract(a, b, 0, size, flags);
		return a;
	case ALU_NEG:
		return subtract(0, a, 0, size, flags);
	case ALU_INC:
		result = add(a, 1, 0, size, flags);
		break;
	case ALU_DEC:
		result = subtract(a, 1, 0, size, flags);
		break;
	case ALU_OR:
		return logic(a | b, size, flags);
	case ALU_AND:
		return logic(a & b, size, flags);
	case ALU_XOR:
		return logic(a ^ b, size, flags);
	case ALU_TEST:
		logic(a & b, size, flags);
		return a;
	case ALU_NOT:
		return ~a & mask_of(size);
	default:
		return bit(op, a, b, size, flags);
	}
	/* INC and DEC keep the carry. */
	*flags = (*flags & ~FLAG_CF) | carry;
	return result;
}

u64 alu(enum alu_op op, u64 a, u64 b, unsigned size, u64 *rflags)
{
	u64 flags = *rflags & FLAGS_ARITHMETIC, result;

	result =
		compute(op, a & mask_of(size), b & mask_of(size), size, &flags);
	*rflags = (*rflags & ~FLAGS_ARITHMETIC) | flags;
	return result;
}
