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
	struct vcpu_state *s = &vcpu->state;

	for (unsigned i = 0; i < SEGMENTS; i++)
		get_segment(vcpu, i);
	s->gdtr.base = vmread(GUEST_GDTR_BASE);
	s->gdtr.limit = vmread(GUEST_GDTR_LIMIT);
	s->idtr.base = vmread(GUEST_IDTR_BASE);
	s->idtr.limit = vmread(GUEST_IDTR_LIMIT);
	state_normalise(s);
}

static void put_segments(struct vcpu *vcpu)
{
	const struct vcpu_state *s = &vcpu->state;

	for (unsigned i = 0; i < SEGMENTS; i++)
		put_segment(vcpu, i);
	vmwrite(GUEST_GDTR_BASE, s->gdtr.base);
	vmwrite(GUEST_GDTR_LIMIT, s->gdtr.limit);
	vmwrite(GUEST_IDTR_BASE, s->idtr.base);
	vmwrite(GUEST_IDTR_LIMIT, s->idtr.limit);
}

/* --- control registers: some bits are not the guest's own (26.3) */

/*
 * A bit in the mask reads from the shadow, and writing it with another value
 * exits. NE is fixed; the cache stays on whatever the guest says; machine
 * checks stay enabled, or one would shut the processor down.
 */
#define CR0_HOST (CR0_NE | CR0_CD | CR0_NW)

static u64 cr4_host(void)
{
	return ~model_limits.cr4_allowed | CR4_VMXE | CR4_MCE;
}

static u64 get_cr0(void)
{
	return (vmread(GUEST_CR0) & ~CR0_HOST) |
	       (vmread(CR0_SHADOW) & CR0_HOST);
}

static u64 get_cr4(void)
{
	u64 host = cr4_host();

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
	s->cr3 = vmread(GUEST_CR3);
	s->cr4 = get_cr4();
	s->efer = vmread(GUEST_EFER);
	s->pat = vmread(GUEST_PAT);
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
	u64 host4 = cr4_host();
	u32 entry = vmx_caps.entry;

	vmwrite(CR0_MASK, CR0_HOST);
	vmwrite(CR0_SHADOW, s->cr0);
	vmwrite(GUEST_CR0, (s->cr0 & ~CR0_HOST) | CR0_NE);
	vmwrite(CR4_MASK, host4);
	vmwrite(CR4_SHADOW, s->cr4);
	vmwrite(GUEST_CR4,
		(s->cr4 & ~host4) | msrs->cr4_fixed0 | (read_cr4() & CR4_MCE));
	vmwrite(GUEST_CR3, s->cr3);
	write_cr2(s->cr2);
	vmwrite(GUEST_EFER, s->efer);
	vmwrite(GUEST_PAT, s->pat);
	if (s->efer & EFER_LMA)
		entry |= ENTRYC_GUEST_64;
	vmwrite(ENTRY_CONTROLS, entry);
	if (pae_paging(s))
		put_pdptes(vcpu);
	put_interruptibility(vcpu);
}

/* --- debug registers and MSRs */

static void get_debug(struct vcpu *vcpu)
{
	vcpu->state.dr6 = read_dr6();
	vcpu->state.dr7 = vmread(GUEST_DR7);
	vcpu->state.debugctl = vmread(GUEST_DEBUGCTL);
}

static void put_debug(struct vcpu *vcpu)
{
	write_dr6(vcpu->state.dr6);
	vmwrite(GUEST_DR7, vcpu->state.dr7);
	vmwrite(GUEST_DEBUGCTL, vcpu->state.debugctl);
}

static void get_msrs(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	s->star = rdmsr(MSR_STAR);
	s->lstar = rdmsr(MSR_LSTAR);
	s->cstar = rdmsr(MSR_CSTAR);
	s->sfmask = rdmsr(MSR_SFMASK);
	s->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
	s->sysenter_cs = vmread(GUEST_SYSENTER_CS);
	s->sysenter_esp = vmread(GUEST_SYSENTER_ESP);
	s->sysenter_eip = vmread(GUEST_SYSENTER_EIP);
}

static void put_msrs(struct vcpu *vcpu)
{
	const struct vcpu_state *s = &vcpu->state;

	wrmsr(MSR_STAR, s->star);
	wrmsr(MSR_LSTAR, s->lstar);
	wrmsr(MSR_CSTAR, s->cstar);
	wrmsr(MSR_SFMASK, s->sfmask);
	wrmsr(MSR_KERNEL_GS_BASE, s->kernel_gs_base);
	vmwrite(GUEST_SYSENTER_CS, s->sysenter_cs);
	vmwrite(GUEST_SYSENTER_ESP, s->sysenter_esp);
	vmwrite(GUEST_SYSENTER_EIP, s->sysenter_eip);
}

/* CS, CR0, CR3, CR4, EFER: what fetching an instruction needs. */
static void get_fetch(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	get_segment(vcpu, CS);
	s->cr0 = get_cr0();
	s->cr3 = vmread(GUEST_CR3);
	s->cr4 = get_cr4();
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
