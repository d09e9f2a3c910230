/*
 * Why an entry failed. The processor only says that it did; so the manual's
 * rules are held against the VMCS, and the first broken one is named. Which
 * order they stand in is the manual's (27.2.1, 27.3.1).
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "vm/vm.h"
#include "vmx/vmx.h"

/* --- the words */

/* VM-instruction errors (31.4, table 31-1). */
const char *vmx_error_text(u32 number)
{
	static const char *const texts[] = {
		[1] = "VMCALL in VMX root operation",
		[2] = "VMCLEAR with an invalid address",
		[3] = "VMCLEAR of the VMXON region",
		[4] = "VMLAUNCH of a VMCS that is not clear",
		[5] = "VMRESUME of a VMCS that was not launched",
		[6] = "VMRESUME after VMXOFF",
		[7] = "invalid control fields",
		[8] = "invalid host state",
		[9] = "VMPTRLD with an invalid address",
		[10] = "VMPTRLD of the VMXON region",
		[11] = "VMPTRLD with another VMCS revision",
		[12] = "VMREAD or VMWRITE of a field that does not exist",
		[13] = "VMWRITE of a read-only field",
		[15] = "VMXON in VMX root operation",
		[16] = "invalid executive-VMCS pointer",
		[17] = "executive VMCS not launched",
		[18] = "executive-VMCS pointer is not the VMXON region",
		[19] = "VMCALL with a VMCS that is not clear",
		[20] = "VMCALL with invalid exit controls",
		[22] = "VMCALL with another MSEG revision",
		[23] = "VMXOFF under dual-monitor treatment of SMIs",
		[24] = "VMCALL with invalid SMM-monitor features",
		[25] = "invalid execution controls for leaving SMM",
		[26] = "entry while MOV SS blocks events",
		[28] = "invalid operand of INVEPT or INVVPID",
	};

	if (number < ARRAY_LEN(texts) && texts[number])
		return texts[number];
	return "an error without a name";
}

static const struct {
	u16 field;
	const char *name;
} fields[] = {
#define VMCS_NAME(field, encoding) {field, #field},
	VMCS_FIELDS(VMCS_NAME)
#undef VMCS_NAME
};

/* --- the rules */

struct check {
	const u64 *value; /* by enum vmcs_index */
	const struct vmx_caps *caps;
	char *why;
	size_t size;
};

#define F(name) (c->value[INDEX_##name])

#define BROKEN_IF(cond, ...)                                    \
	do {                                                    \
		if (cond) {                                     \
			snprintf(c->why, c->size, __VA_ARGS__); \
			return E_INVALID;                       \
		}                                               \
	} while (0)

static bool canonical(u64 address)
{
	return (u64)((i64)(address << 16) >> 16) == address;
}

static bool injects(const struct check *c, unsigned type)
{
	u64 info = F(ENTRY_EVENT);

	return (info & EVENT_VALID) &&
	       (info >> EVENT_TYPE_SHIFT & EVENT_TYPE) == type;
}

/* 27.2.1.1 to 27.2.1.3: what a capability MSR allows. */
static err_t check_allowed(const struct check *c)
{
	const struct vmx_msrs *m = &c->caps->msrs;
	const struct {
		const char *name;
		u64 value, msr;
	} words[] = {
		{"pin-based controls", F(PIN_CONTROLS), m->pin},
		{"processor-based controls", F(PROC_CONTROLS), m->proc},
		{"secondary controls", F(PROC2_CONTROLS), m->proc2},
		{"exit controls", F(EXIT_CONTROLS), m->exit},
		{"entry controls", F(ENTRY_CONTROLS), m->entry},
	};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		u32 value = words[i].value, ones = words[i].msr;
		u32 zeroes = ~(u32)(words[i].msr >> 32);

		BROKEN_IF(value & zeroes, "%s %x: bits %x must be 0",
			  words[i].name, value, value & zeroes);
		BROKEN_IF(ones & ~value, "%s %x: bits %x must be 1",
			  words[i].name, value, ones & ~value);
	}
	return E_OK;
}

