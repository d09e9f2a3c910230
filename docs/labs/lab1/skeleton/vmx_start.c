/*
 * Lab 1, second half: start VMX. This file takes the place of
 * kernel/vmx/start.c. Section numbers are those of Intel SDM volume 3C.
 *
 * What you need: rdmsr(), wrmsr(), read_cr0() and its kin; vmxon(phys) (false:
 * VMfail), vmxoff(); page_alloc_zeroed(ORDER_4K) (a physical address, 0: none
 * left), phys_to_virt(), page_free(), kzalloc(), kfree(); log_error(); the
 * bits' names in kernel/vmx/arch.h and kernel/cpu/msr.h.
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

/*
 * Given: fills vmx_caps from the capability MSRs, which say of every control
 * bit what it may be (appendix A; kernel/vmx/caps.c).
 */
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

/*
 * TODO 5: may we? VMXON raises #GP unless IA32_FEATURE_CONTROL has its lock bit
 * and "enable VMX outside SMX" set (24.7). Firmware sets and locks it, one way
 * or the other; where it has left it unlocked, it is ours to do both. Bits that
 * you do not know stay as they are. Writing it when it is locked raises #GP.
 *
 * When it is locked off: log_error() names the CPU and the MSR's value;
 * E_UNSUPPORTED.
 */
static err_t unlock_vmx(struct cpu *cpu)
{
	return E_UNSUPPORTED;
}

/*
 * TODO 6: a zeroed page whose first 32 bits are vmx_caps.revision (25.2): what
 * VMXON wants, and each VMCS too. Its physical address, or 0.
 */
u64 vmx_region(void)
{
	return 0;
}

/*
 * TODO 7: on the CPU itself. Unlock; make a struct vmx_cpu (kernel/vmx/vmx.h)
 * with its region. CR0 and CR4 must have every bit that is 1 in the FIXED0 MSRs
 * and none that is 0 in the FIXED1 ones (vmx_caps.msrs; A.7, A.8), and
 * CR4.VMXE. Then vmxon(). It is cpu->engine. At last vmx_flush_all(): nothing
 * that this processor has cached is believed.
 *
 * E_NOMEM, or E_HARDWARE if VMXON fails: nothing is left allocated.
 */
err_t vmx_cpu_on(struct cpu *cpu)
{
	return E_UNSUPPORTED;
}

/*
 * TODO 8: all of that back, CR4.VMXE too. In which order? A CPU on which it
 * never was on is left alone.
 */
void vmx_cpu_off(struct cpu *cpu)
{
}
