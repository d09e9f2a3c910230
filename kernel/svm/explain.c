/*
 * Why VMRUN refused a VMCB. The processor only says that it did; so the rules
 * of 15.5.1 are held against it, and the first broken one is named.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "cpu/traps.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "svm/svm.h"
#include "vm/vm.h"

/* --- the rules */

/* All bits that some processor has (3.1.3, 3.1.7); the others must be zero. */
#define CR4_DEFINED                                                \
	(0x7ffu | CR4_UMIP | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | \
	 CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_CET)
#define EFER_TCE     BIT(15)
#define EFER_MCOMMIT BIT(17)
#define EFER_INTWB   BIT(18)
#define EFER_UAIE    BIT(20)
#define EFER_AIBRSE  BIT(21)
#define EFER_DEFINED                                                          \
	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE | \
	 EFER_FFXSR | EFER_TCE | EFER_MCOMMIT | EFER_INTWB | EFER_UAIE |      \
	 EFER_AIBRSE)

struct check {
	const struct vmcb *v;
	const struct svm_caps *caps;
	char *why;
	size_t size;
};

#define BROKEN_IF(cond, ...)                                    \
	do {                                                    \
		if (cond) {                                     \
			snprintf(c->why, c->size, __VA_ARGS__); \
			return E_INVALID;                       \
		}                                               \
	} while (0)

static err_t check_registers(const struct check *c)
{
	const struct vmcb *v = c->v;

	BROKEN_IF(!(v->efer & EFER_SVME), "EFER %lx: SVME clear", v->efer);
	BROKEN_IF((v->cr0 & CR0_NW) && !(v->cr0 & CR0_CD),
		  "CR0 %lx: NW without CD", v->cr0);
	BROKEN_IF(v->cr0 >> 32, "CR0 %lx: upper half set", v->cr0);
	BROKEN_IF(v->cr3 >> c->caps->phys_bits, "CR3 %lx: beyond %u bits",
		  v->cr3, c->caps->phys_bits);
	BROKEN_IF(v->cr4 & ~(u64)CR4_DEFINED, "CR4 %lx: reserved bits %lx",
		  v->cr4, v->cr4 & ~(u64)CR4_DEFINED);
	BROKEN_IF(v->dr6 >> 32, "DR6 %lx: upper half set", v->dr6);
	BROKEN_IF(v->dr7 >> 32, "DR7 %lx: upper half set", v->dr7);
	BROKEN_IF(v->efer & ~(u64)EFER_DEFINED, "EFER %lx: reserved bits %lx",
		  v->efer, v->efer & ~(u64)EFER_DEFINED);
	return E_OK;
}

static err_t check_long_mode(const struct check *c)
{
	const struct vmcb *v = c->v;

	if (!(v->efer & EFER_LME) || !(v->cr0 & CR0_PG))
		return E_OK;
	BROKEN_IF(!(v->cr4 & CR4_PAE), "long mode, CR4 %lx: PAE clear", v->cr4);
	BROKEN_IF(!(v->cr0 & CR0_PE), "long mode, CR0 %lx: PE clear", v->cr0);
	BROKEN_IF((v->cs.attr & SEG_L) && (v->cs.attr & SEG_DB),
		  "long mode, CS attributes %03x: L and D set", v->cs.attr);
	return E_OK;
}

static err_t check_controls(const struct check *c)
{
	const struct vmcb *v = c->v;
	const unsigned bits = c->caps->phys_bits;

	BROKEN_IF(!(v->intercept_misc2 & INTERCEPT_VMRUN),
		  "VMRUN is not intercepted");
	BROKEN_IF((v->msrpm_base + 2 * PAGE_SIZE - 1) >> bits,
		  "MSRPM at %lx: beyond %u bits", v->msrpm_base, bits);
	BROKEN_IF((v->iopm_base + 3 * PAGE_SIZE - 1) >> bits,
		  "IOPM at %lx: beyond %u bits", v->iopm_base, bits);
	BROKEN_IF(v->asid == 0 || v->asid >= c->caps->asids,
		  "ASID %u: not within 1 to %u", v->asid, c->caps->asids - 1);
	return E_OK;
}

/* 15.25.4, with nested paging. */
static err_t check_nested_paging(const struct check *c)
{
	const struct vmcb *v = c->v;

	if (!(v->np_control & NP_ENABLE))
		return E_OK;
	BROKEN_IF(v->ncr3 >> c->caps->phys_bits, "nCR3 %lx: beyond %u bits",
		  v->ncr3, c->caps->phys_bits);
	for (unsigned i = 0; i < 64; i += 8) {
		u8 type = v->g_pat >> i;

		BROKEN_IF(type > 7 || type == 2 || type == 3,
			  "G_PAT %lx: no memory type is %u", v->g_pat, type);
	}
	return E_OK;
}