/* 27.2.1.1: what controls ask of each other. */
static err_t check_execution_controls(const struct check *c)
{
	u64 pin = F(PIN_CONTROLS), proc = F(PROC_CONTROLS);
	u64 proc2 = F(PROC2_CONTROLS), eptp = F(EPT_POINTER);

	BROKEN_IF((pin & PIN_VIRTUAL_NMIS) && !(pin & PIN_NMI),
		  "virtual NMIs without NMI exiting");
	BROKEN_IF((proc & PROC_NMI_WINDOW) && !(pin & PIN_VIRTUAL_NMIS),
		  "NMI window without virtual NMIs");
	BROKEN_IF((proc & PROC_IO_BITMAPS) &&
			  ((F(IO_BITMAP_A) | F(IO_BITMAP_B)) & PAGE_MASK),
		  "I/O bitmaps %lx, %lx: not aligned", F(IO_BITMAP_A),
		  F(IO_BITMAP_B));
	BROKEN_IF((proc & PROC_MSR_BITMAPS) && (F(MSR_BITMAP) & PAGE_MASK),
		  "MSR bitmap %lx: not aligned", F(MSR_BITMAP));
	BROKEN_IF((proc2 & PROC2_VPID) && !F(VPID), "VPID 0");
	BROKEN_IF((proc2 & PROC2_UNRESTRICTED_GUEST) && !(proc2 & PROC2_EPT),
		  "unrestricted guest without EPT");
	BROKEN_IF((proc2 & PROC2_PML) && !(proc2 & PROC2_EPT),
		  "page-modification log without EPT");
	BROKEN_IF((proc2 & PROC2_PML) && (F(PML_ADDRESS) & PAGE_MASK),
		  "page-modification log %lx: not aligned", F(PML_ADDRESS));
	BROKEN_IF((proc2 & PROC2_EPT) &&
			  (eptp & 0x3f) != (EPTP_WALK_4 | EPTP_WRITE_BACK),
		  "EPT pointer %lx: not 4 levels, write-back", eptp);
	BROKEN_IF((proc2 & PROC2_EPT) && (eptp & EPTP_ACCESSED_DIRTY) &&
			  !(c->caps->ept & EPT_CAP_ACCESSED_DIRTY),
		  "EPT pointer %lx: this processor has no A/D bits", eptp);
	BROKEN_IF((proc2 & PROC2_EPT) && (eptp & 0xf80),
		  "EPT pointer %lx: reserved bits", eptp);
	BROKEN_IF((F(EXIT_CONTROLS) & EXITC_SAVE_TIMER) &&
			  !(pin & PIN_PREEMPTION_TIMER),
		  "saving a preemption timer that is off");
	return E_OK;
}

/* Those of the exceptions that push an error code (27.2.1.3). */
#define ERROR_VECTORS 0x27d00u

/* 27.2.1.3: the event to inject. */
static err_t check_entry_event(const struct check *c)
{
	u64 info = F(ENTRY_EVENT), length = F(ENTRY_EVENT_LENGTH);
	unsigned vector = info & EVENT_VECTOR;
	bool error = info & EVENT_HAS_ERROR, wants_error;

	if (!(info & EVENT_VALID))
		return E_OK;
	BROKEN_IF(info & 0x7ffff000, "event %lx: reserved bits", info);
	BROKEN_IF(injects(c, 1) || injects(c, TYPE_OTHER),
		  "event %lx: no such type", info);
	BROKEN_IF(injects(c, TYPE_NMI) && vector != 2,
		  "event %lx: an NMI with vector %u", info, vector);
	BROKEN_IF(injects(c, TYPE_EXCEPTION) && vector > 31,
		  "event %lx: an exception with vector %u", info, vector);
	wants_error = injects(c, TYPE_EXCEPTION) && (F(GUEST_CR0) & CR0_PE) &&
		      (ERROR_VECTORS >> vector & 1);
	BROKEN_IF(error && !wants_error,
		  "event %lx: has an error code, must have none", info);
	BROKEN_IF(!error && wants_error,
		  "event %lx: has no error code, must have one", info);
	BROKEN_IF((injects(c, TYPE_SOFT_INTERRUPT) ||
		   injects(c, TYPE_PRIVILEGED) ||
		   injects(c, TYPE_SOFT_EXCEPTION)) &&
			  (!length || length > 15),
		  "event %lx: an instruction of %lu bytes", info, length);
	return E_OK;
}

