/*
 * MSRs: a table of ranges with what reading and writing do. What is not in the
 * table does not exist: #GP.
 */
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "vm/machine.h"
#include "vm/model.h"
#include "vm/vm.h"

const u32 model_open_msrs[] = {MSR_SYSENTER_CS,
			       MSR_SYSENTER_ESP,
			       MSR_SYSENTER_EIP,
			       MSR_STAR,
			       MSR_LSTAR,
			       MSR_CSTAR,
			       MSR_SFMASK,
			       MSR_FS_BASE,
			       MSR_GS_BASE,
			       MSR_KERNEL_GS_BASE,
			       0};

const u16 model_open_ports[] = {0x80, 0};

/* The two vendors' own numbers, hidden on the other's processors
 * and on the baseline. */
enum msr_owner { ANY, INTEL, AMD };

struct msr_rule {
	u32 first, last;
	u8 owner;
	err_t (*read)(struct vcpu *vcpu, u32 msr, u64 *value);
	err_t (*write)(struct vcpu *vcpu, u32 msr, u64 value);
};

static err_t read_zero(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = 0;
	return E_OK;
}

static err_t write_ignored(struct vcpu *vcpu, u32 msr, u64 value)
{
	return E_OK;
}

static err_t write_zero_only(struct vcpu *vcpu, u32 msr, u64 value)
{
	return value ? E_INVALID : E_OK;
}

static err_t read_tsc(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = vcpu_tsc(vcpu);
	return E_OK;
}

static err_t write_tsc(struct vcpu *vcpu, u32 msr, u64 value)
{
	vcpu->tsc_offset += value - vcpu_tsc(vcpu);
	vcpu->engine->tsc_changed(vcpu);
	machine->tsc_moved(vcpu);
	vcpu_request(vcpu, REQUEST_INTERRUPT); /* a TSC deadline moves */
	return E_OK;
}

static err_t read_pat(struct vcpu *vcpu, u32 msr, u64 *value)
{
	vcpu_need(vcpu, STATE_CONTROL);
	*value = vcpu->state.pat;
	return E_OK;
}

static err_t write_pat(struct vcpu *vcpu, u32 msr, u64 value)
{
	for (unsigned i = 0; i < 64; i += 8) {
		u8 type = value >> i;

		if (type > 7 || type == 2 || type == 3)
			return E_INVALID;
	}
	vcpu_need(vcpu, STATE_CONTROL);
	vcpu->state.pat = value;
	vcpu_changed(vcpu, STATE_CONTROL);
	return E_OK;
}

static err_t read_efer(struct vcpu *vcpu, u32 msr, u64 *value)
{
	vcpu_need(vcpu, STATE_CONTROL);
	*value = vcpu->state.efer;
	return E_OK;
}

/* LMA follows CR0.PG and is not written; LME is fixed while paging is on. */
static err_t write_efer(struct vcpu *vcpu, u32 msr, u64 value)
{
	struct vcpu_state *s = &vcpu->state;

	vcpu_need(vcpu, STATE_CONTROL);
	if (value & ~vcpu->vm->model->limits.efer_allowed)
		return E_INVALID;
	if (((value ^ s->efer) & EFER_LME) && (s->cr0 & CR0_PG))
		return E_INVALID;
	value = (value & ~EFER_LMA) | (s->efer & EFER_LMA);
	if ((value ^ s->efer) & EFER_NXE)
		vcpu->engine->flush(vcpu); /* cached translations know NX */
	s->efer = value;
	vcpu_changed(vcpu, STATE_CONTROL);
	return E_OK;
}

static err_t read_tsc_aux(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = vcpu->state.tsc_aux;
	return features.rdtscp ? E_OK : E_INVALID;
}

/* The register is the guest's while the vCPU has the CPU: see context.c. */
static err_t write_tsc_aux(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (!features.rdtscp || value >> 32)
		return E_INVALID;
	vcpu->state.tsc_aux = value;
	wrmsr(MSR_TSC_AUX, value);
	return E_OK;
}

/* Fixed: no variable ranges; all memory write-back, as the tables below say. */
static err_t read_mtrr_default(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = BIT(11) | 6;
	return E_OK;
}

