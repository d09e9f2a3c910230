#include "vm/decoder.h"

/* size bytes, little endian, sign-extended. */
static i64 fetch(struct decoder *d, unsigned size)
{
	u64 bits = 0;
	unsigned shift = 64 - 8 * size, i;

	if (size == 0)
		return 0;
	for (i = 0; i < size; i++)
		bits |= (u64)fetch_u8(d) << (8 * i);
	return (i64)(bits << shift) >> shift;
}

/* --- ModRM: which forms exist */

/* Members of groups that are for 64-bit mode only. */
static bool only_64(const struct decoder *d, u8 modrm)
{
	if (d->insn->map != MAP_0F)
		return false;
	switch (d->insn->opcode) {
	case 0x01: /* SWAPGS; UIRET, TESTUI, CLUI, STUI; RMPADJUST, ... */
		return modrm == 0xf8 ||
		       (d->pp == PP_F3 && (modrm & 0xfc) == 0xec) ||
		       (d->pp >= PP_F3 && modrm == 0xfe);
	case 0xae: /* RDFSBASE ... WRGSBASE */
		return d->pp == PP_F3 && modrm < 0xe0;
	case 0xc7: /* SENDUIPI */
		return d->pp == PP_F3 && modrm < 0xf8;
	default:
		return false;
	}
}

static bool register_form_exists(const struct decoder *d, u8 form, u8 modrm)
{
	const struct insn *insn = d->insn;

	if (only_64(d, modrm) && !mode_64(insn))
		return false;
	switch (form) {
	case FORM_X87:
		return x87_register[insn->opcode & 7] >> (modrm & 63) & 1;
	case FORM_GROUP7:
		return group7_register[d->pp] >> (modrm & 63) & 1;
	case FORM_GROUP11:
		return (modrm & 0x38) == 0 || modrm == 0xf8;
	case FORM_HRESET:
		return d->pp == PP_F3 && modrm == 0xc0;
	case FORM_CR: /* 0, 2, 3, 4 and 8 */
		return insn->reg <= 8 && 0x11d >> insn->reg & 1;
	case FORM_DR:
		return insn->reg < 8;
	default:
		return forms[form].reg[d->pp] >> (modrm >> 3 & 7) & 1;
	}
}

static bool memory_form_exists(const struct decoder *d, u8 form, u8 reg)
{
	if (form == FORM_X87)
		return x87_memory[d->insn->opcode & 7] >> reg & 1;
	return forms[form].mem[d->pp] >> reg & 1;
}

static bool form_exists(const struct decoder *d, u8 form, u8 modrm)
{
	const struct insn *insn = d->insn;
	u8 reg = modrm >> 3 & 7;

	if (insn->prefixes & PREFIX_LOCK && form != FORM_CR &&
	    (insn->mod == 3 || !(forms[form].lock >> reg & 1)))
		return false;
	return insn->mod == 3 ? register_form_exists(d, form, modrm)
			      : memory_form_exists(d, form, reg);
}

/* --- ModRM: the operands */

/* SDM volume 2, table 2-1. */
static void take_memory_16(struct decoder *d)
{
	static const u8 base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
	static const u8 index[4] = {RSI, RDI, RSI, RDI};
	struct insn *insn = d->insn;

	if (insn->mod == 0 && insn->rm == 6) {
		insn->disp = fetch(d, 2);
		return;
	}
	insn->base = base[insn->rm];
	if (insn->rm < 4) {
		insn->index = index[insn->rm];
		insn->scale = 1;
	}
	insn->disp = fetch(d, insn->mod);
}

