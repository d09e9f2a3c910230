/* Why VMRUN refused a VMCB, in words. */
#include "lib/log.h"
#include "svm/svm.h"

void svm_explain_entry(struct vcpu *vcpu)
{
	const struct svm_vcpu *svm = vcpu->hw;
	char why[120];

	if (svm_check(svm->vmcb, &svm_caps, why, sizeof(why)))
		log_error("svm: VMRUN refused: %s", why);
	else
		log_error("svm: VMRUN refused, and no rule we know is broken");
}

void svm_dump(struct vcpu *vcpu)
{
	const struct vmcb *v = ((struct svm_vcpu *)vcpu->hw)->vmcb;

	log_error("  VMCB: exit %lx info %lx %lx intinfo %lx", v->exit_code,
		  v->exit_info1, v->exit_info2, v->exit_int_info);
	log_error("  intercepts cr %x/%x dr %x/%x exc %x misc %x %x",
		  v->intercept_cr_read, v->intercept_cr_write,
		  v->intercept_dr_read, v->intercept_dr_write,
		  v->intercept_exceptions, v->intercept_misc1,
		  v->intercept_misc2);
	log_error("  asid %u tlb %u int_ctl %lx int_state %lx inj %lx", v->asid,
		  v->tlb_control, v->int_ctl, v->int_state, v->event_inj);
	log_error("  ncr3 %lx nrip %lx clean %lx tsc offset %lx", v->ncr3,
		  v->nrip, v->clean, v->tsc_offset);
	log_error("  cr0 %lx cr3 %lx cr4 %lx efer %lx cpl %u", v->cr0, v->cr3,
		  v->cr4, v->efer, v->cpl);
}
