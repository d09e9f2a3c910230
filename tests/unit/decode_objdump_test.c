/*
 * The decoder against an independent disassembler: objdump of binutils. The
 * instructions are made from fixed seeds, in all three modes.
 *
 *	links: kernel/vm/decode.c kernel/vm/decode_opcode.c
 *	links: kernel/vm/decode_tables.c
 *	links: tests/unit/decode_candidates.c
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/decode_candidates.h"
#include "tests/unit/test.h"

#define PER_MODE 400000
#define VECTORS	 1200000

/* --- where objdump and the processors differ -------------------------------
 */

enum difference { SAME, ONLY_OURS, ONLY_THEIRS, LENGTH };

struct disagreement {
	const struct insn *insn;
	const struct verdict *verdict;
	enum difference difference;
};

static bool is_0f(const struct disagreement *d, u8 first, u8 last)
{
	return d->insn->map == MAP_0F && d->insn->opcode >= first &&
	       d->insn->opcode <= last;
}

static bool lock(const struct disagreement *d)
{
	return d->difference == ONLY_THEIRS && d->insn->prefixes & PREFIX_LOCK;
}

static bool vex_prefix(const struct disagreement *d)
{
	u8 byte = d->insn->opcode;
	unsigned i;

	if (d->difference != ONLY_THEIRS || d->insn->map != MAP_ONE_BYTE ||
	    (byte != 0xc4 && byte != 0xc5 && byte != 0x62 && byte != 0x8f))
		return false;
	for (i = 0; d->verdict->bytes[i] != byte; i++)
		if (d->verdict->bytes[i] >> 4 == 4 ||
		    d->verdict->bytes[i] == 0x66 ||
		    d->verdict->bytes[i] >= 0xf0)
			return true;
	return false;
}

static bool stray_rex(const struct disagreement *d)
{
	const char *rex = strstr(d->verdict->text, "rex");

	return d->difference != ONLY_THEIRS && d->insn->mode == DECODE_64 &&
	       rex && !strchr(rex, ' ');
}

static bool fwait(const struct disagreement *d)
{
	const u8 *after = d->verdict->bytes + d->insn->length;
	struct insn next;

	if (d->difference == ONLY_THEIRS || d->insn->map != MAP_ONE_BYTE ||
	    d->insn->opcode != 0x9b)
		return false;
	decode(after, d->verdict->bytes + CANDIDATE - after, d->insn->mode,
	       &next);
	return next.map == MAP_ONE_BYTE &&
	       (next.opcode == 0x9b || (next.opcode & 0xf8) == 0xd8);
}

static bool fourteen_prefixes(const struct disagreement *d)
{
	return d->difference == ONLY_OURS && d->insn->length == INSN_MAX &&
	       d->verdict->length == INSN_MAX - 1;
}

static bool no_register(const struct disagreement *d)
{
	bool segment = d->insn->map == MAP_ONE_BYTE &&
		       (d->insn->opcode == 0x8c || d->insn->opcode == 0x8e);

	return d->difference == ONLY_THEIRS &&
	       (segment || is_0f(d, 0x20, 0x23));
}

static bool old_opcode(const struct disagreement *d)
{
	return d->difference == ONLY_THEIRS &&
	       (is_0f(d, 0x24, 0x26) || is_0f(d, 0xa6, 0xa7) ||
		strstr(d->verdict->text, "287 only"));
}

static bool unused_prefix(const struct disagreement *d)
{
	u8 prefixes = PREFIX_OPSIZE | PREFIX_REP | PREFIX_REPNE;

	return d->difference == ONLY_THEIRS && d->insn->prefixes & prefixes &&
	       (is_0f(d, 0xae, 0xae) || is_0f(d, 0xc7, 0xc7) ||
		is_0f(d, 0xd7, 0xd7));
}

static bool only_64_bit(const struct disagreement *d)
{
	return d->difference == ONLY_THEIRS && d->insn->mode != DECODE_64 &&
	       (is_0f(d, 0x01, 0x01) || is_0f(d, 0xae, 0xae) ||
		is_0f(d, 0xc7, 0xc7));
}

static bool hint(const struct disagreement *d)
{
	return d->difference == ONLY_OURS &&
	       (is_0f(d, 0x0d, 0x0d) || is_0f(d, 0x1a, 0x1b));
}

static bool ignored_field(const struct disagreement *d)
{
	return d->difference == ONLY_OURS &&
	       (is_0f(d, 0x09, 0x09) || is_0f(d, 0xbc, 0xbd) ||
		is_0f(d, 0xae, 0xae) || is_0f(d, 0x01, 0x01));
}