/* SDM volume 2, tables 2-2 and 2-3; for 64-bit mode 2.2.1.2 and 2.2.1.6. */
static void take_memory_32(struct decoder *d)
{
	struct insn *insn = d->insn;
	u8 base = insn->rm, sib;

	if (base == 4) {
		sib = fetch_u8(d);
		base = sib & 7;
		insn->index = (sib >> 3 & 7) | (insn->rex & REX_X) << 2;
		insn->scale = 1 << (sib >> 6);
		if (insn->index == RSP)
			insn->index = REG_NONE;
	}
	if (base == 5 && insn->mod == 0) {
		insn->rip_relative = insn->rm == 5 && mode_64(insn);
		insn->disp = fetch(d, 4);
		return;
	}
	insn->base = base | (insn->rex & REX_B) << 3;
	insn->disp = fetch(d, insn->mod == 2 ? 4 : insn->mod);
}

static void take_memory(struct decoder *d)
{
	struct insn *insn = d->insn;

	insn->memory = true;
	if (insn->addr_size == 2)
		take_memory_16(d);
	else
		take_memory_32(d);
	if (!(insn->prefixes & PREFIX_SEGMENT) &&
	    (insn->base == RSP || insn->base == RBP))
		insn->segment = SS;
}

static void take_modrm(struct decoder *d, u8 form)
{
	struct insn *insn = d->insn;
	u8 modrm = fetch_u8(d);

	insn->has_modrm = true;
	insn->mod = modrm >> 6;
	insn->reg = (modrm >> 3 & 7) | (insn->rex & REX_R) << 1;
	insn->rm = modrm & 7;
	/* MOV CR and DR take any mod for 3 (SDM, APM: MOV CRn, MOV DRn). */
	if (form == FORM_CR || form == FORM_DR)
		insn->mod = 3;
	/* CR8 outside 64-bit mode: LOCK MOV CR0 (APM volume 3, MOV CRn). */
	if (form == FORM_CR && insn->prefixes & PREFIX_LOCK)
		insn->reg |= 8;
	if (!form_exists(d, form, modrm))
		decoder_fail(d, E_FORMAT);
	else if (insn->mod == 3)
		insn->rm |= (insn->rex & REX_B) << 3;
	else
		take_memory(d);
}

/* --- operand size and immediate */

/* Groups whose members differ in more than their operation. */
static u16 settle_group(const struct decoder *d, u16 op)
{
	u8 reg = d->insn->reg & 7;

	switch (OP_FORM(op)) {
	case FORM_GROUP3: /* only TEST has an immediate */
		return reg < 2 ? op : op & ~OP_IMM;
	case FORM_GROUP5: /* near CALL and JMP; PUSH */
		if (reg == 2 || reg == 4)
			return op | OP_F64;
		return reg == 6 ? op | OP_D64 : op;
	case FORM_0F78: /* EXTRQ and INSERTQ have two, VMREAD none */
		return d->pp == PP_NONE ? op & ~OP_IMM : op;
	default:
		return op;
	}
}

static u8 find_op_size(const struct insn *insn, u16 op)
{
	bool opsize = insn->prefixes & PREFIX_OPSIZE;
	u8 form = OP_FORM(op);

	if (op & OP_BYTE)
		return 1;
	if (!mode_64(insn)) {
		if (form == FORM_CR || form == FORM_DR)
			return 4;
		return (insn->mode == DECODE_32) != opsize ? 4 : 2;
	}
	if (insn->rex & REX_W || op & OP_F64)
		return 8;
	if (opsize)
		return 2;
	return op & OP_D64 ? 8 : 4;
}

static void take_far_pointer(struct decoder *d)
{
	d->insn->imm_size = d->insn->op_size;
	d->insn->imm = fetch(d, d->insn->op_size);
	d->insn->imm2 = (u16)fetch(d, 2);
}

static void take_immediate(struct decoder *d, enum imm_kind kind)
{
	static const u8 sizes[] = {[IMM_B] = 1,
				   [IMM_W] = 2,
				   [IMM_D] = 4,
				   [IMM_WB] = 2,
				   [IMM_BB] = 1};
	struct insn *insn = d->insn;

	switch (kind) {
	case IMM_MOFFS:
		insn->memory = true;
		insn->disp = fetch(d, insn->addr_size);
		return;
	case IMM_FAR:
		take_far_pointer(d);
		return;
	case IMM_V:
		insn->imm_size = insn->op_size;
		break;
	case IMM_Z:
		insn->imm_size = MIN(insn->op_size, 4);
		break;
	default:
		insn->imm_size = sizes[kind];
	}
	insn->imm = fetch(d, insn->imm_size);
	if (kind == IMM_WB || kind == IMM_BB)
		insn->imm2 = fetch_u8(d);
}