/* 27.3.1.1 */
static err_t check_control_registers(const struct check *c)
{
	const struct vmx_msrs *m = &c->caps->msrs;
	u64 cr0 = F(GUEST_CR0), cr4 = F(GUEST_CR4), efer = F(GUEST_EFER);
	u64 fixed0 = m->cr0_fixed0;
	bool long_mode = F(ENTRY_CONTROLS) & ENTRYC_GUEST_64;

	if (F(PROC2_CONTROLS) & PROC2_UNRESTRICTED_GUEST)
		fixed0 &= ~(CR0_PE | CR0_PG);
	BROKEN_IF(fixed0 & ~cr0, "CR0 %lx: bits %lx must be 1", cr0,
		  fixed0 & ~cr0);
	BROKEN_IF(cr0 & ~m->cr0_fixed1, "CR0 %lx: bits %lx must be 0", cr0,
		  cr0 & ~m->cr0_fixed1);
	BROKEN_IF((cr0 & CR0_PG) && !(cr0 & CR0_PE), "CR0 %lx: PG without PE",
		  cr0);
	BROKEN_IF(m->cr4_fixed0 & ~cr4, "CR4 %lx: bits %lx must be 1", cr4,
		  m->cr4_fixed0 & ~cr4);
	BROKEN_IF(cr4 & ~m->cr4_fixed1, "CR4 %lx: bits %lx must be 0", cr4,
		  cr4 & ~m->cr4_fixed1);
	BROKEN_IF(F(GUEST_DEBUGCTL) & ~0xffc7ULL, "DEBUGCTL %lx: reserved bits",
		  F(GUEST_DEBUGCTL));
	BROKEN_IF(long_mode && !(cr0 & CR0_PG), "long mode without CR0.PG");
	BROKEN_IF(long_mode && !(cr4 & CR4_PAE), "long mode without CR4.PAE");
	BROKEN_IF(!long_mode && (cr4 & CR4_PCIDE),
		  "CR4.PCIDE outside long mode");
	BROKEN_IF(F(GUEST_CR3) >> 52, "CR3 %lx: reserved bits", F(GUEST_CR3));
	BROKEN_IF(F(GUEST_DR7) >> 32, "DR7 %lx: upper half set", F(GUEST_DR7));
	BROKEN_IF(!canonical(F(GUEST_SYSENTER_ESP)) ||
			  !canonical(F(GUEST_SYSENTER_EIP)),
		  "SYSENTER_ESP %lx or _EIP %lx: not canonical",
		  F(GUEST_SYSENTER_ESP), F(GUEST_SYSENTER_EIP));
	for (unsigned i = 0; i < 64; i += 8) {
		u8 type = F(GUEST_PAT) >> i;

		BROKEN_IF(type > 7 || type == 2 || type == 3,
			  "PAT %lx: no memory type %u", F(GUEST_PAT), type);
	}
	BROKEN_IF(efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE),
		  "EFER %lx: reserved bits", efer);
	BROKEN_IF(!!(efer & EFER_LMA) != long_mode,
		  "EFER %lx: LMA and the entry control \"IA-32e mode guest\" "
		  "differ",
		  efer);
	BROKEN_IF((cr0 & CR0_PG) && !(efer & EFER_LMA) != !(efer & EFER_LME),
		  "EFER %lx: LMA and LME differ with CR0.PG", efer);
	return E_OK;
}

