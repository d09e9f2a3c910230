/*
 * Lab 1: start SVM. This file takes the place of kernel/svm/start.c. Section
 * numbers are those of AMD APM volume 2; CPUID is in volume 3, appendix E.
 *
 * What you need: cpuid(leaf, subleaf), rdmsr() and wrmsr(), rdmsr_safe() and
 * wrmsr_safe() (false where the plain ones would raise #GP), vmsave(phys);
 * page_alloc_zeroed(ORDER_4K) (a physical address, 0: none left), page_free(),
 * kzalloc(), kfree(); log_error(); the bits' names in kernel/svm/arch.h and
 * kernel/cpu/msr.h.
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

/* Given: names what is missing, in `info` and in the log. */
static err_t lacks(struct engine_caps *caps, const char *what)
{
	copy_string(caps->missing, sizeof(caps->missing), what);
	log_error("svm: this processor lacks %s", what);
	return E_UNSUPPORTED;
}

/*
 * TODO 1: is SVM here, and complete enough?
 *
 *  - `features` was filled from CPUID (kernel/cpu/features.h). A processor that
 *    has no SVM and is not AMD's is another engine's: E_NOTFOUND, in silence.
 *    One of AMD's without SVM lacks(caps, "SVM").
 *  - CPUID 0x8000000A: EAX..EDX tell of SVM itself. Fill svm_caps: features is
 *    EDX, asids is EBX, large_1g and phys_bits are those of `features`, tells
 * is SVM_LENGTH if there is next-RIP save and else 0, repeats is true if
 *    features.hypervisor_id is "TCGTCGTCGTCG" (a quirk of QEMU).
 *  - Guests need nested paging, and two ASIDs at least (0 is the host's own):
 *    lacks(caps, "nested paging"), lacks(caps, "ASIDs").
 *  - Fill caps (kernel/vm/engine.h): large_2m and accessed_dirty are always
 *    there, the rest is told by bits of EDX; then describe(caps).
 */
err_t svm_probe(struct engine_caps *caps)
{
	memset(caps, 0, sizeof(*caps));
	return E_NOTFOUND;
}

/*
 * TODO 2: may we? The firmware can switch SVM off and lock that (15.30.1):
 * while VM_CR.SVMDIS is set, setting EFER.SVME raises #GP. Unless VM_CR.LOCK is
 * set, SVMDIS can be cleared. A processor may have no VM_CR at all
 * (rdmsr_safe).
 *
 * When it is locked off: log_error() names the CPU and VM_CR's value, so that
 * someone knows to look into the firmware's menu; E_UNSUPPORTED.
 */
static err_t unlock_svm(struct cpu *cpu)
{
	return E_UNSUPPORTED;
}

/*
 * TODO 3: on the CPU itself. Make a struct svm_cpu (kernel/svm/svm.h) with two
 * pages: hsave, where VMRUN keeps the host's state (15.30.4), and host_vmcb,
 * for what VMRUN does not keep (vmsave). Set EFER.SVME and keep its other bits;
 * VM_HSAVE_PA; vmsave(). Nothing that this processor has cached is believed:
 * flush_all is true, generation and next_asid are 1. It is cpu->engine.
 *
 * When memory is short: E_NOMEM, nothing is left allocated, SVM stays off.
 */
err_t svm_cpu_on(struct cpu *cpu)
{
	return E_UNSUPPORTED;
}

/* TODO 4: all of that back. A CPU on which it never was on is left alone. */
void svm_cpu_off(struct cpu *cpu)
{
}