/* 3DNow! has its opcode where others have an immediate. */
static void settle_3dnow(struct decoder *d)
{
	struct insn *insn = d->insn;

	insn->opcode = (u8)insn->imm;
	insn->imm = 0;
	insn->imm_size = 0;
	if (find_form(MAP_3DNOW, insn->opcode) == FORMS)
		decoder_fail(d, E_FORMAT);
}

/* All that follows the opcode. */
static void take_operands(struct decoder *d, u16 op)
{
	struct insn *insn = d->insn;

	if ((op & OP_IMM) == IMM_BAD || (op & OP_NO64 && mode_64(insn))) {
		decoder_fail(d, E_FORMAT);
		return;
	}
	if (op & OP_MODRM) {
		take_modrm(d, OP_FORM(op));
		op = settle_group(d, op);
	} else if (insn->prefixes & PREFIX_LOCK ||
		   !(forms[OP_FORM(op)].reg[d->pp] & 1)) {
		decoder_fail(d, E_FORMAT);
	}
	insn->op_size = find_op_size(insn, op);
	if (op & OP_IMM)
		take_immediate(d, op & OP_IMM);
	if (insn->map == MAP_3DNOW)
		settle_3dnow(d);
}

/*
 * What is intercepted most, CPUID, HLT, RDMSR, OUT, is an opcode and nothing
 * else: it must not pay for the rest.
 */
static bool decode_plain(const u8 *bytes, size_t avail, struct insn *insn)
{
	bool two = avail > 1 && bytes[0] == 0x0f;
	u16 op;

	if (avail == 0)
		return false;
	op = two ? two_byte_ops[bytes[1]] : one_byte_ops[bytes[0]];
	if (op & ~OP_BYTE)
		return false;
	insn->length = 1 + two;
	insn->map = two ? MAP_0F : MAP_ONE_BYTE;
	insn->opcode = bytes[two];
	insn->op_size = op & OP_BYTE ? 1 : insn->mode == DECODE_16 ? 2 : 4;
	return true;
}

static __attribute__((noinline)) err_t decode_any(const u8 *bytes, size_t avail,
						  struct insn *insn)
{
	struct decoder d = {
		.next = bytes,
		.end = bytes + MIN(avail, INSN_MAX),
		.insn = insn,
		.at_end = avail < INSN_MAX ? E_RANGE : E_FORMAT,
	};
	u8 byte = take_prefixes(&d);

	take_operands(&d, take_opcode(&d, byte));
	insn->length = d.next - bytes;
	return d.err;
}

err_t decode(const u8 *bytes, size_t avail, enum decode_mode mode,
	     struct insn *insn)
{
	*insn = (struct insn){
		.mode = mode,
		.addr_size = 2 << mode,
		.segment = DS,
		.base = REG_NONE,
		.index = REG_NONE,
	};
	if (likely(decode_plain(bytes, avail, insn)))
		return E_OK;
	return decode_any(bytes, avail, insn);
}

/* --- addresses */

u64 insn_offset(const struct insn *insn, const u64 gpr[GPRS], u64 next_rip)
{
	u64 offset = (u64)insn->disp;

	if (insn->rip_relative)
		offset += next_rip;
	if (insn->base != REG_NONE)
		offset += gpr[insn->base];
	if (insn->index != REG_NONE)
		offset += gpr[insn->index] * insn->scale;
	return cut(offset, insn->addr_size);
}

u64 insn_linear(const struct insn *insn, u8 segment, u64 offset,
		const struct segment *segments)
{
	if (mode_64(insn))
		return offset + (segment >= FS ? segments[segment].base : 0);
	return (u32)(offset + segments[segment].base);
}
