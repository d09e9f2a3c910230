#include "vm/decode_mmio.h"

#define FLAG_DF BIT(10)

/* --- what it is */

static err_t take(struct mmio_op *op, enum mmio_kind kind, bool read,
		  bool write)
{
	op->kind = kind;
	op->read = read;
	op->write = write;
	return E_OK;
}

static void use_reg(struct mmio_op *op, const struct insn *insn, u8 reg)
{
	op->reg = reg;
	op->high_byte = op->reg_size == 1 && !insn->has_rex && reg >= 4;
	if (op->high_byte)
		op->reg -= 4;
}

static void use_imm(struct mmio_op *op, const struct insn *insn)
{
	op->immediate = true;
	op->imm = cut(insn->imm, op->size);
}

static err_t take_alu(struct mmio_op *op, enum alu_op alu_op, bool to_reg)
{
	bool writes =
		alu_op != ALU_CMP && alu_op != ALU_TEST && alu_op != ALU_BT;

	op->alu = alu_op;
	return to_reg ? take(op, MMIO_ALU_TO_REG, true, false)
		      : take(op, MMIO_ALU_TO_MEM, true, writes);
}

/* Memory of another size than the register: MOVZX, MOVSX, MOVSXD. */
static err_t take_extended(struct mmio_op *op, u8 size, bool sign)
{
	op->size = MIN(size, op->reg_size);
	op->sign_extend = sign;
	return take(op, MMIO_LOAD, true, false);
}

static err_t take_string(struct mmio_op *op, const struct insn *insn,
			 enum mmio_kind kind, bool read, bool write)
{
	/* REPNE repeats these as REP does (APM volume 3, 1.2.6). */
	op->rep = insn->prefixes & (PREFIX_REP | PREFIX_REPNE);
	op->reg = RAX;
	op->high_byte = false;
	return take(op, kind, read, write);
}

/* F6, F7: TEST, NOT, NEG; FE, FF: INC, DEC. */
static err_t take_unary(struct mmio_op *op, const struct insn *insn)
{
	u8 reg = insn->reg & 7;

	if (insn->opcode >= 0xfe)
		return reg < 2 ? take_alu(op, ALU_INC + reg, false)
			       : E_UNSUPPORTED;
	if (reg < 2) {
		use_imm(op, insn);
		return take_alu(op, ALU_TEST, false);
	}
	return reg < 4 ? take_alu(op, ALU_NOT + (reg - 2), false)
		       : E_UNSUPPORTED;
}

static err_t take_one_byte(struct mmio_op *op, const struct insn *insn)
{
	u8 opcode = insn->opcode;

	if (opcode < 0x40 && insn->memory) /* ADD ... CMP */
		return take_alu(op, opcode >> 3, opcode & 2);
	switch (opcode) {
	case 0x63: /* MOVSXD; ARPL outside 64-bit mode */
		if (insn->mode != DECODE_64)
			return E_UNSUPPORTED;
		return take_extended(op, 4, true);
	case 0x80 ... 0x83:
		use_imm(op, insn);
		return take_alu(op, insn->reg & 7, false);
	case 0x84 ... 0x85:
		return take_alu(op, ALU_TEST, false);
	case 0x86 ... 0x87:
		return take(op, MMIO_XCHG, true, true);
	case 0xa2 ... 0xa3:
		use_reg(op, insn, RAX);
		return take(op, MMIO_STORE, false, true);
	case 0x88 ... 0x89:
		return take(op, MMIO_STORE, false, true);
	case 0xa0 ... 0xa1:
		use_reg(op, insn, RAX);
		return take(op, MMIO_LOAD, true, false);
	case 0x8a ... 0x8b:
		return take(op, MMIO_LOAD, true, false);
	case 0xc6 ... 0xc7:
		use_imm(op, insn);
		return take(op, MMIO_STORE, false, true);
	case 0xf6 ... 0xf7:
	case 0xfe ... 0xff:
		return take_unary(op, insn);
	case 0xa4 ... 0xa5:
		return take_string(op, insn, MMIO_MOVS, true, true);
	case 0xaa ... 0xab:
		return take_string(op, insn, MMIO_STOS, false, true);
	case 0xac ... 0xad:
		return take_string(op, insn, MMIO_LODS, true, false);
	default:
		return E_UNSUPPORTED;
	}
}

static err_t take_0f(struct mmio_op *op, const struct insn *insn)
{
	switch (insn->opcode) {
	case 0xa3: /* BT, BTS, BTR, BTC: bits 3 and 4 of the opcode */
	case 0xab:
	case 0xb3:
	case 0xbb:
		return take_alu(op, ALU_BT + (insn->opcode >> 3 & 3), false);
	case 0xba:
		use_imm(op, insn);
		return take_alu(op, ALU_BT + (insn->reg & 3), false);
	case 0xb0 ... 0xb1:
		return take(op, MMIO_CMPXCHG, true, true);
	case 0xb6:
	case 0xbe:
		return take_extended(op, 1, insn->opcode == 0xbe);
	case 0xb7:
	case 0xbf:
		return take_extended(op, 2, insn->opcode == 0xbf);
	case 0xc0 ... 0xc1:
		return take(op, MMIO_XADD, true, true);
	case 0xc3: /* MOVNTI */
		op->size = op->reg_size = MAX(op->size, 4);
		return take(op, MMIO_STORE, false, true);
	default:
		return E_UNSUPPORTED;
	}
}

