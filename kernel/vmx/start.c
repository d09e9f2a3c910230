/*
 * Is VMX here, complete enough, and ours to use? Then a processor's life in VMX
 * operation.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "vmx/vmx.h"

err_t vmx_probe(struct engine_caps *caps)
{
	struct vmx_msrs msrs;
	err_t err;

	if (!features.vmx && features.vendor != VENDOR_INTEL)
		return E_NOTFOUND;
	if (!features.vmx) {
		memset(caps, 0, sizeof(*caps));
		copy_string(caps->missing, sizeof(caps->missing), "VMX");
		log_error("vmx: this processor has no VMX");
		return E_UNSUPPORTED;
	}
	vmx_read_msrs(&msrs);
	err = vmx_choose(&msrs, &vmx_caps, caps);
	if (err)
		log_error("vmx: this processor lacks %s", caps->missing);
	return err;
}

/* VMXON is allowed once the firmware, or we, have locked this (24.7). */
static err_t unlock_vmx(struct cpu *cpu)
{
	const u64 wanted = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_OUTSIDE_SMX;
	u64 value = rdmsr(MSR_FEATURE_CONTROL);

	if (!(value & FEATURE_CONTROL_LOCK)) {
		wrmsr(MSR_FEATURE_CONTROL, value | wanted);
		value = rdmsr(MSR_FEATURE_CONTROL);
	}
	if ((value & wanted) == wanted)
		return E_OK;
	log_error("vmx: CPU %u: the firmware has locked VMX off "
		  "(IA32_FEATURE_CONTROL is %lx)",
		  cpu->id, value);
	return E_UNSUPPORTED;
}

u64 vmx_region(void)
{
	u64 phys = page_alloc_zeroed(ORDER_4K);

	if (phys)
		*(u32 *)phys_to_virt(phys) = vmx_caps.revision;
	return phys;
}

err_t vmx_cpu_on(struct cpu *cpu)
{
	const struct vmx_msrs *msrs = &vmx_caps.msrs;
	struct vmx_cpu *vc;
	err_t err = unlock_vmx(cpu);

	if (err)
		return err;
	vc = kzalloc(sizeof(*vc));
	if (!vc)
		return E_NOMEM;
	vc->region = vmx_region();
	if (!vc->region) {
		kfree(vc);
		return E_NOMEM;
	}
	write_cr0((read_cr0() | msrs->cr0_fixed0) & msrs->cr0_fixed1);
	write_cr4((read_cr4() | CR4_VMXE | msrs->cr4_fixed0) &
		  msrs->cr4_fixed1);
	if (!vmxon(vc->region)) {
		log_error("vmx: CPU %u: VMXON failed", cpu->id);
		page_free(vc->region, ORDER_4K);
		kfree(vc);
		return E_HARDWARE;
	}
	cpu->engine = vc;
	vmx_flush_all();
	return E_OK;
}

void vmx_cpu_off(struct cpu *cpu)
{
	struct vmx_cpu *vc = cpu->engine;

	if (!vc)
		return;
	ASSERT(!vc->vcpu);
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	page_free(vc->region, ORDER_4K);
	kfree(vc);
	cpu->engine = NULL;
}
