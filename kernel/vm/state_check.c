/*
 * The rules a guest state must keep to be entered, checked in software before
 * the hardware sees it: the union of what VMX (SDM vol. 3C 27.3.1) and SVM (APM
 * vol. 2 15.5.1) require and of what the architecture makes impossible.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "vm/rules.h"
#include "vm/state.h"

#define RULES_OF struct vcpu_state

#define EVENT_IS(what) IS(pending.kind, ~0, what)
#define LINEAR(name, field)                  \
	{                                    \
		name " %lx: not canonical",  \
		{                            \
			NOT_CANONICAL(field) \
		}                            \
	}

static const struct rule rules[] = {
	/* control registers */
	{"CR0 %lx: upper half set", {ANY(cr0, UPPER_HALF)}},
	{"CR0 %lx: PG without PE", {ANY(cr0, CR0_PG), NONE(cr0, CR0_PE)}},
	{"CR0 %lx: NW without CD", {ANY(cr0, CR0_NW), NONE(cr0, CR0_CD)}},
	{"EFER %lx: LMA without LME",
	 {ANY(efer, EFER_LMA), NONE(efer, EFER_LME)}},
	{"EFER %lx: LMA without CR0.PG",
	 {ANY(efer, EFER_LMA), NONE(cr0, CR0_PG)}},
	{"EFER %lx: LME and CR0.PG without LMA",
	 {NONE(efer, EFER_LMA), ANY(efer, EFER_LME), ANY(cr0, CR0_PG)}},
	{"CR4 %lx: long mode, no PAE",
	 {NONE(cr4, CR4_PAE), ANY(efer, EFER_LMA)}},
	{"CR4 %lx: PCIDE outside long mode",
	 {ANY(cr4, CR4_PCIDE), NONE(efer, EFER_LMA)}},
	{"CR8 %lx: above 15", {ABOVE(cr8, 15)}},
	{"PAT %lx: unknown memory type", {BAD_PAT(pat)}},
	{"XCR0 %lx: no x87", {NONE(xcr0, 1)}},
	{"XCR0 %lx: AVX without SSE", {IS(xcr0, 6, 4)}},
	{"DR6 %lx: upper half set", {ANY(dr6, UPPER_HALF)}},
	{"DR7 %lx: upper half set", {ANY(dr7, UPPER_HALF)}},

	/* RFLAGS */
	{"RFLAGS %lx: bit 1 clear", {NONE(rflags, RFLAGS_R1)}},
	{"RFLAGS %lx: reserved bits", {ANY(rflags, ~0x3f7fd7ULL)}},
	{"RFLAGS %lx: VM in real mode",
	 {ANY(rflags, RFLAGS_VM), NONE(cr0, CR0_PE)}},
	{"RFLAGS %lx: VM in long mode",
	 {ANY(rflags, RFLAGS_VM), ANY(efer, EFER_LMA)}},

	/* addresses */
	LINEAR("GDTR.base", gdtr.base),
	LINEAR("IDTR.base", idtr.base),
	LINEAR("FS.base", seg[FS].base),
	LINEAR("GS.base", seg[GS].base),
	LINEAR("LDTR.base", seg[LDTR].base),
	LINEAR("TR.base", seg[TR].base),
	LINEAR("KERNEL_GS_BASE", kernel_gs_base),
	LINEAR("LSTAR", lstar),
	LINEAR("CSTAR", cstar),
	LINEAR("SYSENTER_ESP", sysenter_esp),
	LINEAR("SYSENTER_EIP", sysenter_eip),
	LINEAR("RIP", rip),
	{"GDTR.limit %lx: above ffff", {ABOVE(gdtr.limit, 0xffff)}},
	{"IDTR.limit %lx: above ffff", {ABOVE(idtr.limit, 0xffff)}},
	{"RIP %lx: upper half set outside long mode",
	 {ANY(rip, UPPER_HALF), NONE(efer, EFER_LMA)}},
	{"RIP %lx: upper half set outside 64-bit code",
	 {ANY(rip, UPPER_HALF), NONE(seg[CS].attr, SEG_L)}},

	/* CS and TR */
	{"CS attributes %lx: not present", {NONE(seg[CS].attr, SEG_P)}},
	{"CS attributes %lx: a system segment", {NONE(seg[CS].attr, SEG_S)}},
	{"CS attributes %lx: L and D in long mode",
	 {IS(seg[CS].attr, SEG_L | SEG_DB, SEG_L | SEG_DB),
	  ANY(efer, EFER_LMA)}},
	{"TR attributes %lx: not present", {NONE(seg[TR].attr, SEG_P)}},
	{"TR attributes %lx: not a system segment", {ANY(seg[TR].attr, SEG_S)}},
	{"TR attributes %lx: not a busy TSS", {IS_NOT(seg[TR].attr, 7, 3)}},
	{"TR attributes %lx: a 16-bit TSS in long mode",
	 {IS(seg[TR].attr, SEG_TYPE, 3), ANY(efer, EFER_LMA)}},

	/* what is no register */
	{"event of unknown kind %lx", {ABOVE(pending.kind, EVENT_ICEBP)}},
	{"exception with vector %lx",
	 {ABOVE(pending.vector, 31), EVENT_IS(EVENT_EXCEPTION)}},
	{"NMI with vector %lx",
	 {IS_NOT(pending.vector, ~0, 2), EVENT_IS(EVENT_NMI)}},
	{"event of an instruction of %lx bytes",
	 {ABOVE(pending.ilen, 15), ABOVE(pending.kind, EVENT_EXCEPTION)}},
	{"activity %lx unknown", {ABOVE(activity, ACTIVITY_WAIT_SIPI)}},
	{"interrupt shadow %lx unknown", {ABOVE(shadow, 3)}},
};