/* 15.20. */
static err_t check_event(const struct check *c)
{
	u64 event = c->v->event_inj;
	unsigned type = event >> EVENT_TYPE_SHIFT & EVENT_TYPE;
	unsigned vector = event & EVENT_VECTOR;

	if (!(event & EVENT_VALID))
		return E_OK;
	BROKEN_IF(type == 1 || type > TYPE_SOFT_INTERRUPT,
		  "EVENTINJ %lx: type %u is reserved", event, type);
	BROKEN_IF(type == TYPE_EXCEPTION &&
			  (vector >= EXCEPTIONS || vector == EXC_NMI),
		  "EVENTINJ %lx: no exception has vector %u", event, vector);
	return E_OK;
}

err_t svm_check(const struct vmcb *vmcb, const struct svm_caps *caps, char *why,
		size_t size)
{
	static err_t (*const checks[])(const struct check *) = {
		check_registers, check_long_mode, check_controls,
		check_nested_paging, check_event};
	const struct check c = {vmcb, caps, why, size};

	for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
		err_t err = checks[i](&c);

		if (err)
			return err;
	}
	return E_OK;
}

/* --- the report */

static const struct {
	const char *name;
	u16 offset;
	u8 size;
} fields[] = {
#define FIELD(name)                                      \
	{                                                \
#name, offsetof(struct vmcb, name),      \
			sizeof(((struct vmcb *)0)->name) \
	}
	FIELD(intercept_cr_read),
	FIELD(intercept_cr_write),
	FIELD(intercept_dr_read),
	FIELD(intercept_dr_write),
	FIELD(intercept_exceptions),
	FIELD(intercept_misc1),
	FIELD(intercept_misc2),
	FIELD(intercept_misc3),
	FIELD(iopm_base),
	FIELD(msrpm_base),
	FIELD(tsc_offset),
	FIELD(asid),
	FIELD(tlb_control),
	FIELD(int_ctl),
	FIELD(int_state),
	FIELD(exit_code),
	FIELD(exit_info1),
	FIELD(exit_info2),
	FIELD(exit_int_info),
	FIELD(np_control),
	FIELD(event_inj),
	FIELD(ncr3),
	FIELD(clean),
	FIELD(nrip),
	FIELD(cpl),
	FIELD(efer),
	FIELD(cr4),
	FIELD(cr3),
	FIELD(cr0),
	FIELD(dr7),
	FIELD(dr6),
	FIELD(rflags),
	FIELD(rip),
	FIELD(rsp),
	FIELD(rax),
	FIELD(star),
	FIELD(lstar),
	FIELD(cstar),
	FIELD(sfmask),
	FIELD(kernel_gs_base),
	FIELD(sysenter_cs),
	FIELD(sysenter_esp),
	FIELD(sysenter_eip),
	FIELD(cr2),
	FIELD(g_pat),
	FIELD(debugctl),
#undef FIELD
};

/* As they lie in the VMCB. */
static const char segment_names[][5] = {"es", "cs",   "ss",   "ds",   "fs",
					"gs", "gdtr", "ldtr", "idtr", "tr"};

/* What is zero is left out. */
void svm_dump(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;
	const struct segment *seg = &vmcb->es;

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		u64 value = 0;

		memcpy(&value, (const u8 *)vmcb + fields[i].offset,
		       fields[i].size);
		if (value)
			log_error("  %03x %-20s %016lx", fields[i].offset,
				  fields[i].name, value);
	}
	for (unsigned i = 0; i < ARRAY_LEN(segment_names); i++)
		log_error("  %-4s %04x attributes %03x limit %08x base %016lx",
			  segment_names[i], seg[i].selector, seg[i].attr,
			  seg[i].limit, seg[i].base);
}

void svm_explain_entry(struct vcpu *vcpu)
{
	const struct svm_vcpu *svm = vcpu->hw;
	char why[128];

	if (!svm_check(svm->vmcb, &svm_caps, why, sizeof(why)))
		snprintf(why, sizeof(why), "by no rule that we know of");
	log_error("svm: VM %s, vCPU %u: VMRUN refused: %s",
		  vcpu->vm->config.name, vcpu->id, why);
	svm_dump(vcpu);
}
