/* The table of exits, and the answers that need no file of their own. */
#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "vm/dirty.h"
#include "vm/handlers.h"
#include "vm/machine.h"
#include "vm/model.h"

#define EXIT_NAME(id, name) [id] = name,
const char *const exit_names[EXIT_REASON_COUNT] = {EXIT_REASONS(EXIT_NAME)};
#undef EXIT_NAME

static enum next_step handle_rdmsr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 value, *gpr = vcpu->state.gpr;

	if (model_rdmsr(vcpu, gpr[RCX], &value)) {
		vcpu_inject_gp(vcpu);
		return NEXT_ENTER;
	}
	gpr[RAX] = (u32)value;
	gpr[RDX] = value >> 32;
	return NEXT_SKIP;
}

static enum next_step handle_wrmsr(struct vcpu *vcpu, struct vm_exit *exit)
{
	u64 *gpr = vcpu->state.gpr;
	u64 value = (u32)gpr[RAX] | gpr[RDX] << 32;

	if (model_wrmsr(vcpu, gpr[RCX], value)) {
		vcpu_inject_gp(vcpu);
		return NEXT_ENTER;
	}
	return NEXT_SKIP;
}

static enum next_step handle_hlt(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu_skip(vcpu, exit);
	/* It would wake at once: for a trap, or what is to be delivered yet. */
	if (vcpu->state.pending.kind != EVENT_NONE)
		return NEXT_ENTER;
	vcpu->state.activity = ACTIVITY_HALT;
	vcpu_changed(vcpu, STATE_CORE);
	return NEXT_LEAVE;
}

/* Nothing is cached that a guest could need written back: no device DMA. */
static enum next_step handle_nothing(struct vcpu *vcpu, struct vm_exit *exit)
{
	return NEXT_SKIP;
}

static enum next_step handle_pause(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu_skip(vcpu, exit);
	return NEXT_LEAVE;
}

static enum next_step handle_ud(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu_inject_ud(vcpu);
	return NEXT_ENTER;
}

static enum next_step handle_gp(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu_inject_gp(vcpu);
	return NEXT_ENTER;
}

/*
 * #DB and #AC are intercepted so that a guest whose handler raises them anew
 * for ever (CVE-2015-8104, CVE-2015-5307) still exits; they are the guest's.
 */
static enum next_step handle_exception(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct exit_exception *e = &exit->exception;

	if (e->vector == EXC_MC)
		vm_crash(vcpu->vm, "machine check");
	else
		vcpu_inject_fault(vcpu, e);
	return NEXT_ENTER;
}

static enum next_step handle_triple_fault(struct vcpu *vcpu,
					  struct vm_exit *exit)
{
	vm_crash(vcpu->vm, "triple fault");
	return NEXT_LEAVE;
}

/*
 * Host business: let it in, then look around. Our own timer says no more than
 * that a deadline of this guest's is here, or the end of its turn.
 */
static enum next_step handle_host(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct cpu *cpu = this_cpu();
	u64 timers = cpu->timer_interrupts, others = cpu->other_interrupts;

	cpu_take_interrupts();
	if (cpu->timer_interrupts == timers || cpu->other_interrupts != others)
		return NEXT_LEAVE;
	vcpu_request(vcpu, REQUEST_INTERRUPT);
	return NEXT_ENTER;
}

static enum next_step handle_window(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu_request(vcpu, REQUEST_INTERRUPT);
	return NEXT_ENTER;
}

static enum next_step handle_nmi_window(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (vcpu->nmi_waiting)
		vcpu_request(vcpu, REQUEST_NMI);
	return NEXT_ENTER;
}

static enum next_step handle_task_switch(struct vcpu *vcpu,
					 struct vm_exit *exit)
{
	vm_crash(vcpu->vm, "hardware task switch: not offered");
	return NEXT_LEAVE;
}

static enum next_step handle_misconfig(struct vcpu *vcpu, struct vm_exit *exit)
{
	vm_crash(vcpu->vm, "malformed second-level entry for GPA %lx",
		 exit->memory.gpa);
	return NEXT_LEAVE;
}

static enum next_step handle_failed_entry(struct vcpu *vcpu,
					  struct vm_exit *exit)
{
	vm_crash(vcpu->vm, "the processor refused to enter the guest");
	return NEXT_LEAVE;
}

static enum next_step handle_log_full(struct vcpu *vcpu, struct vm_exit *exit)
{
	dirty_log_full(vcpu);
	return NEXT_ENTER;
}

static enum next_step handle_unknown(struct vcpu *vcpu, struct vm_exit *exit)
{
	vm_crash(vcpu->vm, "unexpected exit: %s, code %lx info %lx %lx",
		 exit_names[exit->reason], exit->code, exit->info1,
		 exit->info2);
	return NEXT_LEAVE;
}

const exit_handler exit_handlers[EXIT_REASON_COUNT] = {
	[EXIT_UNKNOWN] = handle_unknown,
	[EXIT_CPUID] = handle_cpuid,
	[EXIT_HYPERCALL] = handle_hypercall,
	[EXIT_IO] = handle_io,
	[EXIT_MSR_READ] = handle_rdmsr,
	[EXIT_MSR_WRITE] = handle_wrmsr,
	[EXIT_HLT] = handle_hlt,
	[EXIT_CR] = handle_cr,
	[EXIT_DR] = handle_dr,
	[EXIT_XSETBV] = handle_xsetbv,
	[EXIT_MEMORY] = handle_memory,
	[EXIT_MISCONFIG] = handle_misconfig,
	[EXIT_EXCEPTION] = handle_exception,
	[EXIT_TRIPLE_FAULT] = handle_triple_fault,
	[EXIT_INTERRUPT] = handle_host,
	[EXIT_NMI] = handle_host,
	[EXIT_TIMER] = handle_host,
	[EXIT_INTERRUPT_WINDOW] = handle_window,
	[EXIT_NMI_WINDOW] = handle_nmi_window,
	[EXIT_CACHE] = handle_nothing,
	[EXIT_RDPMC] = handle_gp,
	[EXIT_MONITOR] = handle_ud,
	[EXIT_MWAIT] = handle_ud,
	[EXIT_PAUSE] = handle_pause,
	[EXIT_VIRT_INSN] = handle_ud,
	[EXIT_TASK_SWITCH] = handle_task_switch,
	[EXIT_PML_FULL] = handle_log_full,
	[EXIT_INIT] = handle_unknown,
	[EXIT_SIPI] = handle_unknown,
	[EXIT_ENTRY_FAILED] = handle_failed_entry,
};
