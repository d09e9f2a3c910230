/*
 * CPUID: which of the host's feature bits a guest sees, and what we add. A bit
 * that is not named here is hidden: new hardware never leaks through.
 */
#include "vm/model.h"

#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/vm.h"

#define MAX_LEAF	  0xd
#define MAX_EXTENDED_LEAF 0x80000008
#define HYPERVISOR_LEAF	  0x40000000
#define OWN_LEAF	  0x40000100

/* Documentation/virt/kvm/x86/cpuid.rst of Linux's source. */
#define KVM_FEATURES                                                       \
	(BIT(0) /* its clock by MSRs 0x11, 0x12 */ |                       \
	 BIT(1) /* no need to wait after port accesses */ |                \
	 BIT(3) /* its clock by MSRs 0x4b564d00, 01 */ |                   \
	 BIT(24) /* which all vCPUs may read alike */)

struct state_limits model_limits;

/* Kept where the host has them: named by SDM vol. 2A CPUID, APM vol. 3 E. */
#define LEAF1_ECX                                                              \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ |     \
	 BIT(12) /* FMA */ | BIT(13) /* CMPXCHG16B */ | BIT(19) /* SSE4.1 */ | \
	 BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ |   \
	 BIT(25) /* AES */ | BIT(26) /* XSAVE */ | BIT(28) /* AVX */ |         \
	 BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
#define LEAF1_EDX                                                          \
	(BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ |           \
	 BIT(3) /* PSE */ | BIT(4) /* TSC */ | BIT(5) /* MSR */ |          \
	 BIT(6) /* PAE */ | BIT(7) /* MCE */ | BIT(8) /* CX8 */ |          \
	 BIT(9) /* APIC */ | BIT(11) /* SEP */ | BIT(12) /* MTRR */ |      \
	 BIT(13) /* PGE */ |                                               \
	 BIT(14) /* MCA */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ |      \
	 BIT(17) /* PSE36 */ | BIT(19) /* CLFLUSH */ | BIT(23) /* MMX */ | \
	 BIT(24) /* FXSR */ | BIT(25) /* SSE */ | BIT(26) /* SSE2 */)
#define LEAF7_EBX                                                        \
	(BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | \
	 BIT(7) /* SMEP */ | BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ |     \
	 BIT(18) /* RDSEED */ | BIT(19) /* ADX */ | BIT(20) /* SMAP */ | \
	 BIT(23) /* CLFLUSHOPT */ | BIT(29) /* SHA */)
#define LEAF7_ECX  (BIT(2) /* UMIP */)
#define LEAFD_XCR0 7u /* x87, SSE, AVX: what the baseline carries */
#define EXT1_ECX                                                     \
	(BIT(0) /* LAHF */ | BIT(4) /* CR8 */ | BIT(5) /* LZCNT */ | \
	 BIT(6) /* SSE4A */ | BIT(7) /* misaligned SSE */ |          \
	 BIT(8) /* PREFETCHW */)
#define EXT1_EDX                                                            \
	(LEAF1_EDX | BIT(20) /* NX */ | BIT(22) /* MMXEXT */ |              \
	 BIT(26) /* 1G pages */ | BIT(27) /* RDTSCP */ | BIT(29) /* LM */ | \
	 BIT(11) /* SYSCALL */)

/* One leaf: host & keep | set. Leaves without a row answer zero. */
struct leaf_rule {
	u32 leaf, subleaf;
	struct cpuid_result keep, set;
};

#define ALL 0xffffffffu

static const struct leaf_rule rules[] = {
	{0, 0, {0, ALL, ALL, ALL}, {MAX_LEAF, 0, 0, 0}},
	{1,
	 0,
	 {ALL, 0x0000ff00 /* CLFLUSH size */, LEAF1_ECX, LEAF1_EDX},
	 {0, 0,
	  BIT(21) /* x2APIC */ | BIT(24) /* TSC deadline */ |
		  BIT(31) /* hypervisor */,
	  BIT(9)}},
	{6, 0, {0, 0, 0, 0}, {BIT(2) /* APIC timer always runs */, 0, 0, 0}},
	{7, 0, {0, LEAF7_EBX, LEAF7_ECX, 0}, {0, 0, 0, 0}},
	{0xd, 0, {LEAFD_XCR0, 0, 0, 0}, {0, 0, 0, 0}},
	{0xd,
	 1,
	 {BIT(0) /* XSAVEOPT */ | BIT(2) /* XGETBV 1 */, 0, 0, 0},
	 {0, 0, 0, 0}},
	{0xd, 2, {ALL, ALL, ALL, 0}, {0, 0, 0, 0}},
	/* "KVMKVMKVM": what guests know to make use of */
	{HYPERVISOR_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {HYPERVISOR_LEAF + 1, 0x4b4d564b, 0x564b4d56, 0x4d}},
	{HYPERVISOR_LEAF + 1, 0, {0, 0, 0, 0}, {KVM_FEATURES, 0, 0, 0}},
	/* "GodwitGodwit": and who it really is */
	{OWN_LEAF,
	 0,
	 {0, 0, 0, 0},
	 {OWN_LEAF, 0x77646f47, 0x6f477469, 0x74697764}},
	{0x80000000, 0, {0, ALL, ALL, ALL}, {MAX_EXTENDED_LEAF, 0, 0, 0}},
	{0x80000001, 0, {ALL, 0, EXT1_ECX, EXT1_EDX}, {0, 0, 0, 0}},
	{0x80000002, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000003, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000004, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000005, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000006, 0, {ALL, ALL, ALL, ALL}, {0, 0, 0, 0}},
	{0x80000007, 0, {0, 0, 0, BIT(8) /* invariant TSC */}, {0, 0, 0, 0}},
	{0x80000008, 0, {0x0000ffff, 0, 0, 0}, {0, 0, 0, 0}},
};

