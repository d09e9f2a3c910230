/*
 * The engine's table, and with it a vCPU's life on a processor with SVM
 * enabled.
 */
#include "svm/svm.h"

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/panic.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "vm/maps.h"
#include "vm/model.h"
#include "vm/vm.h"

/* --- what all vCPUs share */

/* 12 KiB of ports, then 8 KiB of MSRs; a set bit is an exit. */
#define IOPM_PAGES  3u
#define MSRPM_PAGES 2u

static u64 bitmaps;

/* Two bits an MSR, read and write; three ranges of 2 KiB (15.11). */
static void open_msr(u8 *map, u32 msr)
{
	u32 bit = (msr & 0x1fff) * 2;

	if (msr >= 0xc0010000)
		map += 4096;
	else if (msr >= 0xc0000000)
		map += 2048;
	map[bit / 8] &= ~(3u << bit % 8);
}

/* --- the vCPU: created, attached, detached */

/*
 * Instructions that this processor executes and this guest's CPUID does not
 * show: they exit, to be refused. RDPRU's bit is ignored where there is none.
 */
static void hide_instructions(struct vcpu *vcpu, struct vmcb *vmcb)
{
	const u32 invpcid = BIT(10);
	struct cpuid_result shown;

	model_cpuid(vcpu, 7, 0, &shown);
	vmcb->intercept_misc2 |= INTERCEPT_RDPRU;
	if (features.max_leaf >= 7 && (cpuid(7, 0).ebx & invpcid & ~shown.ebx))
		vmcb->intercept_misc3 = INTERCEPT_INVPCID;
}

/* What stays the same for the VMCB's life. */
static void fill_controls(struct vcpu *vcpu, struct vmcb *vmcb)
{
	vmcb->intercept_cr_read = BIT(8);
	/* CR8: QEMU's TCG aborts on it while V_IRQ is set. */
	vmcb->intercept_cr_write = BIT(0) | BIT(4) | BIT(8);
	vmcb->intercept_dr_read = 0xffff;
	vmcb->intercept_dr_write = 0xffff;
	vmcb->intercept_exceptions =
		BIT(EXC_DB) | BIT(EXC_UD) | BIT(EXC_AC) | BIT(EXC_MC);
	vmcb->intercept_misc1 = INTERCEPT_INTR | INTERCEPT_NMI |
				INTERCEPT_RDPMC | INTERCEPT_CPUID |
				INTERCEPT_INVD | INTERCEPT_HLT |
				INTERCEPT_INVLPGA | INTERCEPT_IOIO |
				INTERCEPT_MSR | INTERCEPT_SHUTDOWN;
	vmcb->intercept_misc2 =
		INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD |
		INTERCEPT_VMSAVE | INTERCEPT_STGI | INTERCEPT_CLGI |
		INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR |
		INTERCEPT_MWAIT | INTERCEPT_XSETBV;
	hide_instructions(vcpu, vmcb);
	vmcb->iopm_base = bitmaps;
	vmcb->msrpm_base = bitmaps + IOPM_PAGES * PAGE_SIZE;
	vmcb->tsc_offset = vcpu->tsc_offset;
	vmcb->int_ctl = V_INTR_MASKING;
	vmcb->np_control = NP_ENABLE;
	vmcb->ncr3 = vcpu->vm->slpt.root;
}

static err_t svm_vcpu_create(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm));

	if (!svm)
		return E_NOMEM;
	svm->vmcb_phys = page_alloc_zeroed(ORDER_4K);
	bitmaps = exit_maps((IOPM_PAGES + MSRPM_PAGES) * PAGE_SIZE,
			    IOPM_PAGES * PAGE_SIZE, open_msr);
	if (!svm->vmcb_phys || !bitmaps) {
		if (svm->vmcb_phys)
			page_free(svm->vmcb_phys, ORDER_4K);
		kfree(svm);
		return E_NOMEM;
	}
	svm->vmcb = phys_to_virt(svm->vmcb_phys);
	svm->last_cpu = -1;
	svm->offered = -1;
	svm->timer_at = svm->retry_at = ~0ULL;
	vcpu->hw = svm;
	vcpu->taken = -1;
	vcpu->valid = vcpu->dirty = STATE_ALL;
	fill_controls(vcpu, svm->vmcb);
	return E_OK;
}

static void svm_vcpu_destroy(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;

	page_free(svm->vmcb_phys, ORDER_4K);
	kfree(svm);
	vcpu->hw = NULL;
}

static void svm_attach(struct vcpu *vcpu)
{
	struct cpu *cpu = this_cpu();
	struct svm_cpu *sc = cpu->engine;
	struct svm_vcpu *svm = vcpu->hw;

	ASSERT(!sc->vcpu);
	sc->vcpu = vcpu;
	svm->vmcb->clean = 0;
	/* A VM that came from elsewhere has it only now. */
	svm->vmcb->tsc_offset = vcpu->tsc_offset;
	svm->cpu = sc;
	svm->host_vmcb = sc->host_vmcb;
	write_cr2(svm->vmcb->cr2); /* see put_control() */
	svm_flush_attach(vcpu);
}

static void svm_detach(struct vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu()->engine;

	ASSERT(sc->vcpu == vcpu);
	/* What V_IRQ holds the guest has not taken: the local APIC has it. */
	svm_offer_interrupt(vcpu, -1);
	svm_flush_detach(vcpu);
	sc->vcpu = NULL;
}

/* --- time */

/* No preemption timer here: the local APIC's, whose interrupt exits. */
static void arm_timer(const struct svm_vcpu *svm)
{
	u64 deadline = MIN(svm->timer_at, svm->retry_at);

	if (deadline == ~0ULL)
		timer_cancel();
	else
		timer_arm(deadline);
}

static void svm_set_timer(struct vcpu *vcpu, u64 ticks)
{
	struct svm_vcpu *svm = vcpu->hw;
	u64 now = rdtsc();

	svm->timer_at = ticks == ~0ULL ? ~0ULL : now + ticks;
	if (now >= svm->retry_at)
		svm->retry_at = ~0ULL;
	arm_timer(svm);
}

#define RETRY_NS (200 * NS_PER_US)

void svm_come_back(struct svm_vcpu *svm)
{
	svm->retry_at = rdtsc() + ns_to_tsc(RETRY_NS);
	arm_timer(svm);
}

static void svm_tsc_changed(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;

	svm->vmcb->tsc_offset = vcpu->tsc_offset;
	svm_dirty(svm, CLEAN_INTERCEPTS);
}

const struct engine svm_engine = {
	.name = "SVM",
	.probe = svm_probe,
	.cpu_on = svm_cpu_on,
	.cpu_off = svm_cpu_off,
	.format = svm_format,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.attach = svm_attach,
	.detach = svm_detach,
	.get = svm_get,
	.put = svm_put,
	.enter = svm_enter,
	.offer_interrupt = svm_offer_interrupt,
	.offer_nmi = svm_offer_nmi,
	.flush = svm_flush,
	.set_timer = svm_set_timer,
	.tsc_changed = svm_tsc_changed,
	.dump = svm_dump,
};
