/* The processor of lab 1's checks, from the manuals. */
#include "docs/labs/lab1/processor.h"

#include "cpu/msr.h"
#include "cpu/regs.h"
#include "mm/pages.h"
#include "tests/unit/test.h"
#include "vmx/vmx.h"

/* kernel/svm/arch.h cannot stand beside VMX's. */
#define VM_CR_LOCK   BIT(3)
#define VM_CR_SVMDIS BIT(4)

struct processor hw;

#define GP(...) test_fail(__FILE__, __LINE__, "#GP: " __VA_ARGS__)

/* --- registers */

bool rdmsr_safe(u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_EFER:
		*value = hw.efer;
		return true;
	case MSR_AMD_VM_CR:
		*value = hw.vm_cr;
		return !hw.no_vm_cr;
	case MSR_AMD_HSAVE_PA:
		*value = hw.hsave;
		return true;
	case MSR_FEATURE_CONTROL:
		*value = hw.feature_control;
		return true;
	default:
		*value = 0;
		return false;
	}
}

u64 rdmsr(u32 msr)
{
	u64 value;

	if (!rdmsr_safe(msr, &value))
		GP("RDMSR of %x, which this processor does not have", msr);
	return value;
}

static bool write_efer(u64 value)
{
	if ((value & EFER_SVME) && (hw.vm_cr & VM_CR_SVMDIS))
		return false;
	hw.efer = value;
	return true;
}

/* 15.30.1: once LOCK is set, it and SVMDIS stay as they are. */
static bool write_vm_cr(u64 value)
{
	if (hw.no_vm_cr)
		return false;
	if (hw.vm_cr & VM_CR_LOCK)
		value = (value & ~(u64)(VM_CR_LOCK | VM_CR_SVMDIS)) |
			(hw.vm_cr & (VM_CR_LOCK | VM_CR_SVMDIS));
	hw.vm_cr = value;
	return true;
}

bool wrmsr_safe(u32 msr, u64 value)
{
	switch (msr) {
	case MSR_EFER:
		return write_efer(value);
	case MSR_AMD_VM_CR:
		return write_vm_cr(value);
	case MSR_AMD_HSAVE_PA:
		hw.hsave = value;
		return !(value & PAGE_MASK);
	case MSR_FEATURE_CONTROL:
		if (hw.feature_control & FEATURE_CONTROL_LOCK)
			return false;
		hw.feature_control = value;
		return true;
	default:
		return false;
	}
}

void wrmsr(u32 msr, u64 value)
{
	if (!wrmsr_safe(msr, value))
		GP("WRMSR of %lx to %x", (unsigned long)value, msr);
}

struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	if (leaf != 0x8000000a)
		test_fail(__FILE__, __LINE__, "CPUID %x: `features` has it",
			  leaf);
	return (struct cpuid_regs){1, hw.asids, 0, hw.svm_features};
}

u64 read_cr0(void)
{
	return hw.cr0;
}

u64 read_cr4(void)
{
	return hw.cr4;
}

static bool allowed(u64 value, u64 fixed0, u64 fixed1)
{
	return !(fixed0 & ~value) && !(value & ~fixed1);
}

void write_cr0(u64 value)
{
	if (hw.vmx_on &&
	    !allowed(value, vmx_caps.msrs.cr0_fixed0, vmx_caps.msrs.cr0_fixed1))
		GP("CR0 becomes %lx in VMX operation", (unsigned long)value);
	hw.cr0 = value;
}

void write_cr4(u64 value)
{
	if (hw.vmx_on && !(value & CR4_VMXE))
		GP("CR4.VMXE is cleared in VMX operation (24.8)");
	hw.cr4 = value;
}

/* --- instructions */

void vmsave(u64 phys)
{
	if (!(hw.efer & EFER_SVME))
		test_fail(__FILE__, __LINE__, "#UD: VMSAVE without EFER.SVME");
	if ((phys & PAGE_MASK) || phys < MIB(1))
		GP("VMSAVE to %lx, which is no page of ours",
		   (unsigned long)phys);
	hw.saved = phys;
}

bool vmxon(u64 region)
{
	const struct vmx_msrs *m = &vmx_caps.msrs;

	if (!(hw.cr4 & CR4_VMXE))
		test_fail(__FILE__, __LINE__, "#UD: VMXON without CR4.VMXE");
	if (!allowed(hw.cr0, m->cr0_fixed0, m->cr0_fixed1))
		GP("VMXON with CR0 %lx (A.7)", (unsigned long)hw.cr0);
	if (!allowed(hw.cr4, m->cr4_fixed0, m->cr4_fixed1))
		GP("VMXON with CR4 %lx (A.8)", (unsigned long)hw.cr4);
	if (!(hw.feature_control & FEATURE_CONTROL_LOCK) ||
	    !(hw.feature_control & FEATURE_CONTROL_OUTSIDE_SMX))
		GP("VMXON with IA32_FEATURE_CONTROL %lx",
		   (unsigned long)hw.feature_control);
	CHECK(!hw.vmx_on);
	if (hw.vmx_fails || (region & PAGE_MASK) || region < MIB(1) ||
	    *(u32 *)phys_to_virt(region) != vmx_caps.revision)
		return false;
	hw.vmx_on = true;
	return true;
}

void vmxoff(void)
{
	if (!hw.vmx_on)
		test_fail(__FILE__, __LINE__,
			  "#UD: VMXOFF outside VMX operation");
	hw.vmx_on = false;
}
