/* CPUID: the tables made from the host's, and what depends on the vCPU. */
#include "vm/model.h"

#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/model_tables.h"
#include "vm/vm.h"

static struct model models[MODELS];

static u32 xsave_size(u64 xcr0)
{
	/* Standard format: the legacy area and header, then AVX's upper halves
	 * where CPUID puts them (SDM vol. 1 13.4.3). */
	const struct cpuid_regs avx = cpuid(0xd, 2);

	return xcr0 & 4 ? avx.ebx + avx.eax : 576;
}

static bool needs_adjusting(u32 leaf)
{
	return leaf == 1 || leaf == 0xb || leaf == 0xd ||
	       (leaf >= OWN_LEAF && leaf <= EXIT_KIND_LEAF);
}

static bool has_subleaves(u32 leaf)
{
	return leaf == 7 || leaf == 0xd;
}

struct cpuid_result model_host_leaf(u32 leaf, u32 subleaf)
{
	struct cpuid_regs host = {0};

	if (leaf <= features.max_leaf ||
	    (leaf >= 0x80000000 && leaf <= features.max_extended_leaf))
		host = cpuid(leaf, subleaf);
	return (struct cpuid_result){host.eax, host.ebx, host.ecx, host.edx};
}

/* What the host must have and has not: the first such word is named. */
static void note_missing(struct model *model, const struct leaf_rule *r,
			 const struct cpuid_result *host)
{
	const u32 want[] = {r->keep.eax, r->keep.ebx, r->keep.ecx, r->keep.edx};
	const u32 has[] = {host->eax, host->ebx, host->ecx, host->edx};

	for (unsigned i = 0; i < 4; i++)
		if ((want[i] & ~has[i]) && !model->missing[0])
			snprintf(model->missing, sizeof(model->missing),
				 "leaf 0x%x.%u E%cX bits 0x%x", r->leaf,
				 r->subleaf, 'A' + i, want[i] & ~has[i]);
}

static void fill_row(struct model *model, unsigned i)
{
	const struct leaf_rule *r = &model->rules->row[i];
	const struct cpuid_result host = model_host_leaf(r->leaf, r->subleaf);
	struct cpuid_result *row = &model->table[i];

	row->eax = (host.eax & r->keep.eax) | r->set.eax;
	row->ebx = (host.ebx & r->keep.ebx) | r->set.ebx;
	row->ecx = (host.ecx & r->keep.ecx) | r->set.ecx;
	row->edx = (host.edx & r->keep.edx) | r->set.edx;
	if (model->rules->complete)
		note_missing(model, r, &host);
	if (!has_subleaves(r->leaf) && !needs_adjusting(r->leaf) &&
	    !(r->leaf & 0x7ffffff0))
		model->fixed[r->leaf >> 31][r->leaf & (MODEL_FIXED - 1)] = row;
}

static const struct cpuid_result *find_row(const struct model *model, u32 leaf,
					   u32 subleaf)
{
	const struct model_rules *rules = model->rules;

	for (unsigned i = 0; i < rules->rows; i++)
		if (rules->row[i].leaf == leaf &&
		    rules->row[i].subleaf == subleaf)
			return &model->table[i];
	return NULL;
}

static struct cpuid_result *row_of(struct model *model, u32 leaf, u32 subleaf)
{
	return (struct cpuid_result *)find_row(model, leaf, subleaf);
}

static void derive_limits(struct model *model)
{
	const struct cpuid_result *l1 = row_of(model, 1, 0);
	const struct cpuid_result *l7 = row_of(model, 7, 0);
	const struct cpuid_result *e1 = row_of(model, 0x80000001, 0);
	struct state_limits *limits = &model->limits;
	u64 cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE |
		  CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (l1->ecx & BIT(26))
		cr4 |= CR4_OSXSAVE;
	if (l7->ebx & BIT(0))
		cr4 |= CR4_FSGSBASE;
	if (l7->ebx & BIT(7))
		cr4 |= CR4_SMEP;
	if (l7->ebx & BIT(20))
		cr4 |= CR4_SMAP;
	if (l7->ecx & BIT(2))
		cr4 |= CR4_UMIP;
	limits->cr4_allowed = cr4;
	limits->efer_allowed = EFER_SCE | EFER_LME | EFER_LMA;
	if (e1->edx & BIT(20))
		limits->efer_allowed |= EFER_NXE;
	limits->xcr0_allowed =
		features.xsave ? row_of(model, 0xd, 0)->eax & features.xcr0 : 1;
	limits->phys_bits = row_of(model, 0x80000008, 0)->eax & 0xff;
}

/* What only the host's own leaves need. */
static void adapt_to_host(struct model *model)
{
	struct cpuid_result *sizes = row_of(model, 0x80000008, 0);

	/* AMD repeats leaf 1 in 0x80000001 EDX; Intel keeps those bits 0. */
	if (features.vendor == VENDOR_INTEL)
		row_of(model, 0x80000001, 0)->edx &=
			BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29);
	if (features.virt_bits > 48)
		sizes->eax = (sizes->eax & 0xff) | 48 << 8;
	if (!(sizes->eax & 0xff))
		sizes->eax |= features.phys_bits; /* no such leaf */
	model->vendor = features.vendor;
}

