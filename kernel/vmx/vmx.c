/*
 * The engine's table, and with it a vCPU's life on a processor in VMX
 * operation.
 */
#include "vmx/vmx.h"

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "vm/maps.h"
#include "vm/model.h"
#include "vm/vm.h"

void vmx_field_failed(const char *what, u32 field, u64 value)
{
	panic("%s of field %04x (value %lx) failed", what, field, value);
}

/* --- what all vCPUs share */

/* 8 KiB of ports, then 4 KiB of MSRs; a set bit is an exit. */
static u64 bitmaps;

/* Reads in the first half, writes in the second; low and high MSRs (25.6.9). */
static void open_msr(u8 *map, u32 msr)
{
	u32 bit = msr & 0x1fff;

	if (msr >= 0xc0000000)
		map += 1024;
	map[bit / 8] &= ~BIT(bit % 8);
	map[2048 + bit / 8] &= ~BIT(bit % 8);
}

/* --- the vCPU: created, attached, detached */

static void vmx_vcpu_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;

	if (vmx->pml_page)
		page_free(vmx->pml_page, ORDER_4K);
	if (vmx->vmcs)
		page_free(vmx->vmcs, ORDER_4K);
	kfree(vmx);
	vcpu->hw = NULL;
}

static err_t vmx_vcpu_create(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx));

	if (!vmx)
		return E_NOMEM;
	vcpu->hw = vmx;
	vmx->vmcs = vmx_region();
	if (vmx_caps.pml)
		vmx->pml_page = page_alloc_zeroed(ORDER_4K);
	bitmaps = exit_maps(3 * PAGE_SIZE, 2 * PAGE_SIZE, open_msr);
	if (!vmx->vmcs || !bitmaps || (vmx_caps.pml && !vmx->pml_page)) {
		vmx_vcpu_destroy(vcpu);
		return E_NOMEM;
	}
	vmx->last_cpu = -1;
	vcpu->taken = -1;
	vcpu->valid = vcpu->dirty = STATE_ALL;
	return E_OK;
}

