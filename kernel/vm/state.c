#include "vm/state.h"

#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"

void state_reset(struct vcpu_state *state, u32 cpuid_signature)
{
	memset(state, 0, sizeof(*state));
	for (unsigned i = ES; i <= GS; i++)
		state->seg[i] = (struct segment){
			0, SEG_P | SEG_S | 3 /* data, accessed */, 0xffff, 0};
	state->seg[CS] = (struct segment){
		0xf000, SEG_P | SEG_S | 11 /* code, accessed */, 0xffff,
		0xffff0000};
	state->seg[LDTR] = (struct segment){0, SEG_P | 2, 0xffff, 0};
	state->seg[TR] = (struct segment){0, SEG_P | 11, 0xffff, 0};
	state->gdtr.limit = state->idtr.limit = 0xffff;
	state->gpr[RDX] = cpuid_signature;
	state->rip = 0xfff0;
	state->rflags = RFLAGS_R1;
	state->cr0 = CR0_CD | CR0_NW | CR0_ET;
	state->dr6 = 0xffff0ff0;
	state->dr7 = 0x400;
	state->pat = PAT_DEFAULT;
	state->xcr0 = 1;
	/* The legacy area at reset: FCW 0x40, MXCSR 0x1f80 (SDM table 10-1). */
	state->xsave[0] = 0x40;
	state->xsave[24] = 0x80;
	state->xsave[25] = 0x1f;
	state->xsave[512] = 3; /* XSTATE_BV: x87 and SSE are in the area */
}

enum cpu_mode state_mode(const struct vcpu_state *state)
{
	if (!(state->cr0 & CR0_PE))
		return MODE_REAL;
	if (state->rflags & RFLAGS_VM)
		return MODE_VM86;
	if ((state->efer & EFER_LMA) && (state->seg[CS].attr & SEG_L))
		return MODE_64;
	return state->seg[CS].attr & SEG_DB ? MODE_32 : MODE_16;
}

const char *mode_name(enum cpu_mode mode)
{
	static const char *const names[] = {
		[MODE_REAL] = "real mode",	[MODE_VM86] = "virtual 8086",
		[MODE_16] = "16-bit protected", [MODE_32] = "32-bit protected",
		[MODE_64] = "64-bit",
	};

	return names[mode];
}

/*
 * What an unusable segment register still holds: its selector, FS's and GS's
 * base (64-bit mode uses it), and SS.DPL, which is the CPL.
 */
static void normalise_segment(struct vcpu_state *state, unsigned index)
{
	struct segment *seg = &state->seg[index];

	seg->attr &= SEG_ATTR;
	if (seg->attr & SEG_P)
		return;
	seg->attr = index == SS ? seg->attr & SEG_DPL : 0;
	seg->limit = 0;
	if (index != FS && index != GS)
		seg->base = 0;
}

void state_normalise(struct vcpu_state *state)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		normalise_segment(state, i);
	if (!state->pdpte_valid)
		memset(state->pdpte, 0, sizeof(state->pdpte));
	if (state->pending.kind == EVENT_NONE)
		memset(&state->pending, 0, sizeof(state->pending));
}

#define FIELD_MAX(name, member, count, max) \
	DEVICE_FIELD_AS(name, struct vcpu_state, member, count, max)
#define FIELD(name, member, count) FIELD_MAX(name, member, count, 0)
#define SEGMENT_FIELDS(name, index)                        \
	FIELD(name ".selector", seg[index].selector, 1),   \
		FIELD(name ".attr", seg[index].attr, 1),   \
		FIELD(name ".limit", seg[index].limit, 1), \
		FIELD(name ".base", seg[index].base, 1)

