#include "vm/decoder.h"

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

u8 take_prefixes(struct decoder *d)
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

u8 find_form(u8 map, u8 opcode)
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

u16 take_opcode(struct decoder *d, u8 byte)
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
		decoder_fail(d, d->at_end);
	else if (is_vex(d->insn, byte, *d->next))
		return take_vex(d, byte);
	return op;
}
