/*
 * Is SVM here, complete enough, and ours to use? Then a processor's life with
 * it switched on.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "svm/svm.h"

struct svm_caps svm_caps;

static void list(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? " " : "", name);
}

/* What there is, and what a better processor would have, by name. */
static void describe(struct engine_caps *caps)
{
	static const struct {
		u32 bit;
		const char *name;
	} optional[] = {
		{SVM_NRIP_SAVE, "next-RIP"},
		{SVM_DECODE_ASSISTS, "decode-assists"},
		{SVM_CLEAN_BITS, "clean-bits"},
		{SVM_FLUSH_BY_ASID, "flush-by-ASID"},
		{SVM_TSC_RATE, "TSC-scaling"},
	};

	snprintf(caps->features, sizeof(caps->features), "NPT 4K 2M%s A/D",
		 svm_caps.large_1g ? " 1G" : "");
	if (!svm_caps.large_1g)
		list(caps->missing, sizeof(caps->missing), "1G-pages");
	for (unsigned i = 0; i < ARRAY_LEN(optional); i++)
		if (svm_caps.features & optional[i].bit)
			list(caps->features, sizeof(caps->features),
			     optional[i].name);
		else
			list(caps->missing, sizeof(caps->missing),
			     optional[i].name);
}

static err_t lacks(struct engine_caps *caps, const char *what)
{
	copy_string(caps->missing, sizeof(caps->missing), what);
	log_error("svm: this processor lacks %s", what);
	return E_UNSUPPORTED;
}

err_t svm_probe(struct engine_caps *caps)
{
	struct cpuid_regs leaf;

	if (!features.svm && features.vendor != VENDOR_AMD)
		return E_NOTFOUND;
	memset(caps, 0, sizeof(*caps));
	if (!features.svm)
		return lacks(caps, "SVM");
	leaf = cpuid(0x8000000a, 0);
	svm_caps = (struct svm_caps){
		.features = leaf.edx,
		.asids = leaf.ebx,
		.large_1g = features.gbpages,
		.phys_bits = features.phys_bits,
		.tells = leaf.edx & SVM_NRIP_SAVE ? SVM_LENGTH : 0,
		.repeats = !strcmp(features.hypervisor_id, "TCGTCGTCGTCG"),
	};
	if (!(leaf.edx & SVM_NESTED_PAGING))
		return lacks(caps, "nested paging");
	if (leaf.ebx < 2)
		return lacks(caps, "ASIDs");
	caps->large_2m = true;
	caps->large_1g = svm_caps.large_1g;
	caps->accessed_dirty = true;
	caps->next_rip = leaf.edx & SVM_NRIP_SAVE;
	caps->decode_assist = leaf.edx & SVM_DECODE_ASSISTS;
	caps->clean_bits = leaf.edx & SVM_CLEAN_BITS;
	caps->flush_by_asid = leaf.edx & SVM_FLUSH_BY_ASID;
	caps->tsc_scaling = leaf.edx & SVM_TSC_RATE;
	caps->asids = leaf.ebx;
	describe(caps);
	return E_OK;
}

/* The firmware may have switched SVM off, and locked that (15.30.1). */
static err_t unlock_svm(struct cpu *cpu)
{
	u64 vm_cr;

	if (!rdmsr_safe(MSR_AMD_VM_CR, &vm_cr) || !(vm_cr & VM_CR_SVMDIS))
		return E_OK;
	if (!(vm_cr & VM_CR_LOCK) &&
	    wrmsr_safe(MSR_AMD_VM_CR, vm_cr & ~VM_CR_SVMDIS))
		return E_OK;
	log_error("svm: CPU %u: the firmware has locked SVM off (VM_CR is %lx)",
		  cpu->id, vm_cr);
	return E_UNSUPPORTED;
}

err_t svm_cpu_on(struct cpu *cpu)
{
	struct svm_cpu *sc;
	err_t err = unlock_svm(cpu);

	if (err)
		return err;
	sc = kzalloc(sizeof(*sc));
	if (!sc)
		return E_NOMEM;
	sc->hsave = page_alloc_zeroed(ORDER_4K);
	sc->host_vmcb = page_alloc_zeroed(ORDER_4K);
	if (!sc->hsave || !sc->host_vmcb) {
		if (sc->hsave)
			page_free(sc->hsave, ORDER_4K);
		kfree(sc);
		return E_NOMEM;
	}
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_AMD_HSAVE_PA, sc->hsave);
	vmsave(sc->host_vmcb);
	/* Nothing that ran here before us is believed. */
	sc->flush_all = true;
	sc->id = cpu->id;
	sc->next_asid = 1;
	sc->generation = 1;
	cpu->engine = sc;
	return E_OK;
}

void svm_cpu_off(struct cpu *cpu)
{
	struct svm_cpu *sc = cpu->engine;

	if (!sc)
		return;
	ASSERT(!sc->vcpu);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	page_free(sc->hsave, ORDER_4K);
	page_free(sc->host_vmcb, ORDER_4K);
	kfree(sc);
	cpu->engine = NULL;
}
