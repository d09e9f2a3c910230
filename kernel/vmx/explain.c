/*
 * Why an entry failed. The processor only says that it did; so the manual's
 * rules are held against the VMCS, and the first broken one is named (rules.c).
 */
#include "lib/log.h"
#include "lib/printf.h"
#include "vm/vm.h"
#include "vmx/vmx.h"

/* --- the words */

/* VM-instruction errors (31.4, table 31-1). */
const char *vmx_error_text(u32 number)
{
	static const char *const texts[] = {
		[1] = "VMCALL in VMX root operation",
		[2] = "VMCLEAR with an invalid address",
		[3] = "VMCLEAR of the VMXON region",
		[4] = "VMLAUNCH of a VMCS that is not clear",
		[5] = "VMRESUME of a VMCS that was not launched",
		[6] = "VMRESUME after VMXOFF",
		[7] = "invalid control fields",
		[8] = "invalid host state",
		[9] = "VMPTRLD with an invalid address",
		[10] = "VMPTRLD of the VMXON region",
		[11] = "VMPTRLD with another VMCS revision",
		[12] = "VMREAD or VMWRITE of a field that does not exist",
		[13] = "VMWRITE of a read-only field",
		[15] = "VMXON in VMX root operation",
		[16] = "invalid executive-VMCS pointer",
		[17] = "executive VMCS not launched",
		[18] = "executive-VMCS pointer is not the VMXON region",
		[19] = "VMCALL with a VMCS that is not clear",
		[20] = "VMCALL with invalid exit controls",
		[22] = "VMCALL with another MSEG revision",
		[23] = "VMXOFF under dual-monitor treatment of SMIs",
		[24] = "VMCALL with invalid SMM-monitor features",
		[25] = "invalid execution controls for leaving SMM",
		[26] = "entry while MOV SS blocks events",
		[28] = "invalid operand of INVEPT or INVVPID",
	};

	if (number < ARRAY_LEN(texts) && texts[number])
		return texts[number];
	return "an error without a name";
}

static const struct {
	u16 field;
	const char *name;
} fields[] = {
#define VMCS_NAME(field, encoding) {field, #field},
	VMCS_FIELDS(VMCS_NAME)
#undef VMCS_NAME
};

/* --- the report */

static void take_image(struct vmcs_image *image)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (!vmread_try(fields[i].field, &image->value[i]))
			image->value[i] = 0;
}

/* What is zero, or is not there on this processor, is left out. */
void vmx_dump(struct vcpu *vcpu)
{
	struct vmcs_image image;

	take_image(&image);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (image.value[i])
			log_error("  %04x %-22s %016lx", fields[i].field,
				  fields[i].name, image.value[i]);
}

static void report(struct vcpu *vcpu, const char *what,
		   err_t (*check)(const struct vmcs_image *,
				  const struct vmx_caps *, char *, size_t))
{
	struct vmcs_image image;
	char why[128] = "";

	take_image(&image);
	if (!check(&image, &vmx_caps, why, sizeof(why)))
		snprintf(why, sizeof(why), "by no rule that we know of");
	log_error("vmx: VM %s, vCPU %u: %s: %s", vcpu->vm->config.name,
		  vcpu->id, what, why);
	vmx_dump(vcpu);
}

void vmx_explain_vmfail(struct vcpu *vcpu, u64 flags)
{
	u32 number;

	if (flags & VMFAIL_INVALID) {
		log_error("vmx: VM %s, vCPU %u: entry without a current VMCS",
			  vcpu->vm->config.name, vcpu->id);
		return;
	}
	number = vmread(INSTRUCTION_ERROR);
	if (number == 7) {
		report(vcpu, vmx_error_text(number), vmx_check_controls);
		return;
	}
	log_error("vmx: VM %s, vCPU %u: %s (error %u)", vcpu->vm->config.name,
		  vcpu->id, vmx_error_text(number), number);
	vmx_dump(vcpu);
}

void vmx_explain_entry(struct vcpu *vcpu, u32 reason)
{
	switch (reason & REASON_BASIC) {
	case REASON_BAD_GUEST_STATE:
		report(vcpu, "invalid guest state", vmx_check_guest);
		break;
	case REASON_BAD_MSR_LOAD:
		log_error(
			"vmx: VM %s, vCPU %u: MSR %lu of the load list is bad",
			vcpu->vm->config.name, vcpu->id,
			vmread(EXIT_QUALIFICATION));
		break;
	case REASON_ENTRY_MACHINE_CHECK:
		log_error("vmx: VM %s, vCPU %u: machine check during entry",
			  vcpu->vm->config.name, vcpu->id);
		break;
	default:
		log_error("vmx: VM %s, vCPU %u: entry failed, reason %x",
			  vcpu->vm->config.name, vcpu->id, reason);
	}
}
