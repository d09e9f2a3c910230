/*
 * The rules of entry (27.2.1, 27.3.1), held against a VMCS after the processor
 * has said no more than that one of them is broken. The section numbers are
 * those of Intel SDM volume 3C.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "vm/rules.h"
#include "vmx/vmx.h"

#define RULES_OF struct vmcs_image
#define F(name)	 value[INDEX_##name]

#define LONG_MODE     ANY(F(ENTRY_CONTROLS), ENTRYC_GUEST_64)
#define NOT_LONG_MODE NONE(F(ENTRY_CONTROLS), ENTRYC_GUEST_64)
#define INJECTS(type)                                                    \
	IS(F(ENTRY_EVENT), EVENT_VALID | EVENT_TYPE << EVENT_TYPE_SHIFT, \
	   EVENT_VALID | (u64)(type) << EVENT_TYPE_SHIFT)

struct check {
	const struct vmcs_image *image;
	const struct vmx_caps *caps;
	char *why;
	size_t size;
};

#define VALUE(name) (c->image->F(name))

#define CHECK_RULES(rules, of, name) \
	rules_check(rules, ARRAY_LEN(rules), of, name, c->why, c->size)
#define BROKEN(...) rule_broken(c->why, c->size, __VA_ARGS__)

/* --- controls */

/* What a capability MSR allows: these bits must be 1, those may be. */
static err_t check_bits(const struct check *c, const char *name, u64 value,
			u64 must, u64 may)
{
	if (value & ~may)
		return BROKEN("%s %lx: bits %lx must be 0", name, value,
			      value & ~may);
	if (must & ~value)
		return BROKEN("%s %lx: bits %lx must be 1", name, value,
			      must & ~value);
	return E_OK;
}

/* 27.2.1.1 to 27.2.1.3 */
static err_t check_allowed(const struct check *c)
{
	const struct vmx_msrs *m = &c->caps->msrs;
	const struct {
		const char *name;
		u64 value, msr;
	} words[] = {
		{"pin-based controls", VALUE(PIN_CONTROLS), m->pin},
		{"processor-based controls", VALUE(PROC_CONTROLS), m->proc},
		{"secondary controls", VALUE(PROC2_CONTROLS), m->proc2},
		{"exit controls", VALUE(EXIT_CONTROLS), m->exit},
		{"entry controls", VALUE(ENTRY_CONTROLS), m->entry},
	};
	err_t err = E_OK;

	for (unsigned i = 0; !err && i < ARRAY_LEN(words); i++)
		err = check_bits(c, words[i].name, words[i].value,
				 (u32)words[i].msr, words[i].msr >> 32);
	return err;
}