static const struct exception {
	bool (*applies)(const struct disagreement *);
	const char *reason; /* SDM: Intel's volume 2; APM: AMD's volume 3 */
} exceptions[] = {
	{lock, "#UD: LOCK is for some memory destinations only (SDM, LOCK)"},
	{vex_prefix,
	 "#UD: REX, 66, F2, F3, LOCK before VEX (SDM 2.3.2-4, APM 1.2.7)"},
	{stray_rex, "REX not before the opcode is ignored (SDM 2.2.1); objdump "
		    "shows it as a line of its own"},
	{fwait, "WAIT is an instruction; objdump shows FSTCW for WAIT, FNSTCW"},
	{fourteen_prefixes,
	 "one opcode byte after 14 prefixes is 15 bytes, and "
	 "legal (SDM 2.3.11); objdump stops at 14"},
	{no_register, "#UD: CR1, CR5-7, CR9-15, DR8-15, segments 6 and 7, MOV "
		      "to CS (SDM, MOV)"},
	{old_opcode, "test registers of the 486, FRSTPM of the 287, VIA's own"},
	{unused_prefix,
	 "#UD: marked NP (SDM 3.1.1.1); objdump shows the prefix "
	 "and decodes on"},
	{only_64_bit, "#UD outside 64-bit mode: SWAPGS, RDFSBASE and its kind, "
		      "UIRET, SENDUIPI (SDM)"},
	{hint, "NOPs where the hint is unknown (SDM A.3, table A-3): register "
	       "PREFETCHW, MPX with BND4-7"},
	{ignored_field, "ignored: the rm of fences, F2 before BSF and BSR, a "
			"prefix before WBINVD (SDM) or TLBSYNC (APM)"},
};

static unsigned uses[ARRAY_LEN(exceptions)];

static bool excepted(const struct disagreement *d)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(exceptions); i++)
		if (exceptions[i].applies(d)) {
			uses[i]++;
			return true;
		}
	return false;
}

/* --- the text of operands --------------------------------------------------
 */

static const char *reg_name(u8 reg, u8 size)
{
	static const char *const low[8] = {"ax", "cx", "dx", "bx",
					   "sp", "bp", "si", "di"};
	static char names[4][8];
	static unsigned turn;
	char *name = names[turn++ % 4];

	if (reg < 8)
		snprintf(name, 8, "%s%s",
			 size == 8   ? "r"
			 : size == 4 ? "e"
				     : "",
			 low[reg]);
	else
		snprintf(name, 8, "r%u%s", reg,
			 size == 8   ? ""
			 : size == 4 ? "d"
				     : "w");
	return name;
}

static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* objdump shows a SIB byte that it could do without by a register "iz". */
static void put_index(const struct insn *insn, char *text, size_t size)
{
	bool needed = insn->base == REG_NONE
			      ? insn->addr_size == 8 || insn->mode == DECODE_16
			      : (insn->base & 7) == RSP;

	*text = 0;
	if (insn->scale == 0 ||
	    (insn->scale == 1 && insn->index == REG_NONE && needed))
		return;
	if (insn->addr_size == 2)
		snprintf(text, size, "+%s", reg_name(insn->index, 2));
	else
		snprintf(text, size, "+%s*%u",
			 insn->index != REG_NONE
				 ? reg_name(insn->index, insn->addr_size)
			 : insn->addr_size == 8 ? "riz"
						: "eiz",
			 insn->scale);
}

static void put_memory(const struct insn *insn, char *text, size_t size)
{
	char index[16], disp[32] = "", base[8] = "", segment[8] = "";
	bool needless_sib = insn->base == REG_NONE && insn->index == REG_NONE;
	bool negative =
		insn->disp < 0 && !(needless_sib && insn->mode == DECODE_64 &&
				    insn->addr_size == 4);
	u64 address = cut(insn->disp, insn->addr_size);

	put_index(insn, index, sizeof(index));
	if (insn->prefixes & PREFIX_SEGMENT)
		snprintf(segment, sizeof(segment),
			 "%s:", segments[insn->segment]);
	if (insn->base == REG_NONE && !*index && !insn->rip_relative) {
		snprintf(text, size, "%s:0x%lx", segments[insn->segment],
			 address);
		return;
	}
	if (insn->rip_relative)
		snprintf(disp, sizeof(disp), "+0x%lx", insn->disp);
	else if (insn->base == REG_NONE || insn->mod != 0)
		snprintf(disp, sizeof(disp), "%c0x%lx", negative ? '-' : '+',
			 negative ? -(u64)insn->disp : address);
	if (insn->rip_relative)
		snprintf(base, sizeof(base), "%s",
			 insn->addr_size == 8 ? "rip" : "eip");
	else if (insn->base != REG_NONE)
		snprintf(base, sizeof(base), "%s",
			 reg_name(insn->base, insn->addr_size));
	snprintf(text, size, "%s[%s%s%s]", segment, base,
		 index + (!*base && *index), disp);
}

/* Is the immediate shown, at the operand's size, and not an address? */
static bool shows_immediate(const struct insn *insn)
{
	u8 op = insn->opcode;

	if (insn->map != MAP_ONE_BYTE || !insn->imm_size)
		return false;
	return op < 0x40 || op == 0x69 || op == 0x6b ||
	       (op >= 0x80 && op <= 0x83) || op == 0xa8 || op == 0xa9 ||
	       (op >= 0xb0 && op <= 0xc1) ||
	       ((op & 0xfe) == 0xc6 && !(insn->reg & 7)) || (op & 0xfe) == 0xf6;
}