/* Fast strings on; no branch trace store, no precise event sampling. */
static err_t read_misc_enable(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = BIT(0) | BIT(11) | BIT(12);
	return E_OK;
}

static err_t machine_read(struct vcpu *vcpu, u32 msr, u64 *value)
{
	err_t err = machine->rdmsr(vcpu, msr, value);

	return err ? E_INVALID : E_OK;
}

static err_t machine_write(struct vcpu *vcpu, u32 msr, u64 value)
{
	vcpu_request(vcpu, REQUEST_INTERRUPT);
	return machine->wrmsr(vcpu, msr, value) ? E_INVALID : E_OK;
}

/* Sorted by number. */
static const struct msr_rule rules[] = {
	{MSR_TSC, MSR_TSC, ANY, read_tsc, write_tsc},
	{0x11, 0x12, ANY, machine_read, machine_write}, /* KVM's clock */
	{0x17, 0x17, INTEL, read_zero, NULL},		/* platform id */
	{MSR_APIC_BASE, MSR_APIC_BASE, ANY, machine_read, machine_write},
	{MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, ANY, read_zero, write_ignored},
	{MSR_MTRRCAP, MSR_MTRRCAP, ANY, read_zero, NULL},
	{MSR_MCG_CAP, MSR_MCG_CAP, ANY, read_zero, NULL},
	{MSR_MCG_STATUS, MSR_MCG_STATUS, ANY, read_zero, write_zero_only},
	{MSR_MISC_ENABLE, MSR_MISC_ENABLE, INTEL, read_misc_enable,
	 write_ignored},
	{MSR_DEBUGCTL, MSR_DEBUGCTL, ANY, read_zero, write_zero_only},
	{MSR_PAT, MSR_PAT, ANY, read_pat, write_pat},
	{MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, ANY, read_mtrr_default,
	 write_ignored},
	{MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, ANY, machine_read, machine_write},
	{MSR_X2APIC_BASE, MSR_X2APIC_BASE + 0xff, ANY, machine_read,
	 machine_write},
	{0x4b564d00, 0x4b564d01, ANY, machine_read, machine_write},
	{0x4b564d04, 0x4b564d04, ANY, machine_read, machine_write}, /* PV_EOI */
	{MSR_EFER, MSR_EFER, ANY, read_efer, write_efer},
	{MSR_TSC_AUX, MSR_TSC_AUX, ANY, read_tsc_aux, write_tsc_aux},
	{0xc0010000, 0xc0010007, AMD, read_zero, write_zero_only}, /* PMCs */
	{0xc0010010, 0xc0010010, AMD, read_zero, write_ignored},   /* SYSCFG */
	{MSR_AMD_HWCR, MSR_AMD_HWCR, AMD, read_zero, write_ignored},
	{0xc001001f, 0xc001001f, AMD, read_zero, write_ignored}, /* NB_CFG */
	{0xc0010055, 0xc0010055, AMD, read_zero, NULL},		 /* C1E */
};

static const struct msr_rule *find_rule(const struct vcpu *vcpu, u32 msr)
{
	static const enum msr_owner owners[] = {[VENDOR_OTHER] = ANY,
						[VENDOR_INTEL] = INTEL,
						[VENDOR_AMD] = AMD};
	enum msr_owner own = owners[vcpu->vm->model->vendor];
	unsigned low = 0, high = ARRAY_LEN(rules);

	while (low < high) {
		unsigned mid = (low + high) / 2;
		const struct msr_rule *r = &rules[mid];

		if (msr < r->first)
			high = mid;
		else if (msr > r->last)
			low = mid + 1;
		else
			return r->owner == ANY || r->owner == own ? r : NULL;
	}
	return NULL;
}

err_t model_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	const struct msr_rule *rule = find_rule(vcpu, msr);

	return rule ? rule->read(vcpu, msr, value) : E_INVALID;
}

err_t model_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	const struct msr_rule *rule = find_rule(vcpu, msr);

	return rule && rule->write ? rule->write(vcpu, msr, value) : E_INVALID;
}
