/* Why VMRUN refused a VMCB, in words: the rules of 15.5.1. */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "svm/svm.h"

#define REFUSE_IF(cond, ...)                              \
	do {                                              \
		if (cond) {                               \
			snprintf(why, size, __VA_ARGS__); \
			return E_INVALID;                 \
		}                                         \
	} while (0)

static err_t check_registers(const struct vmcb *v, const struct svm_caps *caps,
			     char *why, size_t size)
{
	bool long_mode = (v->efer & EFER_LME) && (v->cr0 & CR0_PG);

	REFUSE_IF(!(v->efer & EFER_SVME), "EFER %lx: SVME clear", v->efer);
	REFUSE_IF((v->cr0 & CR0_NW) && !(v->cr0 & CR0_CD),
		  "CR0 %lx: NW without CD", v->cr0);
	REFUSE_IF(v->cr0 >> 32, "CR0 %lx: upper half set", v->cr0);
	REFUSE_IF(v->cr3 >> caps->phys_bits, "CR3 %lx: beyond %u bits", v->cr3,
		  caps->phys_bits);
	REFUSE_IF(v->cr4 >> 32, "CR4 %lx: reserved bits set", v->cr4);
	REFUSE_IF(v->dr6 >> 32, "DR6 %lx: upper half set", v->dr6);
	REFUSE_IF(v->dr7 >> 32, "DR7 %lx: upper half set", v->dr7);
	REFUSE_IF(v->efer & ~0x1fdd01ULL, "EFER %lx: reserved bits set",
		  v->efer);
	REFUSE_IF(long_mode && !(v->cr4 & CR4_PAE),
		  "EFER.LME and CR0.PG set, CR4 %lx: PAE clear", v->cr4);
	REFUSE_IF(long_mode && !(v->cr0 & CR0_PE),
		  "EFER.LME and CR0.PG set, CR0 %lx: PE clear", v->cr0);
	REFUSE_IF(long_mode && (v->cs.attr & SEG_L) && (v->cs.attr & SEG_DB),
		  "long mode, CS attributes %03x: L and D set", v->cs.attr);
	return E_OK;
}

static err_t check_event(const struct vmcb *v, char *why, size_t size)
{
	unsigned type = v->event_inj >> EVENT_TYPE_SHIFT & EVENT_TYPE;
	unsigned vector = v->event_inj & EVENT_VECTOR;

	if (!(v->event_inj & EVENT_VALID))
		return E_OK;
	REFUSE_IF(type == 1 || type > TYPE_SOFT_INTERRUPT,
		  "EVENTINJ %lx: type %u", v->event_inj, type);
	REFUSE_IF(type == TYPE_EXCEPTION && (vector > 30 || vector == 2),
		  "EVENTINJ %lx: no exception has vector %u", v->event_inj,
		  vector);
	return E_OK;
}

err_t svm_check(const struct vmcb *v, const struct svm_caps *caps, char *why,
		size_t size)
{
	err_t err = check_registers(v, caps, why, size);

	if (err)
		return err;
	REFUSE_IF(!(v->intercept_misc2 & INTERCEPT_VMRUN),
		  "VMRUN is not intercepted");
	REFUSE_IF(v->asid == 0 || v->asid >= caps->asids,
		  "ASID %u: not within 1 to %u", v->asid, caps->asids - 1);
	REFUSE_IF((v->iopm_base + 3 * PAGE_SIZE - 1) >> caps->phys_bits,
		  "IOPM at %lx: beyond %u bits", v->iopm_base, caps->phys_bits);
	REFUSE_IF((v->msrpm_base + 2 * PAGE_SIZE - 1) >> caps->phys_bits,
		  "MSRPM at %lx: beyond %u bits", v->msrpm_base,
		  caps->phys_bits);
	REFUSE_IF(v->ncr3 >> caps->phys_bits, "nCR3 %lx: beyond %u bits",
		  v->ncr3, caps->phys_bits);
	return check_event(v, why, size);
}

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