static void fill_model(struct model *model, const struct model_rules *rules)
{
	struct cpuid_result *d;

	model->rules = rules;
	for (unsigned i = 0; i < rules->rows; i++)
		fill_row(model, i);
	if (!rules->complete)
		adapt_to_host(model);
	derive_limits(model);
	if (features.phys_bits < model->limits.phys_bits && !model->missing[0])
		snprintf(model->missing, sizeof(model->missing),
			 "%u bits of physical address",
			 model->limits.phys_bits);
	d = row_of(model, 0xd, 0);
	d->eax = model->limits.xcr0_allowed;
	d->ecx = xsave_size(model->limits.xcr0_allowed);
	if (!(d->eax & 4)) {
		*row_of(model, 0xd, 2) = (struct cpuid_result){0};
		row_of(model, 1, 0)->ecx &= ~(u32)(BIT(28) | BIT(12) | BIT(29));
		row_of(model, 7, 0)->ebx &= ~(u32)BIT(5);
	}
}

void model_init(void)
{
	for (unsigned i = 0; i < MODELS; i++)
		fill_model(&models[i], &model_rules[i]);
}

const struct model *model_of(enum cpu_model which)
{
	return &models[which];
}

unsigned model_rows(const struct model *model)
{
	return model->rules->rows;
}

u32 model_leaf(const struct model *model, unsigned row)
{
	return row < model->rules->rows ? model->rules->row[row].leaf : 0;
}

err_t model_choose(struct vm *vm)
{
	struct model *model = &models[vm->config.cpu_model];

	if (model->missing[0]) {
		log_error("%s: this host cannot serve cpu-model = %s: it lacks "
			  "%s",
			  vm->config.name, model->rules->name, model->missing);
		return E_UNSUPPORTED;
	}
	vm->model = model;
	return E_OK;
}

/* Topology: one package, a core per vCPU (SDM vol. 2A, leaf 0BH). */
static void topology(const struct vcpu *vcpu, u32 subleaf,
		     struct cpuid_result *result)
{
	unsigned bits = 0;

	while (1u << bits < vcpu->vm->vcpus)
		bits++;
	result->eax = subleaf == 1 ? bits : 0;
	result->ebx = subleaf == 0 ? 1 : subleaf == 1 ? vcpu->vm->vcpus : 0;
	result->ecx = subleaf | (subleaf < 2 ? (subleaf + 1) << 8 : 0);
	result->edx = vcpu->id;
}

/*
 * What exits cost this vCPU on this host: of one kind, or of all. The exit that
 * asks is counted; its cycles are not, it still goes on.
 */
static void exits_of(const struct vcpu *vcpu, u32 first, u32 end,
		     struct cpuid_result *result)
{
	u64 count = 0, cycles = 0;

	for (u32 kind = first; kind < end; kind++) {
		count += vcpu->exits[kind].count;
		cycles += vcpu->exits[kind].cycles;
	}
	*result =
		(struct cpuid_result){count, count >> 32, cycles, cycles >> 32};
}

/* Our own leaves: for guests that are allowed to look (docs/machine.md). */
static void own_leaf(const struct vcpu *vcpu, u32 leaf, u32 subleaf,
		     struct cpuid_result *result)
{
	if (!vcpu->vm->config.counters)
		return;
	if (leaf == OWN_LEAF)
		result->eax = EXIT_KIND_LEAF;
	else if (leaf == EXITS_LEAF)
		exits_of(vcpu, 0, EXIT_REASON_COUNT, result);
	else if (subleaf < EXIT_REASON_COUNT)
		exits_of(vcpu, subleaf, subleaf + 1, result);
}

/* What depends on the vCPU and its registers. */
static void adjust(struct vcpu *vcpu, u32 leaf, u32 subleaf,
		   struct cpuid_result *result)
{
	switch (leaf) {
	case 1:
		vcpu_need(vcpu, STATE_CONTROL);
		result->ebx |= vcpu->id << 24 | vcpu->vm->vcpus << 16;
		if (vcpu->vm->vcpus > 1)
			result->edx |= BIT(28); /* HTT: several logical CPUs */
		if (vcpu->state.cr4 & CR4_OSXSAVE)
			result->ecx |= BIT(27);
		break;
	case 0xb:
		topology(vcpu, subleaf, result);
		break;
	case 0xd:
		/* XSETBV cannot be trapped everywhere: ask the register. */
		if (!subleaf && features.xsave)
			result->ebx = xsave_size(xgetbv(0));
		break;
	case OWN_LEAF ... EXIT_KIND_LEAF:
		own_leaf(vcpu, leaf, subleaf, result);
		break;
	}
}

/* A leaf beyond the last answers as the last basic one (SDM vol. 2A). */
static u32 clamp_leaf(const struct model *model, u32 leaf)
{
	if (leaf - 0x80000000u < 0x40000000u)
		return leaf;
	if (leaf >= HYPERVISOR_LEAF && leaf < HYPERVISOR_LEAF + 0x10000)
		return leaf;
	if (leaf > MAX_LEAF && model->vendor == VENDOR_INTEL)
		return MAX_LEAF;
	return leaf;
}

void model_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf,
		 struct cpuid_result *result)
{
	const struct model *model = vcpu->vm->model;
	const struct cpuid_result *row;

	leaf = clamp_leaf(model, leaf);
	row = find_row(model, leaf, has_subleaves(leaf) ? subleaf : 0);
	*result = row ? *row : (struct cpuid_result){0};
	if (needs_adjusting(leaf))
		adjust(vcpu, leaf, subleaf, result);
}