static const struct device_field fields[] = {
	FIELD("rax", gpr[RAX], 1),
	FIELD("rcx", gpr[RCX], 1),
	FIELD("rdx", gpr[RDX], 1),
	FIELD("rbx", gpr[RBX], 1),
	FIELD("rsp", gpr[RSP], 1),
	FIELD("rbp", gpr[RBP], 1),
	FIELD("rsi", gpr[RSI], 1),
	FIELD("rdi", gpr[RDI], 1),
	FIELD("r8", gpr[R8], 1),
	FIELD("r9", gpr[R9], 1),
	FIELD("r10", gpr[R10], 1),
	FIELD("r11", gpr[R11], 1),
	FIELD("r12", gpr[R12], 1),
	FIELD("r13", gpr[R13], 1),
	FIELD("r14", gpr[R14], 1),
	FIELD("r15", gpr[R15], 1),
	FIELD("rip", rip, 1),
	FIELD("rflags", rflags, 1),
	SEGMENT_FIELDS("es", ES),
	SEGMENT_FIELDS("cs", CS),
	SEGMENT_FIELDS("ss", SS),
	SEGMENT_FIELDS("ds", DS),
	SEGMENT_FIELDS("fs", FS),
	SEGMENT_FIELDS("gs", GS),
	SEGMENT_FIELDS("ldtr", LDTR),
	SEGMENT_FIELDS("tr", TR),
	FIELD("gdtr.base", gdtr.base, 1),
	FIELD("gdtr.limit", gdtr.limit, 1),
	FIELD("idtr.base", idtr.base, 1),
	FIELD("idtr.limit", idtr.limit, 1),
	FIELD("cr0", cr0, 1),
	FIELD("cr2", cr2, 1),
	FIELD("cr3", cr3, 1),
	FIELD("cr4", cr4, 1),
	FIELD("cr8", cr8, 1),
	FIELD("efer", efer, 1),
	FIELD("xcr0", xcr0, 1),
	FIELD("dr0", dr[0], 1),
	FIELD("dr1", dr[1], 1),
	FIELD("dr2", dr[2], 1),
	FIELD("dr3", dr[3], 1),
	FIELD("dr6", dr6, 1),
	FIELD("dr7", dr7, 1),
	FIELD("star", star, 1),
	FIELD("lstar", lstar, 1),
	FIELD("cstar", cstar, 1),
	FIELD_MAX("sfmask", sfmask, 1, UINT32_MAX),
	FIELD("kernel_gs_base", kernel_gs_base, 1),
	FIELD("sysenter_cs", sysenter_cs, 1),
	FIELD("sysenter_esp", sysenter_esp, 1),
	FIELD("sysenter_eip", sysenter_eip, 1),
	FIELD("pat", pat, 1),
	FIELD_MAX("tsc_aux", tsc_aux, 1, UINT32_MAX),
	FIELD("debugctl", debugctl, 1),
	FIELD("tsc", tsc, 1),
	FIELD("pdpte", pdpte, 4),
	FIELD("pending.kind", pending.kind, 1),
	FIELD("pending.vector", pending.vector, 1),
	FIELD_MAX("pending.has_error", pending.has_error, 1, 1),
	FIELD("pending.ilen", pending.ilen, 1),
	FIELD("pending.error", pending.error, 1),
	FIELD("shadow", shadow, 1),
	FIELD_MAX("nmi_blocked", nmi_blocked, 1, 1),
	FIELD("activity", activity, 1),
	FIELD_MAX("pdpte_valid", pdpte_valid, 1, 1),
	FIELD("xsave", xsave, XSAVE_AREA),
};

const struct device_description vcpu_description = {
	"vcpu", 1, ARRAY_LEN(fields), fields, NULL};

const char *state_difference(const struct vcpu_state *a,
			     const struct vcpu_state *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		const struct device_field *f = &fields[i];

		if (memcmp((const u8 *)a + f->offset, (const u8 *)b + f->offset,
			   (size_t)f->size * f->count))
			return f->name;
	}
	return NULL;
}

void state_dump(const struct vcpu_state *s)
{
	static const char *const gpr_names[GPRS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
	static const char *const segment_names[SEGMENTS] = {
		"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

	log_error("  %s, rip %016lx rflags %08lx", mode_name(state_mode(s)),
		  s->rip, s->rflags);
	for (unsigned i = 0; i < GPRS; i += 4)
		log_error("  %s %016lx  %s %016lx  %s %016lx  %s %016lx",
			  gpr_names[i], s->gpr[i], gpr_names[i + 1],
			  s->gpr[i + 1], gpr_names[i + 2], s->gpr[i + 2],
			  gpr_names[i + 3], s->gpr[i + 3]);
	for (unsigned i = 0; i < SEGMENTS; i++)
		log_error("  %-4s %04x base %016lx limit %08x attr %03x",
			  segment_names[i], s->seg[i].selector, s->seg[i].base,
			  s->seg[i].limit, s->seg[i].attr);
	log_error("  gdt %016lx/%x idt %016lx/%x", s->gdtr.base, s->gdtr.limit,
		  s->idtr.base, s->idtr.limit);
	log_error("  cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx xcr0 %lx", s->cr0,
		  s->cr2, s->cr3, s->cr4, s->efer, s->xcr0);
	if (s->pending.kind != EVENT_NONE)
		log_error("  pending event kind %u vector %u error %x",
			  s->pending.kind, s->pending.vector, s->pending.error);
}
