#include "vm/decode_tables.h"

/*
 * Errors stick: the first one counts, and what is fetched after it is zero, so
 * that only decode() needs to look.
 */
struct decoder {
	const u8 *next, *end;
	struct insn *insn;
	err_t err;
	err_t at_end; /* what it means to need more bytes */
	u8 pp;	      /* PP_*: the mandatory prefix */
};

static void fail(struct decoder *d, err_t err)
{
	if (!d->err)
		d->err = err;
}

static u8 fetch_u8(struct decoder *d)
{
	if (d->next == d->end) {
		fail(d, d->at_end);
		return 0;
	}
	return *d->next++;
}

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

static bool mode_64(const struct insn *insn)
{
	return insn->mode == DECODE_64;
}

/* --- before the opcode */

static void take_segment(struct insn *insn, u8 segment)
{
	/* CS, DS, ES and SS have no effect in 64-bit mode (APM 1, 4.5.3). */
	if (mode_64(insn) && segment < FS)
		return;
	insn->segment = segment;
	insn->prefixes |= PREFIX_SEGMENT;
}

/* False: byte is no prefix here. */
static bool take_prefix(struct insn *insn, u8 byte)
{
	if ((byte & 0xf0) == 0x40) {
		if (!mode_64(insn))
			return false;
		insn->has_rex = true;
		insn->rex = byte & 0xf;
		return true;
	}
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		take_segment(insn, byte >> 3 & 3);
		break;
	case 0x64:
	case 0x65:
		take_segment(insn, byte & 7);
		break;
	case 0x66:
		insn->prefixes |= PREFIX_OPSIZE;
		break;
	case 0x67:
		insn->prefixes |= PREFIX_ADDRSIZE;
		break;
	case 0xf0:
		insn->prefixes |= PREFIX_LOCK;
		break;
	case 0xf2:
	case 0xf3:
		insn->prefixes &= ~(PREFIX_REP | PREFIX_REPNE);
		insn->prefixes |= byte == 0xf2 ? PREFIX_REPNE : PREFIX_REP;
		break;
	default:
		return false;
	}
	/* A REX not directly before the opcode is ignored (SDM 2, 2.2.1). */
	insn->has_rex = false;
	insn->rex = 0;
	return true;
}

/* Prefixes, and the first byte that is none. */
static u8 take_prefixes(struct decoder *d)
{
	struct insn *insn = d->insn;
	u8 byte;

	do
		byte = fetch_u8(d);
	while (one_byte_ops[byte] & OP_SPECIAL && take_prefix(insn, byte));

	if (insn->prefixes & PREFIX_REPNE)
		d->pp = PP_F2;
	else if (insn->prefixes & PREFIX_REP)
		d->pp = PP_F3;
	else if (insn->prefixes & PREFIX_OPSIZE)
		d->pp = PP_66;
	if (insn->prefixes & PREFIX_ADDRSIZE)
		insn->addr_size = insn->mode == DECODE_32 ? 2 : 4;
	return byte;
}

/* --- the opcode */

/* The form of an opcode in a map with holes; FORMS: there is none. */
static u8 find_form(u8 map, u8 opcode)
{
	const struct opcode_range *range;
	unsigned i;

	for (i = 0; i < opcode_range_count; i++) {
		range = &opcode_ranges[i];
		if (range->map == map && opcode >= range->first &&
		    opcode <= range->last)
			return range->form;
	}
	return FORMS;
}

static u16 take_sparse(struct decoder *d, u8 map, enum imm_kind imm)
{
	u8 opcode = fetch_u8(d), form = find_form(map, opcode);

	d->insn->map = map;
	d->insn->opcode = opcode;
	if (form == FORMS)
		return IMM_BAD;
	return OP_MODRM | form << OP_FORM_SHIFT | imm;
}

/* Map 1 of VEX and EVEX keeps the immediates of 0F. */
static u16 take_vex_0f(struct decoder *d, u8 map)
{
	u16 op = take_sparse(d, map, IMM_NONE);
	u8 opcode = d->insn->opcode;

	if (map == MAP_VEX_0F && opcode == 0x77)
		return IMM_NONE; /* VZEROUPPER, VZEROALL */
	/* The shuffles, shifts and compares, and those of single elements. */
	if (op & OP_MODRM && ((opcode & 0xfc) == 0x70 || opcode == 0xc2 ||
			      (opcode >= 0xc4 && opcode <= 0xc6)))
		op |= IMM_B;
	return op;
}

