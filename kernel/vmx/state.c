/*
 * The canonical state in and out of the VMCS, by groups. What a group holds
 * that is not in the VMCS (SYSCALL's MSRs, DR6, CR2) is in the processor while
 * the vCPU is attached, and is exchanged here too.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vm/model.h"
#include "vm/vm.h"
#include "vmx/vmx.h"

/* --- what is the same in both, by groups */

struct field {
	u16 field;
	u8 size; /* in the state */
	u16 in_state;
};

#define FIELD(name, member)                                     \
	{                                                       \
		name, sizeof(((struct vcpu_state *)0)->member), \
			offsetof(struct vcpu_state, member)     \
	}

static const struct field table_fields[] = {
	FIELD(GUEST_GDTR_BASE, gdtr.base),
	FIELD(GUEST_GDTR_LIMIT, gdtr.limit),
	FIELD(GUEST_IDTR_BASE, idtr.base),
	FIELD(GUEST_IDTR_LIMIT, idtr.limit),
};

static const struct field control_fields[] = {
	FIELD(GUEST_CR3, cr3),
	FIELD(GUEST_EFER, efer),
	FIELD(GUEST_PAT, pat),
};

static const struct field debug_fields[] = {
	FIELD(GUEST_DR7, dr7),
	FIELD(GUEST_DEBUGCTL, debugctl),
};

static const struct field msr_fields[] = {
	FIELD(GUEST_SYSENTER_CS, sysenter_cs),
	FIELD(GUEST_SYSENTER_ESP, sysenter_esp),
	FIELD(GUEST_SYSENTER_EIP, sysenter_eip),
};

static void get_fields(struct vcpu *vcpu, const struct field *fields, size_t n)
{
	for (; n-- > 0; fields++) {
		u64 value = vmread(fields->field);

		memcpy((u8 *)&vcpu->state + fields->in_state, &value,
		       fields->size);
	}
}

static void put_fields(struct vcpu *vcpu, const struct field *fields, size_t n)
{
	for (; n-- > 0; fields++) {
		u64 value = 0;

		memcpy(&value, (u8 *)&vcpu->state + fields->in_state,
		       fields->size);
		vmwrite(fields->field, value);
	}
}

#define GET_FIELDS(fields) get_fields(vcpu, fields, ARRAY_LEN(fields))
#define PUT_FIELDS(fields) put_fields(vcpu, fields, ARRAY_LEN(fields))

/* --- core: RIP, RSP, RFLAGS, what holds events back */

_Static_assert(SHADOW_STI == INTERRUPTIBILITY_STI &&
		       SHADOW_MOV_SS == INTERRUPTIBILITY_MOV_SS,
	       "the shadow's bits are the processor's own");
_Static_assert(ACTIVITY_HALT == 1 && ACTIVITY_SHUTDOWN == 2 &&
		       ACTIVITY_WAIT_SIPI == 3,
	       "activities are the processor's own (25.4.2)");

static void put_interruptibility(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	u32 value = vcpu->state.shadow;

	if (vcpu->state.nmi_blocked)
		value |= INTERRUPTIBILITY_NMI;
	if (value == vmx->interruptibility)
		return;
	vmwrite(GUEST_INTERRUPTIBILITY, vmx->interruptibility = value);
	if (value & (SHADOW_STI | SHADOW_MOV_SS))
		vmx_pending_debug(vcpu);
}

static void put_core(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	struct vcpu_state *s = &vcpu->state;

	if (s->rip != vmx->rip)
		vmwrite(GUEST_RIP, vmx->rip = s->rip);
	if (s->gpr[RSP] != vmx->rsp)
		vmwrite(GUEST_RSP, vmx->rsp = s->gpr[RSP]);
	if (s->rflags != vmx->rflags)
		vmwrite(GUEST_RFLAGS, vmx->rflags = s->rflags);
	if (unlikely(s->activity != vmx->activity))
		vmwrite(GUEST_ACTIVITY, vmx->activity = s->activity);
	put_interruptibility(vcpu);
}

