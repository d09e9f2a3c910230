/*
 * Why VMRUN refused a VMCB. The processor only says that it did; so the rules
 * (rules.c) are held against it, and the first broken one is named.
 */
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "svm/svm.h"
#include "vm/vm.h"

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
