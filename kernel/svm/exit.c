/*
 * The hardware's exits in neutral words: a table by exit code (appendix C),
 * with a function where there is more to tell. What the processor does not tell
 * (operands, without decode assists) is read from the instruction itself.
 */
#include "cpu/regs.h"
#include "lib/string.h"
#include "svm/svm.h"
#include "vm/vm.h"
#include "vm/walk.h"

static void take_info(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;

	exit->info1 = vmcb->exit_info1;
	exit->info2 = vmcb->exit_info2;
}

/* --- exceptions (15.12) */

/* The other vendor's hypercall is an invalid opcode here. */
static bool is_vmcall(struct vcpu *vcpu)
{
	static const u8 vmcall[3] = {0x0f, 0x01, 0xc1};
	u8 bytes[INSN_MAX];

	return fetch_insn(vcpu, bytes) >= sizeof(vmcall) &&
	       !memcmp(bytes, vmcall, sizeof(vmcall));
}

/* MOV to or from a debug register: 0F 21, 0F 23. */
static bool is_mov_dr(struct vcpu *vcpu)
{
	u8 bytes[INSN_MAX];
	struct insn insn;
	size_t n = fetch_insn(vcpu, bytes);

	return !decode(bytes, n, decode_mode_of(state_mode(&vcpu->state)),
		       &insn) &&
	       insn.map == MAP_0F &&
	       (insn.opcode == 0x21 || insn.opcode == 0x23);
}

/*
 * DR6 is up to date (15.12.2) but in Bochs 2.7, which forgets: there the cause
 * is looked for. DR7.GD falls when the guest's handler is entered: our doing
 * now.
 */
static void take_debug_exception(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;

	vcpu_need(vcpu, STATE_DEBUG);
	if ((s->dr7 & DR7_GD) && is_mov_dr(vcpu))
		s->dr6 |= DR6_BD;
	else if ((s->rflags & RFLAGS_TF) && !(s->dr6 & DR6_CAUSES))
		s->dr6 |= DR6_BS;
	s->dr7 &= ~DR7_GD;
	vcpu_changed(vcpu, STATE_DEBUG);
}

/* #GP is not intercepted: see svm_is_bad_cr3_write(). */
static void decode_exception(struct vcpu *vcpu, struct vm_exit *exit)
{
	u8 vector = (u32)exit->code - VMEXIT_EXCEPTION;

	take_info(vcpu, exit);
	exit->exception = (struct exit_exception){
		.vector = vector,
		.has_error = vector == EXC_AC || vector == EXC_GP,
		.error = exit->info1,
	};
	switch (vector) {
	case EXC_DB:
		take_debug_exception(vcpu);
		break;
	case EXC_UD:
		if (!is_vmcall(vcpu))
			break;
		exit->reason = EXIT_HYPERCALL;
		exit->ilen = 3;
		break;
	case EXC_MC:
		/* The host's business first: nobody else calls its handler. */
		asm volatile("int %0" ::"i"(EXC_MC) : "memory");
		break;
	}
}

/* --- instructions */

/* The guest is about to leave its NMI handler: see svm_after_exit(). */
static void decode_iret(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct svm_vcpu *svm = vcpu->hw;

	svm_watch_iret(svm, false);
	svm->iret_rip = vcpu->state.rip;
	svm->after |= AFTER_IRET;
}

/* The instruction at RIP; false when it has changed since it exited. */
static bool read_insn(struct vcpu *vcpu, struct vm_exit *exit,
		      struct insn *insn)
{
	u8 bytes[INSN_MAX];
	size_t n = fetch_insn(vcpu, bytes);

	if (decode(bytes, n, decode_mode_of(state_mode(&vcpu->state)), insn) ||
	    insn->map != MAP_0F)
		return false;
	exit->ilen = insn->length;
	return true;
}

/*
 * LMSW takes 16 bits from a register or from memory. Memory that has gone since
 * is a fault of the guest's own.
 */