/* What controls ask of each other. */
static const struct rule control_rules[] = {
	/* 27.2.1.1 */
	{"virtual NMIs without NMI exiting",
	 {ANY(F(PIN_CONTROLS), PIN_VIRTUAL_NMIS),
	  NONE(F(PIN_CONTROLS), PIN_NMI)}},
	{"NMI window without virtual NMIs",
	 {ANY(F(PROC_CONTROLS), PROC_NMI_WINDOW),
	  NONE(F(PIN_CONTROLS), PIN_VIRTUAL_NMIS)}},
	{"I/O bitmap A %lx: not aligned",
	 {ANY(F(IO_BITMAP_A), PAGE_MASK),
	  ANY(F(PROC_CONTROLS), PROC_IO_BITMAPS)}},
	{"I/O bitmap B %lx: not aligned",
	 {ANY(F(IO_BITMAP_B), PAGE_MASK),
	  ANY(F(PROC_CONTROLS), PROC_IO_BITMAPS)}},
	{"MSR bitmap %lx: not aligned",
	 {ANY(F(MSR_BITMAP), PAGE_MASK),
	  ANY(F(PROC_CONTROLS), PROC_MSR_BITMAPS)}},
	{"VPID 0", {NONE(F(VPID), ~0ULL), ANY(F(PROC2_CONTROLS), PROC2_VPID)}},
	{"unrestricted guest without EPT",
	 {ANY(F(PROC2_CONTROLS), PROC2_UNRESTRICTED_GUEST),
	  NONE(F(PROC2_CONTROLS), PROC2_EPT)}},
	{"page-modification log without EPT",
	 {ANY(F(PROC2_CONTROLS), PROC2_PML),
	  NONE(F(PROC2_CONTROLS), PROC2_EPT)}},
	{"page-modification log %lx: not aligned",
	 {ANY(F(PML_ADDRESS), PAGE_MASK), ANY(F(PROC2_CONTROLS), PROC2_PML)}},
	{"EPT pointer %lx: not 4 levels, write-back",
	 {IS_NOT(F(EPT_POINTER), 0x3f, EPTP_WALK_4 | EPTP_WRITE_BACK),
	  ANY(F(PROC2_CONTROLS), PROC2_EPT)}},
	{"EPT pointer %lx: reserved bits",
	 {ANY(F(EPT_POINTER), 0xf80), ANY(F(PROC2_CONTROLS), PROC2_EPT)}},
	{"saving a preemption timer that is off",
	 {ANY(F(EXIT_CONTROLS), EXITC_SAVE_TIMER),
	  NONE(F(PIN_CONTROLS), PIN_PREEMPTION_TIMER)}},

	/* 27.2.1.3: the event to inject */
	{"event %lx: reserved bits",
	 {ANY(F(ENTRY_EVENT), 0x7ffff000), ANY(F(ENTRY_EVENT), EVENT_VALID)}},
	{"event %lx: no such type", {INJECTS(1)}},
	{"event %lx: no such type", {INJECTS(TYPE_OTHER)}},
	{"event %lx: an NMI with a vector that is not 2",
	 {IS_NOT(F(ENTRY_EVENT), EVENT_VECTOR, 2), INJECTS(TYPE_NMI)}},
	{"event %lx: an exception with a vector above 31",
	 {ANY(F(ENTRY_EVENT), 0xe0), INJECTS(TYPE_EXCEPTION)}},
	/* With types 1 and 7 ruled out, bit 2 is that of the three. */
	{"event of an instruction of %lu bytes",
	 {NONE(F(ENTRY_EVENT_LENGTH), ~0ULL), ANY(F(ENTRY_EVENT), EVENT_VALID),
	  ANY(F(ENTRY_EVENT), TYPE_SOFT_INTERRUPT << EVENT_TYPE_SHIFT)}},
	{"event of an instruction of %lu bytes",
	 {ABOVE(F(ENTRY_EVENT_LENGTH), 15), ANY(F(ENTRY_EVENT), EVENT_VALID),
	  ANY(F(ENTRY_EVENT), TYPE_SOFT_INTERRUPT << EVENT_TYPE_SHIFT)}},
};

static bool injects(const struct check *c, unsigned type)
{
	u64 info = VALUE(ENTRY_EVENT);

	return (info & EVENT_VALID) &&
	       (info >> EVENT_TYPE_SHIFT & EVENT_TYPE) == type;
}

/* Those of the exceptions that push an error code (27.2.1.3). */
#define ERROR_VECTORS 0x27d00u

static err_t check_error_code(const struct check *c)
{
	u64 info = VALUE(ENTRY_EVENT);
	bool has = info & EVENT_HAS_ERROR;
	bool wants = injects(c, TYPE_EXCEPTION) &&
		     (VALUE(GUEST_CR0) & CR0_PE) &&
		     (ERROR_VECTORS >> (info & 31) & 1);

	if (!(info & EVENT_VALID) || has == wants)
		return E_OK;
	if (has)
		return BROKEN("event %lx: has an error code, must have none",
			      info);
	return BROKEN("event %lx: has no error code, must have one", info);
}

static err_t check_ept_pointer(const struct check *c)
{
	u64 eptp = VALUE(EPT_POINTER);

	if ((VALUE(PROC2_CONTROLS) & PROC2_EPT) &&
	    (eptp & EPTP_ACCESSED_DIRTY) &&
	    !(c->caps->ept & EPT_CAP_ACCESSED_DIRTY))
		return BROKEN("EPT pointer %lx: this processor has no A/D bits",
			      eptp);
	return E_OK;
}

