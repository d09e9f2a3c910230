/* What VMRUN asks of a VMCB (APM volume 2, 15.5.1). */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "svm/svm.h"
#include "vm/rules.h"

#define RULES_OF struct vmcb

#define LONG_MODE ANY(efer, EFER_LME), ANY(cr0, CR0_PG)
#define INJECTS(type, vector_mask, vector)                               \
	IS(event_inj,                                                    \
	   EVENT_VALID | EVENT_TYPE << EVENT_TYPE_SHIFT | (vector_mask), \
	   EVENT_VALID | (type) << EVENT_TYPE_SHIFT | (vector))

/* All bits that some processor has (3.1.3, 3.1.7); the others must be zero. */
#define CR4_DEFINED                                                \
	(0x7ffu | CR4_UMIP | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | \
	 CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_CET)
/* ... LMSLE, FFXSR, TCE; MCOMMIT, INTWB; UAIE, AIBRSE. */
#define EFER_DEFINED                                                           \
	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE |  \
	 EFER_FFXSR | BIT(15) | BIT(17) | BIT(18) | BIT(20) | BIT(21))

static const struct rule rules[] = {
	{"EFER %lx: SVME clear", {NONE(efer, EFER_SVME)}},
	{"CR0 %lx: NW without CD", {ANY(cr0, CR0_NW), NONE(cr0, CR0_CD)}},
	{"CR0 %lx: upper half set", {ANY(cr0, UPPER_HALF)}},
	{"CR4 %lx: reserved bits set", {ANY(cr4, ~(u64)CR4_DEFINED)}},
	{"DR6 %lx: upper half set", {ANY(dr6, UPPER_HALF)}},
	{"DR7 %lx: upper half set", {ANY(dr7, UPPER_HALF)}},
	{"EFER %lx: reserved bits set", {ANY(efer, ~(u64)EFER_DEFINED)}},
	{"EFER.LME and CR0.PG set, CR4 %lx: PAE clear",
	 {NONE(cr4, CR4_PAE), LONG_MODE}},
	{"EFER.LME and CR0.PG set, CR0 %lx: PE clear",
	 {NONE(cr0, CR0_PE), LONG_MODE}},
	{"long mode, CS attributes %03lx: L and D set",
	 {IS(cs.attr, SEG_L | SEG_DB, SEG_L | SEG_DB), LONG_MODE}},
	{"VMRUN is not intercepted", {NONE(intercept_misc2, INTERCEPT_VMRUN)}},
	{"ASID 0", {NONE(asid, ~0ULL)}},
	{"G_PAT %lx: no such memory type", {BAD_PAT(g_pat)}},

	{"EVENTINJ %lx: no such type", {INJECTS(1, 0, 0)}},
	/* Types 5 to 7: bit 2 and another. */
	{"EVENTINJ %lx: no such type",
	 {ANY(event_inj, 3 << EVENT_TYPE_SHIFT),
	  ANY(event_inj, TYPE_SOFT_INTERRUPT << EVENT_TYPE_SHIFT),
	  ANY(event_inj, EVENT_VALID)}},
	{"EVENTINJ %lx: no exception is vector 2",
	 {INJECTS(TYPE_EXCEPTION, EVENT_VECTOR, 2)}},
	{"EVENTINJ %lx: no exception is vector 31",
	 {INJECTS(TYPE_EXCEPTION, EVENT_VECTOR, 31)}},
	{"EVENTINJ %lx: an exception with a vector above 31",
	 {ANY(event_inj, 0xe0), INJECTS(TYPE_EXCEPTION, 0, 0)}},
};

/* What depends on the processor. */
err_t svm_check(const struct vmcb *v, const struct svm_caps *caps, char *why,
		size_t size)
{
	const struct {
		const char *name;
		u64 first, size;
	} areas[] = {
		{"page tables of CR3", v->cr3, 1},
		{"nested page tables", v->ncr3, 1},
		{"IOPM", v->iopm_base, 3 * PAGE_SIZE},
		{"MSRPM", v->msrpm_base, 2 * PAGE_SIZE},
	};

	for (unsigned i = 0; i < ARRAY_LEN(areas); i++)
		if ((areas[i].first + areas[i].size - 1) >> caps->phys_bits)
			return rule_broken(
				why, size, "%s at %lx: beyond %u bits",
				areas[i].name, areas[i].first, caps->phys_bits);
	if (v->asid >= caps->asids)
		return rule_broken(why, size, "ASID %u: there are %u", v->asid,
				   caps->asids);
	return rules_check(rules, ARRAY_LEN(rules), v, "", why, size);
}