static void lmsw_operand(struct vcpu *vcpu, struct vm_exit *exit,
			 const struct insn *insn)
{
	const u64 *gpr = vcpu->state.gpr;
	struct exit_exception fault;
	u64 linear;
	u16 value;

	if (!insn->memory) {
		exit->cr.lmsw = gpr[insn->rm];
		return;
	}
	vcpu_need(vcpu, STATE_SEGMENTS | STATE_CONTROL);
	linear = insn_linear(
		insn, insn->segment,
		insn_offset(insn, gpr, vcpu->state.rip + insn->length),
		vcpu->state.seg);
	if (!linear_read(vcpu, linear, &value, sizeof(value), 0, &fault)) {
		exit->cr.lmsw = value;
		return;
	}
	exit->reason = EXIT_EXCEPTION;
	exit->exception = fault;
}

/* 0F 06 CLTS, 0F 20 and 22 MOV, 0F 01 /6 LMSW. */
static void decode_cr_insn(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct insn insn;

	if (!read_insn(vcpu, exit, &insn)) {
		exit->reason = EXIT_UNKNOWN;
	} else if (insn.opcode == 0x06) {
		exit->cr.access = CR_CLTS;
	} else if (insn.opcode == 0x01 && insn.reg == 6) {
		exit->cr.access = CR_LMSW;
		lmsw_operand(vcpu, exit, &insn);
	} else if (insn.opcode == 0x20 || insn.opcode == 0x22) {
		exit->cr.gpr = insn.rm;
	} else {
		exit->reason = EXIT_UNKNOWN;
	}
}

/*
 * When a guest loads CR3 with reserved bits, QEMU's TCG exits with INVALID
 * instead of raising #GP. Should VMRUN have failed where RIP is at just such an
 * instruction, it will fail again at the guest's handler.
 */
bool svm_is_bad_cr3_write(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;
	struct vcpu_state *s = &vcpu->state;
	const struct segment cs = s->seg[CS];
	const u64 rip = s->rip, cr3 = s->cr3;
	struct vm_exit unused;
	struct insn insn;
	bool bad = false;

	s->seg[CS] = vmcb->cs;
	s->rip = vmcb->rip;
	s->cr3 = vmcb->cr3;
	vcpu->valid |= STATE_FETCH;
	if (read_insn(vcpu, &unused, &insn) && insn.opcode == 0x22 &&
	    insn.reg == 3) {
		u64 value = insn.rm == RAX   ? vmcb->rax
			    : insn.rm == RSP ? vmcb->rsp
					     : s->gpr[insn.rm];

		bad = value >> svm_caps.phys_bits;
	}
	s->seg[CS] = cs;
	s->rip = rip;
	s->cr3 = cr3;
	return bad;
}

static void decode_cr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u32 code = exit->code;

	take_info(vcpu, exit);
	exit->cr = (struct exit_cr){
		.number = code & 0xf,
		.access = code >= VMEXIT_CR_WRITE ? CR_WRITE : CR_READ,
	};
	if ((svm_caps.features & SVM_DECODE_ASSISTS) &&
	    (exit->info1 & MOV_CR_IS_MOV))
		exit->cr.gpr = MOV_GPR(exit->info1);
	else
		decode_cr_insn(vcpu, exit);
}

static void decode_dr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u32 code = exit->code;
	struct insn insn;

	take_info(vcpu, exit);
	exit->dr = (struct exit_dr){
		.number = code & 0xf,
		.read = code < VMEXIT_DR_WRITE,
	};
	if (svm_caps.features & SVM_DECODE_ASSISTS)
		exit->dr.gpr = MOV_GPR(exit->info1);
	else if (read_insn(vcpu, exit, &insn) &&
		 (insn.opcode == 0x21 || insn.opcode == 0x23))
		exit->dr.gpr = insn.rm;
	else
		exit->reason = EXIT_UNKNOWN;
}