/* --- segments: access rights have a gap and a bit of their own (25.4.1) */

static void get_segment(struct vcpu *vcpu, unsigned i)
{
	u32 access = vmread(GUEST_ES_ACCESS + 2 * i);
	u16 attr = (access & 0xff) | (access >> 4 & 0xf00);

	if (access & ACCESS_UNUSABLE)
		attr &= ~SEG_P;
	vcpu->state.seg[i] = (struct segment){
		.selector = vmread(GUEST_ES_SELECTOR + 2 * i),
		.attr = attr,
		.limit = vmread(GUEST_ES_LIMIT + 2 * i),
		.base = vmread(GUEST_ES_BASE + 2 * i),
	};
}

static void put_segment(struct vcpu *vcpu, unsigned i)
{
	const struct segment *seg = &vcpu->state.seg[i];
	u32 access = (seg->attr & 0xff) | (seg->attr & 0xf00) << 4;

	/* Of SS the DPL counts even then: it is the CPL. */
	if (!(seg->attr & SEG_P))
		access = ACCESS_UNUSABLE | (seg->attr & SEG_DPL);
	vmwrite(GUEST_ES_SELECTOR + 2 * i, seg->selector);
	vmwrite(GUEST_ES_ACCESS + 2 * i, access);
	vmwrite(GUEST_ES_LIMIT + 2 * i, seg->limit);
	vmwrite(GUEST_ES_BASE + 2 * i, seg->base);
}

static void get_segments(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		get_segment(vcpu, i);
	GET_FIELDS(table_fields);
	state_normalise(&vcpu->state);
}

static void put_segments(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		put_segment(vcpu, i);
	PUT_FIELDS(table_fields);
}

/* --- control registers: some bits are not the guest's own (26.3) */

/*
 * A bit in the mask reads from the shadow, and writing it with another value
 * exits. NE is fixed; the cache stays on whatever the guest says; machine
 * checks stay enabled, or one would shut the processor down.
 */
#define CR0_HOST (CR0_NE | CR0_CD | CR0_NW)

static u64 cr4_host(const struct vcpu *vcpu)
{
	return ~vcpu->vm->model->limits.cr4_allowed | CR4_VMXE | CR4_MCE;
}

static u64 get_cr0(void)
{
	return (vmread(GUEST_CR0) & ~CR0_HOST) |
	       (vmread(CR0_SHADOW) & CR0_HOST);
}

static u64 get_cr4(const struct vcpu *vcpu)
{
	u64 host = cr4_host(vcpu);

	return (vmread(GUEST_CR4) & ~host) | (vmread(CR4_SHADOW) & host);
}

static bool pae_paging(const struct vcpu_state *s)
{
	return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA);
}

static void get_control(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	s->cr0 = get_cr0();
	s->cr2 = read_cr2();
	s->cr4 = get_cr4(vcpu);
	GET_FIELDS(control_fields);
	s->pdpte_valid = pae_paging(s);
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = s->pdpte_valid ? vmread(GUEST_PDPTE0 + 2 * i) : 0;
}

/* With EPT, entries load these from the VMCS, not from CR3 (27.3.2.4). */
static void put_pdptes(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	if (!s->pdpte_valid &&
	    guest_read(&vcpu->vm->memory, s->cr3 & 0xffffffe0, s->pdpte,
		       sizeof(s->pdpte)))
		memset(s->pdpte, 0, sizeof(s->pdpte));
	s->pdpte_valid = true;
	for (unsigned i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + 2 * i, s->pdpte[i]);
}