static const char *const segment_names[SEGMENTS] = {"ES", "CS", "SS",	"DS",
						    "FS", "GS", "LDTR", "TR"};

struct rights {
	u64 base, limit, access;
	u16 selector;
	unsigned type, dpl;
	bool usable;
};

static struct rights rights(const struct check *c, unsigned i)
{
	u64 access = c->value[INDEX_GUEST_ES_ACCESS + i];

	return (struct rights){
		.base = c->value[INDEX_GUEST_ES_BASE + i],
		.limit = c->value[INDEX_GUEST_ES_LIMIT + i],
		.access = access,
		.selector = c->value[INDEX_GUEST_ES_SELECTOR + i],
		.type = access & SEG_TYPE,
		.dpl = (access & SEG_DPL) >> SEG_DPL_SHIFT,
		.usable = !(access & ACCESS_UNUSABLE),
	};
}

/* 27.3.1.2, virtual 8086: one form only. */
static err_t check_vm86_segments(const struct check *c)
{
	for (unsigned i = ES; i <= GS; i++) {
		struct rights r = rights(c, i);

		BROKEN_IF(r.base != (u64)r.selector << 4,
			  "%s: virtual 8086, base %lx is not selector %x "
			  "times 16",
			  segment_names[i], r.base, r.selector);
		BROKEN_IF(r.limit != 0xffff,
			  "%s: virtual 8086, limit %lx is not ffff",
			  segment_names[i], r.limit);
		BROKEN_IF(r.access != 0xf3,
			  "%s: virtual 8086, access rights %lx are not f3",
			  segment_names[i], r.access);
	}
	return E_OK;
}

/* 27.3.1.2: of any usable segment, the system ones included. */
static err_t check_segment_form(const struct check *c, unsigned i)
{
	struct rights r = rights(c, i);
	const u64 g = BIT(15);

	BROKEN_IF(!(r.access & SEG_P), "%s: access rights %lx, not present",
		  segment_names[i], r.access);
	BROKEN_IF(!(r.access & SEG_S) != (i >= LDTR),
		  "%s: access rights %lx, S is wrong", segment_names[i],
		  r.access);
	BROKEN_IF(r.access & ~0x1f0ffULL,
		  "%s: access rights %lx, reserved bits", segment_names[i],
		  r.access);
	BROKEN_IF((r.access & g) && (r.limit & 0xfff) != 0xfff,
		  "%s: G with limit %lx", segment_names[i], r.limit);
	BROKEN_IF(!(r.access & g) && r.limit >> 20, "%s: limit %lx without G",
		  segment_names[i], r.limit);
	BROKEN_IF(i >= LDTR && (r.selector & 4), "%s: selector %x is an LDT's",
		  segment_names[i], r.selector);
	if (i == CS || i == SS || i == DS || i == ES)
		BROKEN_IF(r.base >> 32, "%s: base %lx above 4 GiB",
			  segment_names[i], r.base);
	else
		BROKEN_IF(!canonical(r.base), "%s: base %lx not canonical",
			  segment_names[i], r.base);
	return E_OK;
}