/* Here EXITINFO2 is the next RIP, on every processor (15.10.2). */
static void decode_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 info;

	take_info(vcpu, exit);
	info = exit->info1;
	exit->io = (struct exit_io){
		.port = IOIO_PORT(info),
		.size = IOIO_SIZE(info),
		.in = !!(info & IOIO_IN),
		.string = !!(info & IOIO_STRING),
		.rep = !!(info & IOIO_REP),
	};
	exit->ilen = exit->info2 - vcpu->state.rip;
}

static void decode_msr(struct vcpu *vcpu, struct vm_exit *exit)
{
	take_info(vcpu, exit);
	exit->reason = exit->info1 ? EXIT_MSR_WRITE : EXIT_MSR_READ;
}

/* --- memory (15.25.6) */

static void decode_memory(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->hw)->vmcb;
	u64 info = exit->info1;

	exit->reason = info & NPF_RESERVED ? EXIT_MISCONFIG : EXIT_MEMORY;
	exit->memory.gpa = exit->info2;
	exit->memory.access = info & NPF_FETCH	 ? MEM_FETCH
			      : info & NPF_WRITE ? MEM_WRITE
						 : MEM_READ;
	if (info & NPF_TABLE)
		exit->memory.access |= MEM_TABLE;
	exit->delivery = vmcb->exit_int_info & EVENT_VALID;
}

/* --- the table */

#define LENGTH SVM_LENGTH

const struct svm_exit_kind svm_exit_kinds[VMEXIT_CODES] = {
	[VMEXIT_CR_READ... VMEXIT_DR_READ - 1] = {EXIT_CR, LENGTH, decode_cr},
	[VMEXIT_DR_READ... VMEXIT_EXCEPTION - 1] = {EXIT_DR, LENGTH, decode_dr},
	[VMEXIT_EXCEPTION... VMEXIT_INTR - 1] = {EXIT_EXCEPTION, 0,
						 decode_exception},
	[VMEXIT_INTR] = {EXIT_INTERRUPT},
	[VMEXIT_NMI] = {EXIT_NMI},
	[VMEXIT_INIT] = {EXIT_INIT},
	[VMEXIT_RDPMC] = {EXIT_RDPMC, LENGTH},
	[VMEXIT_CPUID] = {EXIT_CPUID, LENGTH},
	[VMEXIT_IRET] = {EXIT_NMI_WINDOW, 0, decode_iret},
	[VMEXIT_INVD] = {EXIT_CACHE, LENGTH},
	[VMEXIT_HLT] = {EXIT_HLT, LENGTH},
	[VMEXIT_INVLPGA] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_IOIO] = {EXIT_IO, 0, decode_io},
	[VMEXIT_MSR] = {EXIT_MSR_READ, LENGTH, decode_msr},
	[VMEXIT_SHUTDOWN] = {EXIT_TRIPLE_FAULT},
	[VMEXIT_VMRUN] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_VMMCALL] = {EXIT_HYPERCALL, LENGTH},
	[VMEXIT_VMLOAD] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_VMSAVE] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_STGI] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_CLGI] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_SKINIT] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_WBINVD] = {EXIT_CACHE, LENGTH},
	[VMEXIT_MONITOR] = {EXIT_MONITOR, LENGTH},
	[VMEXIT_MWAIT] = {EXIT_MWAIT, LENGTH},
	[VMEXIT_XSETBV] = {EXIT_XSETBV, LENGTH},
	[VMEXIT_RDPRU] = {EXIT_VIRT_INSN, LENGTH},
	[VMEXIT_INVPCID] = {EXIT_VIRT_INSN, LENGTH},
};

/* What the table does not reach: nested page faults, and the unknown. */
void svm_decode_rare(struct vcpu *vcpu)
{
	struct vm_exit *exit = &vcpu->exit;

	take_info(vcpu, exit);
	exit->reason = EXIT_UNKNOWN;
	if (exit->code == VMEXIT_NPF)
		decode_memory(vcpu, exit);
}
