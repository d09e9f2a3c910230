/*
 * The hardware's exits in neutral words: a table by basic exit reason
 * (appendix C), with a function where there is more to tell. Fields that a
 * reason does not define keep an older exit's values: only these functions read
 * them.
 */
#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "lib/string.h"
#include "vm/walk.h"
#include "vmx/vmx.h"

/* --- exceptions and NMIs (28.2.2) */

/* DR6 is left to us: the qualification has its new bits (table 28-1). */
static void take_debug_exception(struct vcpu *vcpu, u64 qualification)
{
	struct vcpu_state *s = &vcpu->state;

	vcpu_need(vcpu, STATE_DEBUG);
	s->dr6 = (s->dr6 & ~0xfULL) | (qualification & DB_QUAL_DR6);
	if (qualification & DB_QUAL_BD)
		s->dr7 &= ~DR7_GD; /* the handler may look */
	vcpu_changed(vcpu, STATE_DEBUG);
}

/* The other vendor's hypercall is an invalid opcode here. */
static bool is_vmmcall(struct vcpu *vcpu)
{
	static const u8 vmmcall[3] = {0x0f, 0x01, 0xd9};
	u8 bytes[INSN_MAX];

	return fetch_insn(vcpu, bytes) >= sizeof(vmmcall) &&
	       !memcmp(bytes, vmmcall, sizeof(vmmcall));
}

static void decode_exception(struct vcpu *vcpu, struct vm_exit *exit)
{
	u32 event = vmread(EXIT_EVENT);
	unsigned type = event >> EVENT_TYPE_SHIFT & EVENT_TYPE;

	exit->info2 = event;
	if (type == TYPE_NMI) {
		/* The exit took it in; our own handler still wants it. */
		exit->reason = EXIT_NMI;
		cpu_take_nmi();
		return;
	}
	exit->exception = (struct exit_exception){
		.vector = event & EVENT_VECTOR,
		.has_error = !!(event & EVENT_HAS_ERROR),
	};
	if (exit->exception.has_error)
		exit->exception.error = vmread(EXIT_EVENT_ERROR);
	switch (exit->exception.vector) {
	case EXC_DB:
		/* INT1 is a trap: the handler returns behind it. */
		if (type == TYPE_PRIVILEGED) {
			vcpu->state.rip += vmread(EXIT_LENGTH);
			vcpu_changed(vcpu, STATE_CORE);
			break;
		}
		exit->info1 = vmread(EXIT_QUALIFICATION);
		take_debug_exception(vcpu, exit->info1);
		break;
	case EXC_UD:
		if (!is_vmmcall(vcpu))
			break;
		exit->reason = EXIT_HYPERCALL;
		exit->ilen = 3;
		break;
	case EXC_MC:
		/* The host's business first (26.2). */
		asm volatile("int %0" ::"i"(EXC_MC) : "memory");
		break;
	}
}

/* --- instructions, by their qualification (28.2.1) */

static void decode_cr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 q = exit->info1 = vmread(EXIT_QUALIFICATION);

	exit->cr = (struct exit_cr){
		.number = CR_QUAL_NUMBER(q),
		.gpr = CR_QUAL_GPR(q),
		.access = CR_QUAL_ACCESS(q),
		.lmsw = CR_QUAL_LMSW(q),
	};
}

_Static_assert(CR_WRITE == 0 && CR_READ == 1 && CR_CLTS == 2 && CR_LMSW == 3,
	       "the qualification's own numbers (table 28-3)");

static void decode_dr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 q = exit->info1 = vmread(EXIT_QUALIFICATION);

	exit->dr = (struct exit_dr){
		.number = DR_QUAL_NUMBER(q),
		.gpr = DR_QUAL_GPR(q),
		.read = !!(q & DR_QUAL_READ),
	};
	/* #UD comes before the exit, but not in Bochs 2.7. */
	if (q & DR_QUAL_ABSENT)
		exit->reason = EXIT_VIRT_INSN;
}

static void decode_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 q = exit->info1 = vmread(EXIT_QUALIFICATION);

	exit->io = (struct exit_io){
		.port = IO_QUAL_PORT(q),
		.size = IO_QUAL_SIZE(q),
		.in = !!(q & IO_QUAL_IN),
		.string = !!(q & IO_QUAL_STRING),
		.rep = !!(q & IO_QUAL_REP),
	};
}

static void decode_qualification(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->info1 = vmread(EXIT_QUALIFICATION);
}

/* --- memory (28.2.1, table 28-7) */

static void decode_memory(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 q = exit->info1 = vmread(EXIT_QUALIFICATION);

	exit->memory.gpa = exit->info2 = vmread(GUEST_PHYSICAL);
	exit->memory.access = q & EPT_QUAL_ACCESS;
	if ((q & EPT_QUAL_LINEAR) && !(q & EPT_QUAL_TRANSLATION))
		exit->memory.access |= MEM_TABLE;
}