err_t vmx_check_controls(const struct vmcs_image *image,
			 const struct vmx_caps *caps, char *why, size_t size)
{
	const struct check check = {image, caps, why, size}, *c = &check;
	err_t err = check_allowed(c);

	if (!err)
		err = CHECK_RULES(control_rules, image, "");
	if (!err)
		err = check_ept_pointer(c);
	return err ? err : check_error_code(c);
}

/* --- guest state: registers */

#define LINEAR(name, field)                     \
	{                                       \
		name " %lx: not canonical",     \
		{                               \
			NOT_CANONICAL(F(field)) \
		}                               \
	}

static const struct rule register_rules[] = {
	/* 27.3.1.1 */
	{"CR0 %lx: PG without PE",
	 {ANY(F(GUEST_CR0), CR0_PG), NONE(F(GUEST_CR0), CR0_PE)}},
	{"DEBUGCTL %lx: reserved bits", {ANY(F(GUEST_DEBUGCTL), ~0xffc7ULL)}},
	{"long mode without CR0.PG", {NONE(F(GUEST_CR0), CR0_PG), LONG_MODE}},
	{"long mode without CR4.PAE", {NONE(F(GUEST_CR4), CR4_PAE), LONG_MODE}},
	{"CR4.PCIDE outside long mode",
	 {ANY(F(GUEST_CR4), CR4_PCIDE), NOT_LONG_MODE}},
	{"CR3 %lx: reserved bits", {ANY(F(GUEST_CR3), ~0ULL << 52)}},
	{"DR7 %lx: upper half set", {ANY(F(GUEST_DR7), UPPER_HALF)}},
	LINEAR("SYSENTER_ESP", GUEST_SYSENTER_ESP),
	LINEAR("SYSENTER_EIP", GUEST_SYSENTER_EIP),
	{"PAT %lx: unknown memory type", {BAD_PAT(F(GUEST_PAT))}},
	{"EFER %lx: reserved bits",
	 {ANY(F(GUEST_EFER), ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))}},
	{"EFER %lx: LMA without the entry control \"IA-32e mode guest\"",
	 {ANY(F(GUEST_EFER), EFER_LMA), NOT_LONG_MODE}},
	{"EFER %lx: the entry control \"IA-32e mode guest\" without LMA",
	 {NONE(F(GUEST_EFER), EFER_LMA), LONG_MODE}},
	{"EFER %lx: LMA without LME, with CR0.PG",
	 {IS(F(GUEST_EFER), EFER_LMA | EFER_LME, EFER_LMA),
	  ANY(F(GUEST_CR0), CR0_PG)}},
	{"EFER %lx: LME without LMA, with CR0.PG",
	 {IS(F(GUEST_EFER), EFER_LMA | EFER_LME, EFER_LME),
	  ANY(F(GUEST_CR0), CR0_PG)}},

	/* 27.3.1.3 and 27.3.1.4 */
	LINEAR("GDTR base", GUEST_GDTR_BASE),
	LINEAR("IDTR base", GUEST_IDTR_BASE),
	{"GDTR limit %lx above ffff", {ABOVE(F(GUEST_GDTR_LIMIT), 0xffff)}},
	{"IDTR limit %lx above ffff", {ABOVE(F(GUEST_IDTR_LIMIT), 0xffff)}},
	{"RIP %lx outside long mode",
	 {ANY(F(GUEST_RIP), UPPER_HALF), NOT_LONG_MODE}},
	{"RIP %lx outside 64-bit code",
	 {ANY(F(GUEST_RIP), UPPER_HALF), NONE(F(GUEST_CS_ACCESS), ACCESS_L)}},
	LINEAR("RIP", GUEST_RIP),
	{"RFLAGS %lx: reserved bits", {ANY(F(GUEST_RFLAGS), ~0x3f7fd7ULL)}},
	{"RFLAGS %lx: bit 1 is 0", {NONE(F(GUEST_RFLAGS), RFLAGS_R1)}},
	{"RFLAGS %lx: VM in long mode",
	 {ANY(F(GUEST_RFLAGS), RFLAGS_VM), LONG_MODE}},
	{"RFLAGS %lx: VM in real mode",
	 {ANY(F(GUEST_RFLAGS), RFLAGS_VM), NONE(F(GUEST_CR0), CR0_PE)}},
	{"an external interrupt is injected with RFLAGS.IF clear",
	 {NONE(F(GUEST_RFLAGS), RFLAGS_IF), INJECTS(TYPE_INTERRUPT)}},

	/* 27.3.1.5 */
	{"activity %lu", {ABOVE(F(GUEST_ACTIVITY), ACTIVITY_WAIT_SIPI)}},
	{"halted outside CPL 0",
	 {IS(F(GUEST_ACTIVITY), ~0, ACTIVITY_HALT),
	  ANY(F(GUEST_SS_ACCESS), SEG_DPL)}},
	{"activity %lu in an interrupt shadow",
	 {ANY(F(GUEST_ACTIVITY), ~0ULL), ANY(F(GUEST_INTERRUPTIBILITY), 3)}},
	{"interruptibility %lx: reserved bits",
	 {ANY(F(GUEST_INTERRUPTIBILITY), ~0x1fULL)}},
	{"blocking by STI and by MOV SS",
	 {IS(F(GUEST_INTERRUPTIBILITY), 3, 3)}},
	{"blocking by STI with RFLAGS.IF clear",
	 {ANY(F(GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_STI),
	  NONE(F(GUEST_RFLAGS), RFLAGS_IF)}},
	{"an external interrupt is injected into a shadow",
	 {ANY(F(GUEST_INTERRUPTIBILITY), 3), INJECTS(TYPE_INTERRUPT)}},
	{"an NMI is injected into the shadow of MOV SS",
	 {ANY(F(GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_MOV_SS),
	  INJECTS(TYPE_NMI)}},
	{"blocking by SMI",
	 {ANY(F(GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_SMI)}},
	{"an NMI is injected while NMIs are blocked",
	 {ANY(F(GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_NMI),
	  INJECTS(TYPE_NMI)}},
	{"pending debug exceptions %lx: reserved",
	 {ANY(F(GUEST_PENDING_DEBUG), ~0x1500fULL)}},
	{"VMCS link pointer %lx", {LACKS(F(GUEST_LINK_POINTER), ~0ULL)}},
};

/* 27.3.1.1: bits that VMX operation fixes. */
static err_t check_fixed(const struct check *c)
{
	const struct vmx_msrs *m = &c->caps->msrs;
	u64 fixed0 = m->cr0_fixed0;
	err_t err;

	if (VALUE(PROC2_CONTROLS) & PROC2_UNRESTRICTED_GUEST)
		fixed0 &= ~(CR0_PE | CR0_PG);
	err = check_bits(c, "CR0", VALUE(GUEST_CR0), fixed0, m->cr0_fixed1);
	if (err)
		return err;
	return check_bits(c, "CR4", VALUE(GUEST_CR4), m->cr4_fixed0,
			  m->cr4_fixed1);
}

/* --- guest state: segments (27.3.1.2) */

/* What the rules ask of one segment register, and where it stands. */
struct rights {
	u64 base, limit, access;
	u16 selector;
	u8 type, dpl;
	u8 is;	 /* BIT(enum segment_name) */
	u8 mode; /* MODE_IS_* */
};

#define MODE_IS_LONG BIT(0)
#define MODE_IS_REAL BIT(1) /* or CS is of the type that real mode has */

#undef RULES_OF
#define RULES_OF struct rights

#define OF(...)	      ANY(is, (__VA_ARGS__))
#define SYSTEM	      (BIT(LDTR) | BIT(TR))
#define DATA	      (BIT(ES) | BIT(DS) | BIT(FS) | BIT(GS))
#define BASE_FLAT     (BIT(ES) | BIT(CS) | BIT(SS) | BIT(DS))
#define NOT_BASE_FLAT (BIT(FS) | BIT(GS) | BIT(LDTR) | BIT(TR))

/* Virtual 8086: one form only. */
static const struct rule vm86_rules[] = {
	{"virtual 8086, limit %lx is not ffff", {IS_NOT(limit, ~0, 0xffff)}},
	{"virtual 8086, access rights %lx are not f3",
	 {IS_NOT(access, ~0, 0xf3)}},
};

/* Of any segment, usable or not. */
static const struct rule unusable_rules[] = {
	{"unusable", {ANY(access, ACCESS_UNUSABLE), OF(BIT(CS) | BIT(TR))}},
	{"DPL %lu in real mode",
	 {ANY(dpl, 3), ANY(mode, MODE_IS_REAL), OF(BIT(SS))}},
};

static const struct rule usable_rules[] = {
	{"access rights %lx, not present", {NONE(access, SEG_P)}},
	{"access rights %lx, S is wrong", {ANY(access, SEG_S), OF(SYSTEM)}},
	{"access rights %lx, S is wrong",
	 {NONE(access, SEG_S), NONE(is, SYSTEM)}},
	{"access rights %lx, reserved bits", {ANY(access, ~0x1f0ffULL)}},
	{"G with limit %lx", {LACKS(limit, 0xfff), ANY(access, ACCESS_G)}},
	{"limit %lx without G",
	 {ABOVE(limit, 0xfffff), NONE(access, ACCESS_G)}},
	{"selector %lx is an LDT's", {ANY(selector, 4), OF(SYSTEM)}},
	{"base %lx above 4 GiB", {ANY(base, UPPER_HALF), OF(BASE_FLAT)}},
	{"base %lx not canonical", {NOT_CANONICAL(base), OF(NOT_BASE_FLAT)}},

	{"type %lu is neither accessed code nor 3",
	 {IS_NOT(type, 15, 3), IS_NOT(type, 9, 9), OF(BIT(CS))}},
	{"type 3 with DPL %lu", {ANY(dpl, 3), IS(type, 15, 3), OF(BIT(CS))}},
	{"access rights %lx, both L and D",
	 {IS(access, ACCESS_L | ACCESS_DB, ACCESS_L | ACCESS_DB),
	  ANY(mode, MODE_IS_LONG), OF(BIT(CS))}},
	{"type %lu is not writable, accessed data",
	 {IS_NOT(type, 11, 3), OF(BIT(SS))}},
	{"type %lu, not accessed", {NONE(type, 1), OF(DATA)}},
	{"type %lu, code not readable", {IS(type, 10, 8), OF(DATA)}},
	{"type %lu is no busy TSS", {IS_NOT(type, 7, 3), OF(BIT(TR))}},
	{"type %lu is no busy TSS",
	 {IS(type, 15, 3), ANY(mode, MODE_IS_LONG), OF(BIT(TR))}},
	{"type %lu is no LDT", {IS_NOT(type, 15, 2), OF(BIT(LDTR))}},
};

static struct rights rights(const struct check *c, unsigned i)
{
	const u64 *value = c->image->value;
	u64 access = value[INDEX_GUEST_ES_ACCESS + i];
	u8 mode = VALUE(ENTRY_CONTROLS) & ENTRYC_GUEST_64 ? MODE_IS_LONG : 0;

	if (!(VALUE(GUEST_CR0) & CR0_PE) ||
	    (VALUE(GUEST_CS_ACCESS) & SEG_TYPE) == 3)
		mode |= MODE_IS_REAL;
	return (struct rights){
		.base = value[INDEX_GUEST_ES_BASE + i],
		.limit = value[INDEX_GUEST_ES_LIMIT + i],
		.access = access,
		.selector = value[INDEX_GUEST_ES_SELECTOR + i],
		.type = access & SEG_TYPE,
		.dpl = (access & SEG_DPL) >> SEG_DPL_SHIFT,
		.is = BIT(i),
		.mode = mode,
	};
}

/* CS and SS, where the privilege level is. */
static err_t check_code_and_stack(const struct check *c)
{
	struct rights cs = rights(c, CS), ss = rights(c, SS);

	if ((cs.type & 13) == 9 && cs.dpl != ss.dpl)
		return BROKEN("CS: DPL %u, but SS has %u", cs.dpl, ss.dpl);
	if ((cs.type & 13) == 13 && cs.dpl > ss.dpl)
		return BROKEN("CS: conforming, DPL %u above SS's %u", cs.dpl,
			      ss.dpl);
	return E_OK;
}

static err_t check_segment(const struct check *c, unsigned i)
{
	static const char names[SEGMENTS][7] = {
		"ES: ", "CS: ", "SS: ",	  "DS: ",
		"FS: ", "GS: ", "LDTR: ", "TR: "};
	struct rights r = rights(c, i);
	err_t err;

	if ((VALUE(GUEST_RFLAGS) & RFLAGS_VM) && i <= GS) {
		if (r.base != (u64)r.selector << 4)
			return BROKEN("%svirtual 8086, base %lx is not "
				      "selector %x times 16",
				      names[i], r.base, r.selector);
		return CHECK_RULES(vm86_rules, &r, names[i]);
	}
	err = CHECK_RULES(unusable_rules, &r, names[i]);
	if (err || (r.access & ACCESS_UNUSABLE))
		return err;
	return CHECK_RULES(usable_rules, &r, names[i]);
}

static err_t check_segments(const struct check *c)
{
	err_t err = E_OK;

	for (unsigned i = ES; !err && i < SEGMENTS; i++)
		err = check_segment(c, i);
	if (err || (VALUE(GUEST_RFLAGS) & RFLAGS_VM))
		return err;
	return check_code_and_stack(c);
}

/* --- guest state: what is no register (27.3.1.5, 27.3.1.6) */

/* Which events wake which activity. */
static bool event_fits(const struct check *c)
{
	u64 info = VALUE(ENTRY_EVENT);
	unsigned vector = info & EVENT_VECTOR;
	bool exception = injects(c, TYPE_EXCEPTION);

	if (!(info & EVENT_VALID))
		return true;
	switch (VALUE(GUEST_ACTIVITY)) {
	case ACTIVITY_RUN:
		return true;
	case ACTIVITY_HALT:
		return injects(c, TYPE_INTERRUPT) || injects(c, TYPE_NMI) ||
		       (exception && (vector == EXC_DB || vector == EXC_MC));
	case ACTIVITY_SHUTDOWN:
		return injects(c, TYPE_NMI) || (exception && vector == EXC_MC);
	default:
		return false;
	}
}

static err_t check_nonregister(const struct check *c)
{
	u64 activity = VALUE(GUEST_ACTIVITY);
	u64 debug = VALUE(GUEST_PENDING_DEBUG);
	bool shadow = VALUE(GUEST_INTERRUPTIBILITY) &
		      (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
	bool step = (VALUE(GUEST_RFLAGS) & RFLAGS_TF) &&
		    !(VALUE(GUEST_DEBUGCTL) & BIT(1));

	if (!event_fits(c))
		return BROKEN("event %lx does not end activity %lu",
			      VALUE(ENTRY_EVENT), activity);
	if ((shadow || activity == ACTIVITY_HALT) &&
	    !(debug & PENDING_DEBUG_BS) == step)
		return BROKEN("pending debug exceptions %lx: BS does not go "
			      "with RFLAGS.TF",
			      debug);
	return E_OK;
}

static err_t check_pdptes(const struct check *c)
{
	if (!(VALUE(GUEST_CR0) & CR0_PG) || !(VALUE(GUEST_CR4) & CR4_PAE) ||
	    (VALUE(ENTRY_CONTROLS) & ENTRYC_GUEST_64))
		return E_OK;
	for (unsigned i = 0; i < 4; i++) {
		u64 pdpte = c->image->value[INDEX_GUEST_PDPTE0 + i];

		if ((pdpte & 1) && (pdpte & 0xfff00000000001e6ULL))
			return BROKEN("PDPTE %u %lx: reserved bits", i, pdpte);
	}
	return E_OK;
}

err_t vmx_check_guest(const struct vmcs_image *image,
		      const struct vmx_caps *caps, char *why, size_t size)
{
	const struct check check = {image, caps, why, size}, *c = &check;
	err_t err = check_fixed(c);

	if (!err)
		err = check_segments(c);
	if (!err)
		err = CHECK_RULES(register_rules, image, "");
	if (!err)
		err = check_nonregister(c);
	return err ? err : check_pdptes(c);
}