/* 27.3.1.2: CS and SS, where the privilege level is. */
static err_t check_code_and_stack(const struct check *c)
{
	struct rights cs = rights(c, CS), ss = rights(c, SS);
	bool long_mode = F(ENTRY_CONTROLS) & ENTRYC_GUEST_64;
	bool real_mode = !(F(GUEST_CR0) & CR0_PE);

	BROKEN_IF(!cs.usable, "CS: unusable");
	BROKEN_IF(cs.type != 3 && (cs.type & 9) != 9,
		  "CS: type %u is neither accessed code nor 3", cs.type);
	BROKEN_IF(cs.type == 3 && cs.dpl, "CS: type 3 with DPL %u", cs.dpl);
	BROKEN_IF((cs.type & 13) == 9 && cs.dpl != ss.dpl,
		  "CS: DPL %u, but SS has %u", cs.dpl, ss.dpl);
	BROKEN_IF((cs.type & 13) == 13 && cs.dpl > ss.dpl,
		  "CS: conforming, DPL %u above SS's %u", cs.dpl, ss.dpl);
	BROKEN_IF(long_mode && (cs.access & BIT(13)) && (cs.access & BIT(14)),
		  "CS: both L and D");
	BROKEN_IF((cs.type == 3 || real_mode) && ss.dpl,
		  "SS: DPL %u in real mode", ss.dpl);
	BROKEN_IF(ss.usable && ss.type != 3 && ss.type != 7,
		  "SS: type %u is not writable, accessed data", ss.type);
	return E_OK;
}

static err_t check_segments(const struct check *c)
{
	struct rights tr = rights(c, TR), ldtr = rights(c, LDTR);
	bool long_mode = F(ENTRY_CONTROLS) & ENTRYC_GUEST_64;
	bool vm86 = F(GUEST_RFLAGS) & RFLAGS_VM;
	err_t err = vm86 ? check_vm86_segments(c) : check_code_and_stack(c);

	for (unsigned i = ES; !err && i < SEGMENTS; i++) {
		struct rights r = rights(c, i);

		if (!r.usable || (vm86 && i <= GS))
			continue;
		err = check_segment_form(c, i);
		if (err || i == CS || i == SS || i >= LDTR)
			continue;
		BROKEN_IF(!(r.type & 1), "%s: type %u, not accessed",
			  segment_names[i], r.type);
		BROKEN_IF((r.type & 10) == 8, "%s: type %u, code not readable",
			  segment_names[i], r.type);
	}
	if (err)
		return err;
	BROKEN_IF(!tr.usable, "TR: unusable");
	BROKEN_IF(tr.type != 11 && (tr.type != 3 || long_mode),
		  "TR: type %u is no busy TSS", tr.type);
	BROKEN_IF(ldtr.usable && ldtr.type != 2, "LDTR: type %u is no LDT",
		  ldtr.type);
	return E_OK;
}

/* 27.3.1.3 and 27.3.1.4 */
static err_t check_tables_rip_rflags(const struct check *c)
{
	u64 rip = F(GUEST_RIP), rflags = F(GUEST_RFLAGS);
	bool long_mode = F(ENTRY_CONTROLS) & ENTRYC_GUEST_64;
	bool code_64 = long_mode && (rights(c, CS).access & BIT(13));

	BROKEN_IF(!canonical(F(GUEST_GDTR_BASE)),
		  "GDTR base %lx: not canonical", F(GUEST_GDTR_BASE));
	BROKEN_IF(!canonical(F(GUEST_IDTR_BASE)),
		  "IDTR base %lx: not canonical", F(GUEST_IDTR_BASE));
	BROKEN_IF(F(GUEST_GDTR_LIMIT) >> 16 || F(GUEST_IDTR_LIMIT) >> 16,
		  "GDTR limit %lx or IDTR limit %lx above ffff",
		  F(GUEST_GDTR_LIMIT), F(GUEST_IDTR_LIMIT));
	BROKEN_IF(!code_64 && rip >> 32, "RIP %lx outside 64-bit mode", rip);
	BROKEN_IF(code_64 && !canonical(rip), "RIP %lx: not canonical", rip);
	BROKEN_IF(rflags & ~0x3f7fd7ULL, "RFLAGS %lx: reserved bits", rflags);
	BROKEN_IF(!(rflags & RFLAGS_R1), "RFLAGS %lx: bit 1 is 0", rflags);
	BROKEN_IF((rflags & RFLAGS_VM) &&
			  (long_mode || !(F(GUEST_CR0) & CR0_PE)),
		  "RFLAGS %lx: VM in long or real mode", rflags);
	BROKEN_IF(injects(c, TYPE_INTERRUPT) && !(rflags & RFLAGS_IF),
		  "an external interrupt is injected with RFLAGS.IF clear");
	return E_OK;
}

