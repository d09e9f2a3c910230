/*
 * NPT: how entries are written (15.25), and when the processor must forget what
 * it has cached of them: by a new ASID, which nothing is cached for yet, or by
 * TLB_CONTROL (15.16).
 */
#include "svm/svm.h"
#include "vm/vm.h"

/* --- the format */

const struct slpt_format *svm_format(void)
{
	static struct slpt_format format;

	format = (struct slpt_format){
		.name = "NPT",
		.table = NPT_PRESENT | NPT_WRITE | NPT_USER,
		.leaf = NPT_USER,
		.large = NPT_LARGE,
		.read = NPT_PRESENT,
		.write = NPT_WRITE,
		.no_exec = NPT_NO_EXEC,
		.accessed = NPT_ACCESSED,
		.dirty = NPT_DIRTY,
		.max_level = svm_caps.large_1g ? 2 : 1,
	};
	return &format;
}

/* --- flushing */

/*
 * An ASID that no guest has had on this CPU since its TLB was flushed. When
 * they have run out the whole TLB goes, and all ASIDs are given anew: a vCPU of
 * an older generation gets its own at its next attach.
 */
static void new_asid(struct svm_vcpu *svm)
{
	struct svm_cpu *sc = svm->cpu;

	if (sc->next_asid >= svm_caps.asids) {
		sc->next_asid = 1;
		sc->generation++;
		sc->flush_all = true;
	}
	svm->vmcb->asid = sc->next_asid++;
	svm->generation = sc->generation;
	svm->last_cpu = sc->id;
	svm_dirty(svm, CLEAN_ASID);
}

static bool owns_asid(const struct svm_vcpu *svm)
{
	return svm->last_cpu == (int)svm->cpu->id &&
	       svm->generation == svm->cpu->generation;
}

static void tlb_control(struct svm_vcpu *svm, u8 command)
{
	svm->vmcb->tlb_control = command;
	svm->after |= AFTER_FLUSH;
}

/*
 * The ledger is read first: a narrowing that comes while we flush is not
 * covered.
 */
void svm_flush(struct vcpu *vcpu)
{
	u64 narrowed =
		__atomic_load_n(&vcpu->vm->slpt.narrowed, __ATOMIC_SEQ_CST);
	struct svm_vcpu *svm = vcpu->hw;

	if (owns_asid(svm) && (svm_caps.features & SVM_FLUSH_BY_ASID)) {
		if (svm->vmcb->tlb_control != TLB_FLUSH_ALL)
			tlb_control(svm, TLB_FLUSH_ASID);
	} else {
		new_asid(svm);
	}
	if (svm->cpu->flush_all) {
		tlb_control(svm, TLB_FLUSH_ALL);
		svm->cpu->flush_all = false;
	}
	vcpu->flushed = narrowed;
}

/* This CPU may hold translations from the vCPU's earlier visits. */
void svm_flush_attach(struct vcpu *vcpu)
{
	if (!owns_asid(vcpu->hw) || vcpu->flushed != vcpu->vm->slpt.narrowed)
		svm_flush(vcpu);
}

/*
 * A flush that waits for VMRUN goes with the VMCB. One that all ASIDs of this
 * generation rely on must not: the next vCPU does it.
 */
void svm_flush_detach(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->hw;

	if (svm->vmcb->tlb_control == TLB_FLUSH_ALL)
		svm->cpu->flush_all = true;
}