static void vmclear(u64 vmcs)
{
	bool ok;

	asm volatile("vmclear %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
	if (!ok)
		panic("VMCLEAR of %lx failed", vmcs);
}

static void vmptrld(u64 vmcs)
{
	bool ok;

	asm volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
	if (!ok)
		panic("VMPTRLD of %lx failed", vmcs);
}

/*
 * The timer always runs, if only to come back now and then: Bochs 2.7 does not
 * exit for interrupts while a guest that was entered with IF=0 keeps it so.
 */
#define TIMER_CAP_MS 10

static void vmx_set_timer(struct vcpu *vcpu, u64 ticks)
{
	if (!(vmx_caps.pin & PIN_PREEMPTION_TIMER))
		return;
	ticks = MIN(ticks, TIMER_CAP_MS * tsc_khz);
	vmwrite(PREEMPTION_TIMER,
		MIN((ticks >> vmx_caps.timer_shift) + 1, 0xffffffffULL));
}

/* Which instructions of the optional ones this guest's CPUID shows it. */
static u32 offered_instructions(struct vcpu *vcpu)
{
	const u32 allowed = vmx_caps.msrs.proc2 >> 32;
	struct cpuid_result ext, leaf7, xsave;
	u32 bits = 0;

	model_cpuid(vcpu, 0x80000001, 0, &ext);
	model_cpuid(vcpu, 7, 0, &leaf7);
	model_cpuid(vcpu, 0xd, 1, &xsave);
	if ((ext.edx & BIT(27)) || (leaf7.ecx & BIT(22)))
		bits |= PROC2_RDTSCP;
	if (leaf7.ebx & BIT(10))
		bits |= PROC2_INVPCID;
	if (xsave.eax & BIT(3))
		bits |= PROC2_XSAVES;
	return bits & allowed;
}

/* What stays the same for the VMCS's life. */
static void fill_controls(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	u32 proc2 = vmx_caps.proc2 | offered_instructions(vcpu);

	vmx->proc = vmx_caps.proc;
	vmwrite(PIN_CONTROLS, vmx_caps.pin);
	vmwrite(PROC_CONTROLS, vmx->proc);
	vmwrite(PROC2_CONTROLS, proc2);
	vmwrite(EXIT_CONTROLS, vmx_caps.exit);
	vmwrite(ENTRY_CONTROLS, vmx_caps.entry);
	vmwrite(EXIT_MSR_STORE_COUNT, 0);
	vmwrite(EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(ENTRY_EVENT, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(EXCEPTION_BITMAP,
		BIT(EXC_DB) | BIT(EXC_UD) | BIT(EXC_AC) | BIT(EXC_MC));
	vmwrite(IO_BITMAP_A, bitmaps);
	vmwrite(IO_BITMAP_B, bitmaps + PAGE_SIZE);
	vmwrite(MSR_BITMAP, bitmaps + 2 * PAGE_SIZE);
	vmwrite(EPT_POINTER, vmx_eptp(vcpu));
	vmwrite(TSC_OFFSET, vcpu->tsc_offset);
	/* Unique among living vCPUs, never 0 (27.2.1.1). */
	if (proc2 & PROC2_VPID)
		vmwrite(VPID, vcpu->vm->index * VM_VCPUS + vcpu->id + 1);
	if (proc2 & PROC2_XSAVES)
		vmwrite(XSS_EXITING_BITMAP, ~0ULL);
	vmwrite(GUEST_LINK_POINTER, ~0ULL);
	vmwrite(GUEST_PENDING_DEBUG, 0);
	/* As vmx->rip and its kin say. */
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RFLAGS, 0);
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
	vmwrite(GUEST_ACTIVITY, ACTIVITY_RUN);
	vmx_set_timer(vcpu, ~0ULL);
	vmx->filled = true;
}

/*
 * What an exit loads (28.5). It leaves GDTR's and IDTR's limits at 0xffff,
 * which harms nothing: no selector or vector of ours reaches beyond the tables.
 */
static void fill_host(struct cpu *cpu)
{
	vmwrite(HOST_CR0, read_cr0());
	vmwrite(HOST_CR3, read_cr3());
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_CS_SELECTOR, GDT_CODE);
	vmwrite(HOST_SS_SELECTOR, GDT_DATA);
	vmwrite(HOST_DS_SELECTOR, GDT_DATA);
	vmwrite(HOST_ES_SELECTOR, GDT_DATA);
	vmwrite(HOST_FS_SELECTOR, 0);
	vmwrite(HOST_GS_SELECTOR, 0);
	vmwrite(HOST_TR_SELECTOR, GDT_TSS);
	vmwrite(HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(HOST_GS_BASE, (u64)cpu);
	vmwrite(HOST_TR_BASE, (u64)&cpu->tss);
	vmwrite(HOST_GDTR_BASE, (u64)&cpu->gdt);
	vmwrite(HOST_IDTR_BASE, idt_base());
	vmwrite(HOST_SYSENTER_CS, 0);
	vmwrite(HOST_SYSENTER_ESP, 0);
	vmwrite(HOST_SYSENTER_EIP, 0);
	vmwrite(HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(HOST_RIP, (u64)vmx_switch_return);
}

/*
 * What the VMCS does not switch and we do not use (SYSCALL's MSRs, DR6, CR2) is
 * the guest's as long as it has the CPU. detach() brings it into the state, and
 * leaves it dirty so that the first entry after attach() loads it.
 */
#define NOT_IN_VMCS (STATE_MSRS | STATE_DEBUG | STATE_CONTROL)

static void vmx_attach(struct vcpu *vcpu)
{
	struct cpu *cpu = this_cpu();
	struct vmx_cpu *vc = cpu->engine;
	struct vmx_vcpu *vmx = vcpu->hw;
	bool moved = vmx->last_cpu != (int)cpu->id;

	ASSERT(!vc->vcpu);
	if (!vmx->filled)
		vmclear(vmx->vmcs);
	vmptrld(vmx->vmcs);
	vc->vcpu = vcpu;
	vmx->launched = false;
	vmx->host_rsp = 0;
	if (!vmx->filled)
		fill_controls(vcpu);
	if (moved)
		fill_host(cpu);
	vmx->last_cpu = cpu->id;
	/* This CPU may hold translations from the vCPU's earlier visits. */
	if (moved || vcpu->flushed != vcpu->vm->slpt.narrowed)
		vmx_flush(vcpu);
}

static void vmx_detach(struct vcpu *vcpu)
{
	struct vmx_cpu *vc = this_cpu()->engine;
	struct vmx_vcpu *vmx = vcpu->hw;

	ASSERT(vc->vcpu == vcpu);
	vcpu_need(vcpu, NOT_IN_VMCS);
	vcpu_changed(vcpu, NOT_IN_VMCS);
	vmclear(vmx->vmcs);
	vc->vcpu = NULL;
}

void vmx_set_proc(struct vmx_vcpu *vmx, u32 bits, bool on)
{
	u32 proc = on ? vmx->proc | bits : vmx->proc & ~bits;

	if (proc == vmx->proc)
		return;
	vmx->proc = proc;
	vmwrite(PROC_CONTROLS, proc);
}

static void vmx_tsc_changed(struct vcpu *vcpu)
{
	vmwrite(TSC_OFFSET, vcpu->tsc_offset);
}

const struct engine vmx_engine = {
	.name = "VMX",
	.probe = vmx_probe,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.format = vmx_format,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.attach = vmx_attach,
	.detach = vmx_detach,
	.get = vmx_get,
	.put = vmx_put,
	.enter = vmx_enter,
	.offer_interrupt = vmx_offer_interrupt,
	.offer_nmi = vmx_offer_nmi,
	.flush = vmx_flush,
	.log = vmx_log,
	.set_timer = vmx_set_timer,
	.tsc_changed = vmx_tsc_changed,
	.dump = vmx_dump,
};