/* 27.3.1.5: which events wake which activity. */
static bool event_fits(const struct check *c)
{
	u64 info = F(ENTRY_EVENT);
	unsigned vector = info & EVENT_VECTOR;
	bool exception = injects(c, TYPE_EXCEPTION);

	if (!(info & EVENT_VALID))
		return true;
	switch (F(GUEST_ACTIVITY)) {
	case ACTIVITY_RUN:
		return true;
	case ACTIVITY_HALT:
		return injects(c, TYPE_INTERRUPT) || injects(c, TYPE_NMI) ||
		       (exception && (vector == 1 || vector == 18));
	case ACTIVITY_SHUTDOWN:
		return injects(c, TYPE_NMI) || (exception && vector == 18);
	default:
		return false;
	}
}

static err_t check_nonregister(const struct check *c)
{
	u64 activity = F(GUEST_ACTIVITY), block = F(GUEST_INTERRUPTIBILITY);
	u64 rflags = F(GUEST_RFLAGS), debug = F(GUEST_PENDING_DEBUG);
	u64 shadow = block & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
	bool step = (rflags & RFLAGS_TF) && !(F(GUEST_DEBUGCTL) & BIT(1));

	BROKEN_IF(activity > ACTIVITY_WAIT_SIPI, "activity %lu", activity);
	BROKEN_IF(activity == ACTIVITY_HALT && rights(c, SS).dpl,
		  "halted with CPL %u", rights(c, SS).dpl);
	BROKEN_IF(activity != ACTIVITY_RUN && shadow,
		  "activity %lu in an interrupt shadow", activity);
	BROKEN_IF(!event_fits(c), "event %lx does not end activity %lu",
		  F(ENTRY_EVENT), activity);
	BROKEN_IF(block & ~0x1fULL, "interruptibility %lx: reserved bits",
		  block);
	BROKEN_IF(shadow == 3, "blocking by STI and by MOV SS");
	BROKEN_IF((block & INTERRUPTIBILITY_STI) && !(rflags & RFLAGS_IF),
		  "blocking by STI with RFLAGS.IF clear");
	BROKEN_IF(shadow && injects(c, TYPE_INTERRUPT),
		  "an external interrupt is injected into a shadow");
	BROKEN_IF((block & INTERRUPTIBILITY_MOV_SS) && injects(c, TYPE_NMI),
		  "an NMI is injected into the shadow of MOV SS");
	BROKEN_IF(block & INTERRUPTIBILITY_SMI, "blocking by SMI");
	BROKEN_IF((block & INTERRUPTIBILITY_NMI) && injects(c, TYPE_NMI),
		  "an NMI is injected while NMIs are blocked");
	BROKEN_IF(debug & ~0x1500fULL, "pending debug exceptions %lx: reserved",
		  debug);
	BROKEN_IF((shadow || activity == ACTIVITY_HALT) &&
			  !(debug & PENDING_DEBUG_BS) == step,
		  "pending debug exceptions %lx: BS does not go with RFLAGS.TF",
		  debug);
	BROKEN_IF(F(GUEST_LINK_POINTER) != ~0ULL, "VMCS link pointer %lx",
		  F(GUEST_LINK_POINTER));
	return E_OK;
}

/* 27.3.1.6 */
static err_t check_pdptes(const struct check *c)
{
	if (!(F(GUEST_CR0) & CR0_PG) || !(F(GUEST_CR4) & CR4_PAE) ||
	    (F(ENTRY_CONTROLS) & ENTRYC_GUEST_64))
		return E_OK;
	for (unsigned i = 0; i < 4; i++) {
		u64 pdpte = c->value[INDEX_GUEST_PDPTE0 + i];

		BROKEN_IF((pdpte & 1) && (pdpte & 0xfff00000000001e6ULL),
			  "PDPTE %u %lx: reserved bits", i, pdpte);
	}
	return E_OK;
}