static void put_control(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;
	const struct vmx_msrs *msrs = &vmx_caps.msrs;
	u64 host4 = cr4_host(vcpu);
	u32 entry = vmx_caps.entry;

	vmwrite(CR0_MASK, CR0_HOST);
	vmwrite(CR0_SHADOW, s->cr0);
	vmwrite(GUEST_CR0, (s->cr0 & ~CR0_HOST) | CR0_NE);
	vmwrite(CR4_MASK, host4);
	vmwrite(CR4_SHADOW, s->cr4);
	vmwrite(GUEST_CR4,
		(s->cr4 & ~host4) | msrs->cr4_fixed0 | (read_cr4() & CR4_MCE));
	write_cr2(s->cr2);
	PUT_FIELDS(control_fields);
	if (s->efer & EFER_LMA)
		entry |= ENTRYC_GUEST_64;
	vmwrite(ENTRY_CONTROLS, entry);
	if (pae_paging(s))
		put_pdptes(vcpu);
	put_interruptibility(vcpu);
}

/* --- debug registers and MSRs */

static const struct {
	u32 msr;
	u16 in_state;
} msrs[] = {
	{MSR_STAR, offsetof(struct vcpu_state, star)},
	{MSR_LSTAR, offsetof(struct vcpu_state, lstar)},
	{MSR_CSTAR, offsetof(struct vcpu_state, cstar)},
	{MSR_SFMASK, offsetof(struct vcpu_state, sfmask)},
	{MSR_KERNEL_GS_BASE, offsetof(struct vcpu_state, kernel_gs_base)},
};

static u64 *msr_place(struct vcpu *vcpu, unsigned i)
{
	return (u64 *)((u8 *)&vcpu->state + msrs[i].in_state);
}

static void get_msrs(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++)
		*msr_place(vcpu, i) = rdmsr(msrs[i].msr);
	GET_FIELDS(msr_fields);
}

static void put_msrs(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++)
		wrmsr(msrs[i].msr, *msr_place(vcpu, i));
	PUT_FIELDS(msr_fields);
}

static void get_debug(struct vcpu *vcpu)
{
	vcpu->state.dr6 = read_dr6();
	GET_FIELDS(debug_fields);
}

static void put_debug(struct vcpu *vcpu)
{
	write_dr6(vcpu->state.dr6);
	PUT_FIELDS(debug_fields);
}

/* CS, CR0, CR3, CR4, EFER: what fetching an instruction needs. */
static void get_fetch(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	get_segment(vcpu, CS);
	s->cr0 = get_cr0();
	s->cr3 = vmread(GUEST_CR3);
	s->cr4 = get_cr4(vcpu);
	s->efer = vmread(GUEST_EFER);
}

/* --- by groups */

void vmx_get(struct vcpu *vcpu, u32 groups)
{
	struct vmx_vcpu *vmx = vcpu->hw;

	if (groups & STATE_CORE) {
		vmx->interruptibility = ~0u; /* unknown */
		vmx_get_core(vcpu);
		vcpu->state.activity = vmx->activity;
	}
	if (groups & STATE_SEGMENTS)
		get_segments(vcpu);
	if (groups & STATE_CONTROL)
		get_control(vcpu);
	if (groups & STATE_DEBUG)
		get_debug(vcpu);
	if (groups & STATE_MSRS)
		get_msrs(vcpu);
	if (groups & STATE_FETCH)
		get_fetch(vcpu);
}

/* Apart, so that the usual way in needs no registers saved. */
static __attribute__((noinline)) void put_more(struct vcpu *vcpu, u32 groups)
{
	if (groups & STATE_SEGMENTS)
		put_segments(vcpu);
	if (groups & STATE_CONTROL)
		put_control(vcpu);
	if (groups & STATE_DEBUG)
		put_debug(vcpu);
	if (groups & STATE_MSRS)
		put_msrs(vcpu);
}

void vmx_put(struct vcpu *vcpu, u32 groups)
{
	vcpu->dirty &= ~groups;
	if (likely(groups & STATE_CORE))
		put_core(vcpu);
	if (unlikely(groups != STATE_CORE))
		put_more(vcpu, groups);
}