/* Not LEA and MPX, shown without a segment, nor gathers, nor NOTRACK jumps. */
static bool shows_memory(const struct insn *insn, const char *text)
{
	u8 op = insn->opcode;

	if (!insn->memory || !insn->has_modrm || insn->map >= MAP_VEX_0F)
		return false;
	return !(insn->map == MAP_ONE_BYTE && op == 0x8d) &&
	       !(insn->map == MAP_0F && (op == 0x1a || op == 0x1b)) &&
	       !strstr(text, "notrack");
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strcspn(text, "#"); /* a comment: rip's target */

	while (length && text[length - 1] == ' ')
		length--;
	return length >= strlen(end) &&
	       !strncmp(text + length - strlen(end), end, strlen(end));
}

static void check_text(const struct insn *insn, const struct verdict *v)
{
	char want[80] = "";
	bool count = (insn->opcode & 0xfe) == 0xc0; /* of a shift */

	if (shows_memory(insn, v->text))
		put_memory(insn, want, sizeof(want));
	if (!strstr(v->text, want))
		test_fail(__FILE__, __LINE__, "mode %u: %s, ours: %s",
			  insn->mode, v->text, want);
	if (!shows_immediate(insn))
		return;
	snprintf(want, sizeof(want), ",0x%lx",
		 cut(insn->imm, count ? 1 : insn->op_size));
	if (!ends_with(v->text, want))
		test_fail(__FILE__, __LINE__, "mode %u: %s, ours: %s",
			  insn->mode, v->text, want);
}

/* --- the comparison --------------------------------------------------------
 */

struct tally {
	unsigned valid, invalid;
	unsigned tried[OPCODE_MAPS][256], taken[OPCODE_MAPS][256];
};

static void disagree(const struct insn *insn, const struct verdict *v,
		     err_t err)
{
	char hex[3 * CANDIDATE + 1];
	unsigned i;

	for (i = 0; i < CANDIDATE; i++)
		snprintf(hex + 3 * i, 4, " %02x", v->bytes[i]);
	test_fail(__FILE__, __LINE__,
		  "mode %u,%s: ours: %d, map %u opcode %02x length %u; "
		  "objdump: length %u, %s",
		  insn->mode, hex, err, insn->map, insn->opcode, insn->length,
		  v->length, v->text);
}

static void judge(void *context, enum decode_mode mode, const struct verdict *v)
{
	struct tally *tally = context;
	struct insn insn;
	err_t err = decode(v->bytes, CANDIDATE, mode, &insn);
	struct disagreement d = {&insn, v, SAME};

	if (!err && insn.map >= MAP_VEX_0F) {
		/* Of these the opcode is judged, see decode.h. */
		tally->tried[insn.map][insn.opcode]++;
		tally->taken[insn.map][insn.opcode] += v->valid;
		if (!v->valid)
			return;
	}
	if (!err != v->valid)
		d.difference = err ? ONLY_THEIRS : ONLY_OURS;
	else if (!err && insn.length != v->length)
		d.difference = LENGTH;
	if (d.difference != SAME) {
		if (!excepted(&d))
			disagree(&insn, v, err);
		return;
	}
	if (err) {
		CHECK_EQ(err, E_FORMAT);
		tally->invalid++;
	} else {
		tally->valid++;
		check_text(&insn, v);
	}
}

TEST(agrees_with_objdump)
{
	static struct tally tally;
	unsigned judged = 0, mode, i;

	for (mode = DECODE_16; mode <= DECODE_64; mode++)
		judged += ask_objdump(mode, 0x600d + mode, PER_MODE,
				      make_candidate, judge, &tally);
	CHECK(judged > 3 * PER_MODE / 100 * 99);
	CHECK(tally.valid > judged / 2);
	CHECK(tally.invalid > judged / 20);
	for (i = 0; i < ARRAY_LEN(exceptions); i++)
		if (!uses[i])
			test_fail(__FILE__, __LINE__, "no use for: %s",
				  exceptions[i].reason);
}

/* No opcode of ours that objdump takes in no form, and the other way round. */
TEST(vector_opcodes_agree_with_objdump)
{
	static struct tally tally;
	unsigned map, opcode;

	ask_objdump(DECODE_64, 0xdec0de, VECTORS, make_vector_candidate, judge,
		    &tally);
	for (map = MAP_VEX_0F; map < OPCODE_MAPS; map++)
		for (opcode = 0; opcode < 256; opcode++)
			if (tally.tried[map][opcode] &&
			    !tally.taken[map][opcode])
				test_fail(__FILE__, __LINE__,
					  "map %u opcode %02x: not objdump's",
					  map, opcode);
}
