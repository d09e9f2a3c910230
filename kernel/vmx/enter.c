/* The round trip: into the guest, and what every exit needs on the way back. */
#include "vmx/vmx.h"

static void failed_entry(struct vcpu *vcpu)
{
	vmwrite(ENTRY_EVENT, 0); /* only a real exit clears it */
	vcpu->exit.reason = EXIT_ENTRY_FAILED;
	vcpu->exit.ilen = 0;
}

void vmx_enter(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	u64 flags;
	u32 reason;

	if (likely(vcpu->dirty))
		vmx_put(vcpu, vcpu->dirty);
	if (unlikely(vcpu->state.pending.kind != EVENT_NONE))
		vmx_inject(vcpu);

	flags = vmx_switch(vcpu->state.gpr, &vmx->host_rsp, vmx->launched);
	if (unlikely(flags)) {
		vmx_explain_vmfail(vcpu, flags);
		failed_entry(vcpu);
		return;
	}
	reason = vmread(EXIT_REASON);
	if (unlikely(reason & REASON_ENTRY_FAILED)) {
		vmx_explain_entry(vcpu, reason);
		vcpu->exit.code = reason;
		failed_entry(vcpu);
		return;
	}
	vmx->launched = true;
	vcpu->state.pending.kind = EVENT_NONE;
	vcpu->valid = STATE_CORE;
	vmx_get_core(vcpu);
	vmx_decode(vcpu, reason);
}