static u16 take_vex_opcode(struct decoder *d, u8 map)
{
	switch (map) {
	case MAP_VEX_0F:
	case MAP_EVEX_0F:
		return take_vex_0f(d, map);
	case MAP_VEX_0F3A:
	case MAP_EVEX_0F3A:
	case MAP_XOP_8:
		return take_sparse(d, map, IMM_B);
	case MAP_XOP_A:
		return take_sparse(d, map, IMM_D);
	default:
		return take_sparse(d, map, IMM_NONE);
	}
}

/* Is the byte at hand VEX, EVEX or XOP, or the old instruction? */
static bool is_vex(const struct insn *insn, u8 byte, u8 after)
{
	if (byte == 0x8f)
		return (after & 0x1f) >= 8;    /* POP has reg 0 there */
	return mode_64(insn) || after >= 0xc0; /* else it needs memory */
}

/* By the second byte; OPCODE_MAPS: there is none. */
static u8 vex_map(u8 byte, u8 after)
{
	static const u8 vex[4] = {OPCODE_MAPS, MAP_VEX_0F, MAP_VEX_0F38,
				  MAP_VEX_0F3A};
	static const u8 evex[8] = {OPCODE_MAPS,	  MAP_EVEX_0F, MAP_EVEX_0F38,
				   MAP_EVEX_0F3A, OPCODE_MAPS, MAP_EVEX_5,
				   MAP_EVEX_6,	  OPCODE_MAPS};
	u8 number = after & 0x1f;

	switch (byte) {
	case 0xc5:
		return MAP_VEX_0F;
	case 0xc4:
		return number < 4 ? vex[number] : OPCODE_MAPS;
	case 0x62: /* bit 3 is reserved */
		return number & 8 ? OPCODE_MAPS : evex[number & 7];
	default:
		return number <= 10 ? MAP_XOP_8 + number - 8 : OPCODE_MAPS;
	}
}

/*
 * SDM volume 2, 2.3.5 and 2.7.1, APM volume 3, 1.2.7: R, X and B come inverted;
 * outside 64-bit mode there are only eight registers.
 */
static u16 take_vex(struct decoder *d, u8 byte)
{
	struct insn *insn = d->insn;
	u8 first = fetch_u8(d), map = vex_map(byte, first), second;
	u8 rex = ~first >> 5 & (REX_R | REX_X | REX_B);

	if (insn->has_rex || d->pp || insn->prefixes & PREFIX_LOCK ||
	    map == OPCODE_MAPS)
		return IMM_BAD; /* SDM volume 2, 2.3.2 to 2.3.4 */
	if (byte == 0xc5) {
		rex &= REX_R;
	} else {
		second = fetch_u8(d);
		rex |= second >> 4 & REX_W;
		if (byte == 0x62) {
			if (!(second & 4)) /* reserved, 1 */
				return IMM_BAD;
			fetch_u8(d);
		}
	}
	insn->rex = mode_64(insn) ? rex : rex & REX_W;
	return take_vex_opcode(d, map);
}

static u16 take_two_byte(struct decoder *d)
{
	u8 opcode = fetch_u8(d);

	if (opcode == 0x38)
		return take_sparse(d, MAP_0F38, IMM_NONE);
	if (opcode == 0x3a)
		return take_sparse(d, MAP_0F3A, IMM_B);
	d->insn->map = opcode == 0x0f ? MAP_3DNOW : MAP_0F;
	d->insn->opcode = opcode;
	return two_byte_ops[opcode];
}

static u16 take_opcode(struct decoder *d, u8 byte)
{
	u16 op = one_byte_ops[byte];

	d->insn->opcode = byte;
	if (!(op & OP_SPECIAL))
		return op;
	if (byte == 0x0f)
		return take_two_byte(d);
	if ((byte & 0xf0) == 0x40) /* INC, DEC */
		return op;
	if (d->next == d->end)
		fail(d, d->at_end);
	else if (is_vex(d->insn, byte, *d->next))
		return take_vex(d, byte);
	return op;
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
		fail(d, E_FORMAT);
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
		fail(d, E_FORMAT);
}

/* All that follows the opcode. */
static void take_operands(struct decoder *d, u16 op)
{
	struct insn *insn = d->insn;

	if ((op & OP_IMM) == IMM_BAD || (op & OP_NO64 && mode_64(insn))) {
		fail(d, E_FORMAT);
		return;
	}
	if (op & OP_MODRM) {
		take_modrm(d, OP_FORM(op));
		op = settle_group(d, op);
	} else if (insn->prefixes & PREFIX_LOCK ||
		   !(forms[OP_FORM(op)].reg[d->pp] & 1)) {
		fail(d, E_FORMAT);
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
