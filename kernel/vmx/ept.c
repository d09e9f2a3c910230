/*
 * EPT: how entries are written (29.3), when the processor must forget what it
 * has cached of them (29.4), and the log of pages written (29.3.6).
 */
#include "lib/panic.h"
#include "mm/pages.h"
#include "vm/dirty.h"
#include "vm/vm.h"
#include "vmx/vmx.h"

/* --- the format */

const struct slpt_format *vmx_format(void)
{
	static struct slpt_format format;

	format = (struct slpt_format){
		.name = "EPT",
		.table = EPT_READ | EPT_WRITE | EPT_EXEC,
		.leaf = EPT_WRITE_BACK,
		.large = EPT_LARGE,
		.read = EPT_READ,
		.write = EPT_WRITE,
		.exec = EPT_EXEC,
	};
	if (vmx_caps.accessed_dirty) {
		format.accessed = EPT_ACCESSED;
		format.dirty = EPT_DIRTY;
	}
	if (vmx_caps.ept & EPT_CAP_2M)
		format.max_level = vmx_caps.ept & EPT_CAP_1G ? 2 : 1;
	return &format;
}

/* Bit 6 is reserved where there are no A/D bits: entries fail with it. */
u64 vmx_eptp(const struct vcpu *vcpu)
{
	u64 eptp = vcpu->vm->slpt.root | EPTP_WRITE_BACK | EPTP_WALK_4;

	return vmx_caps.accessed_dirty ? eptp | EPTP_ACCESSED_DIRTY : eptp;
}

/* --- flushing */

static void invept(u64 type, u64 eptp)
{
	const u64 descriptor[2] = {eptp, 0};
	bool ok;

	asm volatile("invept %1, %2"
		     : "=@cca"(ok)
		     : "m"(descriptor), "r"(type)
		     : "memory");
	if (!ok)
		panic("INVEPT type %lu of %lx failed", type, eptp);
}

/*
 * INVEPT forgets what was cached of these tables, for all VPIDs, also what was
 * combined with the guest's own paging; with EPT on nothing else is cached of a
 * guest (29.4.1). So it serves for changes of the guest's paging too, and
 * INVVPID is not needed. The ledger is read first: a narrowing that comes while
 * we flush is not covered.
 */
void vmx_flush(struct vcpu *vcpu)
{
	u64 narrowed =
		__atomic_load_n(&vcpu->vm->slpt.narrowed, __ATOMIC_SEQ_CST);

	invept(vmx_caps.invept, vmx_eptp(vcpu));
	vcpu->flushed = narrowed;
}

/* Nothing that ran here before us is believed. */
void vmx_flush_all(void)
{
	if (vmx_caps.ept & EPT_CAP_INVEPT_ALL)
		invept(INVEPT_ALL, 0);
}

/* --- page-modification logging */

/* The index counts down, and is ~0 (of 16 bits) when the log is full. */
static void drain_log(struct vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = vcpu->hw;
	const u64 *log = phys_to_virt(vmx->pml_page);

	for (u64 i = (u16)(vmread(PML_INDEX) + 1); i < PML_ENTRIES; i++)
		dirty_mark(vcpu->vm, log[i], PAGE_SIZE);
	vmwrite(PML_INDEX, PML_ENTRIES - 1);
}

void vmx_log(struct vcpu *vcpu, bool on)
{
	struct vmx_vcpu *vmx = vcpu->hw;
	u64 proc2;

	if (vmx->pml)
		drain_log(vcpu);
	if (on == vmx->pml)
		return;
	proc2 = vmread(PROC2_CONTROLS);
	if (on) {
		vmwrite(PML_ADDRESS, vmx->pml_page);
		vmwrite(PML_INDEX, PML_ENTRIES - 1);
	}
	vmwrite(PROC2_CONTROLS, on ? proc2 | PROC2_PML : proc2 & ~PROC2_PML);
	vmx->pml = on;
}
