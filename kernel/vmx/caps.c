/*
 * The capability MSRs say of every control bit whether it may be 0 and whether
 * it may be 1 (appendix A). A table of wishes is held against them.
 */
#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/string.h"
#include "vmx/vmx.h"

struct vmx_caps vmx_caps;

/* --- reading */

void vmx_read_msrs(struct vmx_msrs *msrs)
{
	bool true_controls;

	memset(msrs, 0, sizeof(*msrs));
	msrs->feature_control = rdmsr(MSR_FEATURE_CONTROL);
	msrs->basic = rdmsr(MSR_VMX_BASIC);
	true_controls = msrs->basic & BASIC_TRUE_CONTROLS;
	msrs->misc = rdmsr(MSR_VMX_MISC);
	msrs->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	msrs->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	msrs->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	msrs->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	msrs->pin = rdmsr(true_controls ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN);
	msrs->proc = rdmsr(true_controls ? MSR_VMX_TRUE_PROC : MSR_VMX_PROC);
	msrs->exit = rdmsr(true_controls ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
	msrs->entry = rdmsr(true_controls ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
	/* The later ones exist only where the earlier ones say so (A.3.3). */
	if (msrs->proc >> 32 & PROC_SECONDARY)
		msrs->proc2 = rdmsr(MSR_VMX_PROC2);
	if (msrs->proc2 >> 32 & (PROC2_EPT | PROC2_VPID))
		msrs->ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
}

/* --- wishes */

enum word { PIN, PROC, PROC2, EXIT, ENTRY, EPT, WORDS };

/* WANTED is turned on in every VMCS; the others are looked for only. */
enum wish_kind { WANTED = 1, REQUIRED = 2, SHOWN = 4 };

struct wish {
	u8 word; /* enum word */
	u8 kind; /* or-ed */
	u32 bits;
	const char *name;
};

#define NEED (WANTED | REQUIRED)

/* In the order of the text that `info` shows. */
static const struct wish wishes[] = {
	{PIN, NEED, PIN_EXTERNAL_INTERRUPT | PIN_NMI, "interrupt exits"},
	{PIN, NEED, PIN_VIRTUAL_NMIS, "virtual NMIs"},
	{PROC, NEED, PROC_HLT | PROC_MWAIT | PROC_MONITOR, "HLT/MWAIT exits"},
	{PROC, NEED, PROC_RDPMC | PROC_MOV_DR, "RDPMC/DR exits"},
	{PROC, NEED, PROC_CR8_LOAD | PROC_CR8_STORE, "CR8 exits"},
	{PROC, NEED, PROC_IO_BITMAPS, "I/O bitmaps"},
	{PROC, NEED, PROC_MSR_BITMAPS, "MSR bitmaps"},
	{PROC, NEED, PROC_TSC_OFFSETTING, "TSC offset"},
	{PROC, REQUIRED, PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW,
	 "interrupt windows"},
	{PROC, NEED, PROC_SECONDARY, "secondary controls"},
	{EXIT, NEED, EXITC_HOST_64, "64-bit host"},
	{EXIT, NEED, EXITC_SAVE_DEBUG, "DR7 saving"},
	{EXIT, NEED, EXITC_SAVE_PAT | EXITC_LOAD_PAT, "PAT switching"},
	{EXIT, NEED, EXITC_SAVE_EFER | EXITC_LOAD_EFER, "EFER switching"},
	{ENTRY, NEED, ENTRYC_LOAD_DEBUG, "DR7 loading"},
	{ENTRY, NEED, ENTRYC_LOAD_PAT | ENTRYC_LOAD_EFER, "PAT/EFER loading"},
	{ENTRY, REQUIRED, ENTRYC_GUEST_64, "64-bit guests"},
	{PROC2, NEED | SHOWN, PROC2_EPT, "EPT"},
	{EPT, REQUIRED, EPT_CAP_WALK_4, "EPT 4-level"},
	{EPT, REQUIRED, EPT_CAP_WRITE_BACK, "EPT write-back"},
	{EPT, REQUIRED, EPT_CAP_INVEPT, "INVEPT"},
	{EPT, SHOWN, EPT_CAP_2M, "2M"},
	{EPT, SHOWN, EPT_CAP_1G, "1G"},
	{EPT, SHOWN, EPT_CAP_ACCESSED_DIRTY, "A/D"},
	{PROC2, SHOWN, PROC2_PML, "PML"},
	{PROC2, NEED | SHOWN, PROC2_UNRESTRICTED_GUEST, "unrestricted guest"},
	{PROC2, WANTED | SHOWN, PROC2_VPID, "VPID"},
	{PIN, WANTED | SHOWN, PIN_PREEMPTION_TIMER, "preemption timer"},
	{EXIT, WANTED, EXITC_SAVE_TIMER, "timer saving"},
	{PROC2, WANTED, PROC2_WBINVD, "WBINVD exits"},
	{PROC2, SHOWN, PROC2_TSC_SCALING, "TSC scaling"},
};

static void add_name(char *list, size_t size, const char *name)
{
	size_t used = strlen(list);

	if (used)
		copy_string(list + used, size - used, ", ");
	used = strlen(list);
	copy_string(list + used, size - used, name);
}

/* The bits that may be 1, by word. */
static u32 allowed(const struct vmx_msrs *msrs, enum word word)
{
	switch (word) {
	case PIN:
		return msrs->pin >> 32;
	case PROC:
		return msrs->proc >> 32;
	case PROC2:
		return msrs->proc2 >> 32;
	case EXIT:
		return msrs->exit >> 32;
	case ENTRY:
		return msrs->entry >> 32;
	default:
		return msrs->ept_vpid;
	}
}

/* Fills on[] with what is wanted and there, and the two lists of names. */
static err_t grant(const struct vmx_msrs *msrs, u32 on[WORDS],
		   struct engine_caps *out)
{
	char lacking[sizeof(out->missing)] = "";

	for (unsigned i = 0; i < ARRAY_LEN(wishes); i++) {
		const struct wish *w = &wishes[i];

		if (w->word == EPT && !(on[PROC2] & PROC2_EPT))
			continue; /* goes without saying */
		if ((allowed(msrs, w->word) & w->bits) != w->bits) {
			add_name(out->missing, sizeof(out->missing), w->name);
			if (w->kind & REQUIRED)
				add_name(lacking, sizeof(lacking), w->name);
			continue;
		}
		if (w->kind & SHOWN)
			add_name(out->features, sizeof(out->features), w->name);
		if (w->kind & WANTED)
			on[w->word] |= w->bits;
	}
	if (!lacking[0])
		return E_OK;
	copy_string(out->missing, sizeof(out->missing), lacking);
	return E_UNSUPPORTED;
}

/* --- choosing */

/* The low half of a capability MSR: what must be 1. */
static u32 control(u64 msr, u32 on)
{
	return (u32)msr | on;
}

static bool locked_off(u64 feature_control)
{
	return (feature_control & FEATURE_CONTROL_LOCK) &&
	       !(feature_control & FEATURE_CONTROL_OUTSIDE_SMX);
}

static void describe(const struct vmx_caps *caps, struct engine_caps *out)
{
	out->large_2m = caps->ept & EPT_CAP_2M;
	out->large_1g = caps->ept & EPT_CAP_1G;
	out->accessed_dirty = caps->accessed_dirty;
	out->pml = caps->pml;
	out->next_rip = true; /* the exit's instruction length */
	out->decode_assist = true;
	out->flush_by_asid = true; /* INVEPT */
	out->clean_bits = false;
	out->preemption_timer = caps->pin & PIN_PREEMPTION_TIMER;
	out->tsc_scaling = caps->msrs.proc2 >> 32 & PROC2_TSC_SCALING;
	out->asids = caps->proc2 & PROC2_VPID ? 65535 : 0;
}

err_t vmx_choose(const struct vmx_msrs *msrs, struct vmx_caps *caps,
		 struct engine_caps *out)
{
	u32 on[WORDS] = {0};
	err_t err = E_OK;

	memset(caps, 0, sizeof(*caps));
	memset(out, 0, sizeof(*out));
	if (locked_off(msrs->feature_control)) {
		add_name(out->missing, sizeof(out->missing),
			 "VMX (the firmware has locked it off in "
			 "IA32_FEATURE_CONTROL)");
		return E_UNSUPPORTED;
	}
	err = grant(msrs, on, out);
	if (err)
		return err;
	/* Saving a timer that is off is not allowed (27.2.1.2). */
	if (!(on[PIN] & PIN_PREEMPTION_TIMER))
		on[EXIT] &= ~EXITC_SAVE_TIMER;
	caps->msrs = *msrs;
	caps->revision = BASIC_REVISION(msrs->basic);
	caps->pin = control(msrs->pin, on[PIN]);
	caps->proc = control(msrs->proc, on[PROC]);
	caps->proc2 = control(msrs->proc2, on[PROC2]);
	caps->exit = control(msrs->exit, on[EXIT]);
	caps->entry = control(msrs->entry, on[ENTRY]);
	caps->ept = msrs->ept_vpid;
	caps->accessed_dirty = caps->ept & EPT_CAP_ACCESSED_DIRTY;
	caps->pml = msrs->proc2 >> 32 & PROC2_PML;
	caps->timer_shift = MISC_TIMER_SHIFT(msrs->misc);
	caps->invept =
		caps->ept & EPT_CAP_INVEPT_SINGLE ? INVEPT_SINGLE : INVEPT_ALL;
	describe(caps, out);
	return E_OK;
}