static bool is_string(const struct insn *insn)
{
	u8 pair = insn->opcode & 0xfe;

	return insn->map == MAP_ONE_BYTE &&
	       (pair == 0xa4 || pair == 0xaa || pair == 0xac);
}

err_t decode_mmio(const struct insn *insn, struct mmio_op *op)
{
	if (!insn->memory && !is_string(insn))
		return E_UNSUPPORTED;
	*op = (struct mmio_op){.size = insn->op_size,
			       .reg_size = insn->op_size};
	use_reg(op, insn, insn->reg);
	if (insn->map == MAP_ONE_BYTE)
		return take_one_byte(op, insn);
	return insn->map == MAP_0F ? take_0f(op, insn) : E_UNSUPPORTED;
}

/* --- where it is */

/* A value of size bytes, its sign in all 64. */
static i64 extend(u64 value, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (i64)(value << shift) >> shift;
}

u64 mmio_movs_source(const struct insn *insn, const u64 gpr[GPRS])
{
	return cut(gpr[RSI], insn->addr_size);
}

u64 mmio_offset(const struct mmio_op *op, const struct insn *insn,
		const u64 gpr[GPRS], u64 next_rip, u8 *segment)
{
	u64 offset;
	i64 bit;

	*segment = insn->segment;
	if (op->kind == MMIO_LODS)
		return cut(gpr[RSI], insn->addr_size);
	if (op->kind == MMIO_STOS || op->kind == MMIO_MOVS) {
		*segment = ES;
		return cut(gpr[RDI], insn->addr_size);
	}
	offset = insn_offset(insn, gpr, next_rip);
	if (op->kind == MMIO_ALU_TO_MEM && op->alu >= ALU_BT &&
	    !op->immediate) {
		bit = extend(gpr[op->reg], op->size);
		bit &= ~(i64)(8 * op->size - 1);
		offset = cut(offset + bit / 8, insn->addr_size);
	}
	return offset;
}

/* --- what it does */

static u64 read_reg(const u64 gpr[GPRS], const struct mmio_op *op)
{
	return cut(gpr[op->reg] >> (op->high_byte ? 8 : 0), op->reg_size);
}

/* 32-bit results clear the upper half, smaller ones keep the rest. */
static void write_part(u64 *reg, u64 value, unsigned size, unsigned shift)
{
	u64 mask = cut(~0ULL, size) << shift;

	if (size >= 4)
		*reg = cut(value, size);
	else
		*reg = (*reg & ~mask) | (value << shift & mask);
}

static void write_reg(u64 gpr[GPRS], const struct mmio_op *op, u64 value)
{
	write_part(&gpr[op->reg], value, op->reg_size, op->high_byte ? 8 : 0);
}

static void compare_exchange(const struct mmio_op *op, u64 gpr[GPRS],
			     u64 *rflags, u64 *value)
{
	alu(ALU_CMP, gpr[RAX], *value, op->size, rflags);
	if (*rflags & FLAG_ZF) /* else what was read is written back */
		*value = read_reg(gpr, op);
	else
		write_part(&gpr[RAX], *value, op->size, 0);
}

void mmio_execute(const struct mmio_op *op, u64 gpr[GPRS], u64 *rflags,
		  u64 *value)
{
	u64 operand = op->immediate ? op->imm : read_reg(gpr, op);
	u64 old = cut(*value, op->size);

	*value = old;
	switch (op->kind) {
	case MMIO_LOAD:
	case MMIO_LODS:
		write_reg(gpr, op,
			  op->sign_extend ? (u64)extend(old, op->size) : old);
		break;
	case MMIO_STORE:
	case MMIO_STOS:
		*value = operand;
		break;
	case MMIO_ALU_TO_MEM:
		*value = alu(op->alu, old, operand, op->size, rflags);
		break;
	case MMIO_ALU_TO_REG:
		operand = alu(op->alu, operand, old, op->size, rflags);
		if (op->alu != ALU_CMP)
			write_reg(gpr, op, operand);
		break;
	case MMIO_XCHG:
		write_reg(gpr, op, old);
		*value = operand;
		break;
	case MMIO_XADD:
		*value = alu(ALU_ADD, old, operand, op->size, rflags);
		write_reg(gpr, op, old);
		break;
	case MMIO_CMPXCHG:
		compare_exchange(op, gpr, rflags, value);
		break;
	default: /* MOVS */
		break;
	}
}

/* --- strings */

bool mmio_string_done(const struct mmio_op *op, const struct insn *insn,
		      const u64 gpr[GPRS])
{
	return op->rep && cut(gpr[RCX], insn->addr_size) == 0;
}

static void advance(u64 *reg, u64 by, unsigned addr_size)
{
	write_part(reg, *reg + by, addr_size, 0);
}

bool mmio_string_step(const struct mmio_op *op, const struct insn *insn,
		      u64 gpr[GPRS], u64 rflags)
{
	u64 by = rflags & FLAG_DF ? -(u64)op->size : op->size;

	if (op->kind != MMIO_STOS)
		advance(&gpr[RSI], by, insn->addr_size);
	if (op->kind != MMIO_LODS)
		advance(&gpr[RDI], by, insn->addr_size);
	if (!op->rep)
		return false;
	advance(&gpr[RCX], -1ULL, insn->addr_size);
	return !mmio_string_done(op, insn, gpr);
}