#undef RULES_OF
#define RULES_OF struct segment

static const struct rule segment_rules[] = {
	{"attributes %lx: unknown bits", {ANY(attr, ~(u64)SEG_ATTR)}},
	{"limit %lx: G set, low bits not all ones",
	 {LACKS(limit, PAGE_MASK), ANY(attr, SEG_G)}},
	{"limit %lx: above 1 MiB without G",
	 {ABOVE(limit, 0xfffff), NONE(attr, SEG_G)}},
};

static err_t check_segment(const struct vcpu_state *s, unsigned i, char *why,
			   size_t size)
{
	static const char names[SEGMENTS][7] = {
		"ES: ", "CS: ", "SS: ",	  "DS: ",
		"FS: ", "GS: ", "LDTR: ", "TR: "};
	const struct segment *seg = &s->seg[i];

	/* One form only (SDM vol. 3C 27.3.1.2). */
	if (i <= GS && (s->rflags & RFLAGS_VM) &&
	    seg->base != (u64)seg->selector << 4)
		return rule_broken(why, size,
				   "%sbase %lx: not selector %x times 16",
				   names[i], seg->base, seg->selector);
	if (!(seg->attr & SEG_P))
		return E_OK;
	return rules_check(segment_rules, ARRAY_LEN(segment_rules), seg,
			   names[i], why, size);
}

/* What depends on the host, or on what the guest's CPUID has. */
static err_t check_limits(const struct vcpu_state *s,
			  const struct state_limits *limits, char *why,
			  size_t size)
{
	const struct {
		const char *name;
		u64 value, allowed;
	} words[] = {
		{"CR3", s->cr3, BIT(limits->phys_bits) - 1},
		{"CR4", s->cr4, limits->cr4_allowed},
		{"EFER", s->efer, limits->efer_allowed},
		{"XCR0", s->xcr0, limits->xcr0_allowed},
	};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].value & ~words[i].allowed)
			return rule_broken(why, size,
					   "%s %lx: bits %lx are not offered",
					   words[i].name, words[i].value,
					   words[i].value & ~words[i].allowed);
	return E_OK;
}

err_t state_check(const struct vcpu_state *state,
		  const struct state_limits *limits, char *why, size_t size)
{
	err_t err = check_limits(state, limits, why, size);

	if (!err)
		err = rules_check(rules, ARRAY_LEN(rules), state, "", why,
				  size);
	for (unsigned i = 0; !err && i < SEGMENTS; i++)
		err = check_segment(state, i, why, size);
	return err;
}