static err_t check_all(const struct check *c,
		       err_t (*const checks[])(const struct check *), size_t n)
{
	for (size_t i = 0; i < n; i++) {
		err_t err = checks[i](c);

		if (err)
			return err;
	}
	return E_OK;
}

err_t vmx_check_controls(const struct vmcs_image *image,
			 const struct vmx_caps *caps, char *why, size_t size)
{
	static err_t (*const checks[])(const struct check *) = {
		check_allowed, check_execution_controls, check_entry_event};
	const struct check c = {image->value, caps, why, size};

	return check_all(&c, checks, ARRAY_LEN(checks));
}

err_t vmx_check_guest(const struct vmcs_image *image,
		      const struct vmx_caps *caps, char *why, size_t size)
{
	static err_t (*const checks[])(const struct check *) = {
		check_control_registers, check_segments,
		check_tables_rip_rflags, check_nonregister, check_pdptes};
	const struct check c = {image->value, caps, why, size};

	return check_all(&c, checks, ARRAY_LEN(checks));
}

/* --- the report */

static void take_image(struct vmcs_image *image)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (!vmread_try(fields[i].field, &image->value[i]))
			image->value[i] = 0;
}

/* What is zero, or is not there on this processor, is left out. */
void vmx_dump(struct vcpu *vcpu)
{
	struct vmcs_image image;

	take_image(&image);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (image.value[i])
			log_error("  %04x %-22s %016lx", fields[i].field,
				  fields[i].name, image.value[i]);
}

static void report(struct vcpu *vcpu, const char *what,
		   err_t (*check)(const struct vmcs_image *,
				  const struct vmx_caps *, char *, size_t))
{
	struct vmcs_image image;
	char why[128] = "";

	take_image(&image);
	if (!check(&image, &vmx_caps, why, sizeof(why)))
		snprintf(why, sizeof(why), "by no rule that we know of");
	log_error("vmx: VM %s, vCPU %u: %s: %s", vcpu->vm->config.name,
		  vcpu->id, what, why);
	vmx_dump(vcpu);
}

void vmx_explain_vmfail(struct vcpu *vcpu, u64 flags)
{
	u32 number;

	if (flags & VMFAIL_INVALID) {
		log_error("vmx: VM %s, vCPU %u: entry without a current VMCS",
			  vcpu->vm->config.name, vcpu->id);
		return;
	}
	number = vmread(INSTRUCTION_ERROR);
	if (number == 7) {
		report(vcpu, vmx_error_text(number), vmx_check_controls);
		return;
	}
	log_error("vmx: VM %s, vCPU %u: %s (error %u)", vcpu->vm->config.name,
		  vcpu->id, vmx_error_text(number), number);
	vmx_dump(vcpu);
}

void vmx_explain_entry(struct vcpu *vcpu, u32 reason)
{
	switch (reason & REASON_BASIC) {
	case REASON_BAD_GUEST_STATE:
		report(vcpu, "invalid guest state", vmx_check_guest);
		break;
	case REASON_BAD_MSR_LOAD:
		log_error(
			"vmx: VM %s, vCPU %u: MSR %lu of the load list is bad",
			vcpu->vm->config.name, vcpu->id,
			vmread(EXIT_QUALIFICATION));
		break;
	case REASON_ENTRY_MACHINE_CHECK:
		log_error("vmx: VM %s, vCPU %u: machine check during entry",
			  vcpu->vm->config.name, vcpu->id);
		break;
	default:
		log_error("vmx: VM %s, vCPU %u: entry failed, reason %x",
			  vcpu->vm->config.name, vcpu->id, reason);
	}
}