_Static_assert(MEM_READ == 1 && MEM_WRITE == 2 && MEM_FETCH == 4,
	       "the qualification's own bits (table 28-7)");

static void decode_misconfiguration(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->memory.gpa = exit->info2 = vmread(GUEST_PHYSICAL);
	exit->memory.access = 0;
}

/* --- the table */

/* The exit's instruction length is defined (28.2.5). */
#define LENGTH 1u
/* The exit may have interrupted the delivery of an event (28.2.4). */
#define DELIVERY 2u
/* ... and its qualification tells of IRET (28.2.3). */
#define IRET 4u

struct exit_kind {
	u8 reason; /* enum exit_reason */
	u8 flags;
	void (*decode)(struct vcpu *vcpu, struct vm_exit *exit);
};

static const struct exit_kind exit_kinds[] = {
	[REASON_EXCEPTION] = {EXIT_EXCEPTION, DELIVERY, decode_exception},
	[REASON_EXTERNAL_INTERRUPT] = {EXIT_INTERRUPT},
	[REASON_TRIPLE_FAULT] = {EXIT_TRIPLE_FAULT},
	[REASON_INIT] = {EXIT_INIT},
	[REASON_SIPI] = {EXIT_SIPI, 0, decode_qualification},
	[REASON_INTERRUPT_WINDOW] = {EXIT_INTERRUPT_WINDOW},
	[REASON_NMI_WINDOW] = {EXIT_NMI_WINDOW},
	[REASON_TASK_SWITCH] = {EXIT_TASK_SWITCH, DELIVERY,
				decode_qualification},
	[REASON_CPUID] = {EXIT_CPUID, LENGTH},
	[REASON_GETSEC] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_HLT] = {EXIT_HLT, LENGTH},
	[REASON_INVD] = {EXIT_CACHE, LENGTH},
	[REASON_RDPMC] = {EXIT_RDPMC, LENGTH},
	[REASON_VMCALL] = {EXIT_HYPERCALL, LENGTH},
	[REASON_VMCLEAR] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMLAUNCH] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMPTRLD] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMPTRST] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMREAD] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMRESUME] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMWRITE] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMXOFF] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_VMXON] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_CR] = {EXIT_CR, LENGTH, decode_cr},
	[REASON_MOV_DR] = {EXIT_DR, LENGTH, decode_dr},
	[REASON_IO] = {EXIT_IO, LENGTH, decode_io},
	[REASON_RDMSR] = {EXIT_MSR_READ, LENGTH},
	[REASON_WRMSR] = {EXIT_MSR_WRITE, LENGTH},
	[REASON_MWAIT] = {EXIT_MWAIT, LENGTH},
	[REASON_MONITOR] = {EXIT_MONITOR, LENGTH},
	[REASON_EPT_VIOLATION] = {EXIT_MEMORY, DELIVERY | IRET, decode_memory},
	[REASON_EPT_MISCONFIGURATION] = {EXIT_MISCONFIG, DELIVERY,
					 decode_misconfiguration},
	[REASON_INVEPT] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_PREEMPTION_TIMER] = {EXIT_TIMER},
	[REASON_INVVPID] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_WBINVD] = {EXIT_CACHE, LENGTH},
	[REASON_XSETBV] = {EXIT_XSETBV, LENGTH},
	[REASON_VMFUNC] = {EXIT_VIRT_INSN, LENGTH},
	[REASON_PML_FULL] = {EXIT_PML_FULL, DELIVERY | IRET,
			     decode_qualification},
};

void vmx_decode(struct vcpu *vcpu, u32 reason)
{
	struct vm_exit *exit = &vcpu->exit;
	const struct exit_kind *kind;

	exit->reason = EXIT_UNKNOWN;
	exit->ilen = 0;
	exit->code = reason;
	exit->info1 = exit->info2 = 0;
	/* Above the basic reason stand only enclaves, SMM and failed entries.
	 */
	if (unlikely(reason >= ARRAY_LEN(exit_kinds))) {
		decode_qualification(vcpu, exit);
		return;
	}
	kind = &exit_kinds[reason];
	exit->reason = kind->reason;
	if (likely(kind->flags & LENGTH))
		exit->ilen = vmread(EXIT_LENGTH);
	if (kind->decode)
		kind->decode(vcpu, exit);
	if (unlikely(kind->flags & DELIVERY)) {
		vmx_interrupted_event(vcpu,
				      kind->flags & IRET ? exit->info1 : 0);
		exit->delivery = vcpu->state.pending.kind != EVENT_NONE;
	}
}