/* The finished table, in the same order. */
static struct cpuid_result table[ARRAY_LEN(rules)];

const struct cpuid_result *model_fixed[2][MODEL_FIXED];

static u32 xsave_size(u64 xcr0)
{
	/* Standard format: the legacy area and header, then AVX's upper halves
	 * where CPUID puts them (SDM vol. 1 13.4.3). */
	const struct cpuid_regs avx = cpuid(0xd, 2);

	return xcr0 & 4 ? avx.ebx + avx.eax : 576;
}

static bool needs_adjusting(u32 leaf)
{
	return leaf == 1 || leaf == 0xb || leaf == 0xd;
}

static bool has_subleaves(u32 leaf)
{
	return leaf == 7 || leaf == 0xd;
}

static void fill_row(unsigned i)
{
	const struct leaf_rule *r = &rules[i];
	struct cpuid_regs host = {0};

	if (r->leaf <= features.max_leaf ||
	    (r->leaf >= 0x80000000 && r->leaf <= features.max_extended_leaf))
		host = cpuid(r->leaf, r->subleaf);
	table[i].eax = (host.eax & r->keep.eax) | r->set.eax;
	table[i].ebx = (host.ebx & r->keep.ebx) | r->set.ebx;
	table[i].ecx = (host.ecx & r->keep.ecx) | r->set.ecx;
	table[i].edx = (host.edx & r->keep.edx) | r->set.edx;
	if (!has_subleaves(r->leaf) && !needs_adjusting(r->leaf) &&
	    !(r->leaf & 0x7ffffff0))
		model_fixed[r->leaf >> 31][r->leaf & (MODEL_FIXED - 1)] =
			&table[i];
}

static struct cpuid_result *row_of(u32 leaf, u32 subleaf)
{
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].leaf == leaf && rules[i].subleaf == subleaf)
			return &table[i];
	return NULL;
}

static void derive_limits(void)
{
	const struct cpuid_result *l1 = row_of(1, 0), *l7 = row_of(7, 0);
	const struct cpuid_result *e1 = row_of(0x80000001, 0);
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
	model_limits.cr4_allowed = cr4;
	model_limits.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA;
	if (e1->edx & BIT(20))
		model_limits.efer_allowed |= EFER_NXE;
	model_limits.xcr0_allowed =
		features.xsave ? row_of(0xd, 0)->eax & features.xcr0 : 1;
	model_limits.phys_bits = features.phys_bits;
}

void model_init(void)
{
	struct cpuid_result *d;

	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		fill_row(i);
	/* AMD repeats leaf 1 in 0x80000001 EDX; Intel keeps those bits 0. */
	if (features.vendor == VENDOR_INTEL)
		row_of(0x80000001, 0)->edx &=
			BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29);
	if (features.virt_bits > 48)
		row_of(0x80000008, 0)->eax =
			(row_of(0x80000008, 0)->eax & 0xff) | 48 << 8;
	derive_limits();
	d = row_of(0xd, 0);
	d->eax = model_limits.xcr0_allowed;
	d->ecx = xsave_size(model_limits.xcr0_allowed);
	if (!(d->eax & 4)) {
		*row_of(0xd, 2) = (struct cpuid_result){0};
		row_of(1, 0)->ecx &= ~(u32)(BIT(28) | BIT(12) | BIT(29));
		row_of(7, 0)->ebx &= ~(u32)BIT(5);
	}
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
	}
}

/* A leaf beyond the last answers as the last basic one (SDM vol. 2A). */
static u32 clamp_leaf(u32 leaf)
{
	if (leaf - 0x80000000u < 0x40000000u)
		return leaf;
	if (leaf >= HYPERVISOR_LEAF && leaf < HYPERVISOR_LEAF + 0x10000)
		return leaf;
	if (leaf > MAX_LEAF && features.vendor == VENDOR_INTEL)
		return MAX_LEAF;
	return leaf;
}

void model_cpuid(struct vcpu *vcpu, u32 leaf, u32 subleaf,
		 struct cpuid_result *result)
{
	const struct cpuid_result *row;

	leaf = clamp_leaf(leaf);
	row = row_of(leaf, has_subleaves(leaf) ? subleaf : 0);
	*result = row ? *row : (struct cpuid_result){0};
	if (needs_adjusting(leaf))
		adjust(vcpu, leaf, subleaf, result);
}
