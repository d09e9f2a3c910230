#include "vm/run.h"

#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/regs.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "trace/trace.h"
#include "vm/dirty.h"
#include "vm/handlers.h"
#include "vm/machine.h"
#include "vm/shootdown.h"

const struct machine *machine;

void vcpu_kick(struct vcpu *vcpu, u64 request)
{
	struct cpu *cpu = cpu_by_id(vcpu->host_cpu);

	vcpu_request(vcpu, request);
	if (cpu && cpu != this_cpu())
		cpu_kick(cpu);
}

static void note_taken(struct vcpu *vcpu)
{
	if (trace_wants(TRACE_INTERRUPTS))
		trace_put(TRACE_INJECT, trace_who(vcpu->vm->index, vcpu->id),
			  vcpu->taken, EVENT_INTERRUPT, 0, 0);
	machine->irq_taken(vcpu, vcpu->taken);
	vcpu->taken = -1;
	vcpu->injected++;
}

/*
 * Moves interrupts from the local APIC to the hardware. VMX injects at once, so
 * there may be a next one; SVM keeps the offer until the guest takes it.
 */
static void offer_interrupts(struct vcpu *vcpu)
{
	for (;;) {
		int vector = machine->irq_pending(vcpu);

		vcpu->engine->offer_interrupt(vcpu, vector);
		if (vector < 0 || vcpu->taken < 0) {
			machine->lend_eoi(vcpu, vector);
			return;
		}
		note_taken(vcpu);
	}
}

static void set_timer(struct vcpu *vcpu, u64 until)
{
	u64 now = rdtsc(), deadline;

	vcpu->timer_deadline = machine->poll(vcpu, now);
	deadline = MIN(until, vcpu->timer_deadline);
	vcpu->look_at = deadline;
	vcpu->engine->set_timer(vcpu, deadline == ~0ULL ? ~0ULL
				      : deadline > now	? deadline - now
							: 0);
}

static void start_at(struct vcpu *vcpu, u8 page)
{
	struct vcpu_state *s = &vcpu->state;

	s->seg[CS].selector = (u16)(page << 8);
	s->seg[CS].base = (u64)page << 12;
	s->rip = 0;
	s->activity = ACTIVITY_RUN;
	vcpu_changed(vcpu, STATE_ALL);
}

/* INIT resets all but the FPU (SDM vol. 3A 10.1); SIPI starts at a page. */
static void take_init_sipi(struct vcpu *vcpu, u64 requests)
{
	struct vcpu_state *s = &vcpu->state;

	vcpu_need(vcpu, STATE_ALL);
	if (requests & REQUEST_INIT) {
		u8 xsave[XSAVE_AREA];

		memcpy(xsave, s->xsave, sizeof(xsave));
		state_reset(s, features.signature);
		memcpy(s->xsave, xsave, sizeof(xsave));
		machine->init(vcpu);
		s->activity = vcpu->id ? ACTIVITY_WAIT_SIPI : ACTIVITY_RUN;
		vcpu_changed(vcpu, STATE_ALL);
	}
	if ((requests & REQUEST_SIPI) && s->activity == ACTIVITY_WAIT_SIPI)
		start_at(vcpu, vcpu->sipi_vector);
}

static void offer_nmi(struct vcpu *vcpu)
{
	vcpu->nmi_waiting = !vcpu->engine->offer_nmi(vcpu);
	if (!vcpu->nmi_waiting && trace_wants(TRACE_INTERRUPTS))
		trace_put(TRACE_INJECT, trace_who(vcpu->vm->index, vcpu->id),
			  EXC_NMI, EVENT_NMI, 0, 0);
}

/* What others have asked for. False: leave the run loop. */
static bool serve_requests(struct vcpu *vcpu, u64 until)
{
	u64 requests =
		__atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);

	if (requests & (REQUEST_INIT | REQUEST_SIPI))
		take_init_sipi(vcpu, requests);
	if (requests & REQUEST_FLUSH)
		vcpu->engine->flush(vcpu);
	if (requests & REQUEST_LOG)
		dirty_log(vcpu);
	if (requests & REQUEST_NMI)
		offer_nmi(vcpu);
	if (requests & REQUEST_INTERRUPT) {
		set_timer(vcpu, until);
		offer_interrupts(vcpu);
	}
	if (requests & REQUEST_STOP)
		vcpu_request(vcpu, REQUEST_STOP); /* the scheduler's to see */
	return !(requests & (REQUEST_STOP | REQUEST_RESCHED)) &&
	       vcpu->state.activity == ACTIVITY_RUN;
}

static void __attribute__((noinline)) check_ledger(const struct vcpu *vcpu)
{
	const struct slpt *slpt = &vcpu->vm->slpt;

	if (ledger_mismatch(vcpu))
		panic("VM %s: GPA %lx %s, not flushed before entry",
		      vcpu->vm->config.name, slpt->last_gpa, slpt->last_change);
}

static void __attribute__((noinline)) take_interrupt(struct vcpu *vcpu)
{
	note_taken(vcpu);
	vcpu_request(vcpu, REQUEST_INTERRUPT);
}

/* The engine's timer counts the guest's time only, if at all. */
static void __attribute__((noinline))
look_around(struct vcpu *vcpu, u64 now, u64 until)
{
	vcpu_request(vcpu,
		     REQUEST_INTERRUPT | (now >= until ? REQUEST_RESCHED : 0));
}

/* What a report of the exit would like to know beside its reason. */
static u64 detail_of(const struct vcpu *vcpu)
{
	const struct vm_exit *exit = &vcpu->exit;

	switch (exit->reason) {
	case EXIT_CPUID:
		return (u32)vcpu->state.gpr[RAX];
	case EXIT_IO:
		return exit->io.port | (u64)exit->io.in << 16;
	case EXIT_MSR_READ:
	case EXIT_MSR_WRITE:
		return (u32)vcpu->state.gpr[RCX];
	case EXIT_MEMORY:
		return exit->memory.gpa;
	case EXIT_EXCEPTION:
		return exit->exception.vector;
	case EXIT_CR:
		return exit->cr.number;
	default:
		return exit->code;
	}
}

/* Answers the exit that came at `left`, and puts it into the trace. */
static enum next_step __attribute__((noinline))
answer_traced(struct vcpu *vcpu, u64 left)
{
	enum exit_reason reason = vcpu->exit.reason;
	u64 rip = vcpu->state.rip, detail = detail_of(vcpu);
	enum next_step next = exit_handlers[reason](vcpu, &vcpu->exit);

	if (trace_wants(TRACE_EXITS))
		trace_put_at(left, TRACE_EXIT,
			     trace_who(vcpu->vm->index, vcpu->id), reason, rip,
			     rdtsc() - left, detail);
	return next;
}

/*
 * The way of every exit, so it is kept short: requests, ledger, entry, account,
 * answer.
 */
void vcpu_run(struct vcpu *vcpu, u64 until)
{
	const struct engine *const eng = vcpu->engine;
	struct slpt *const slpt = &vcpu->vm->slpt;
	struct exit_count *count = &vcpu->exits[EXIT_UNKNOWN];
	u64 left = rdtsc(), started = left;

	/* Timers and offers anew. */
	vcpu_request(vcpu,
		     REQUEST_INTERRUPT | (vcpu->nmi_waiting ? REQUEST_NMI : 0));
	for (;;) {
		enum exit_reason reason;
		enum next_step next;
		u64 now;

		if (unlikely(__atomic_load_n(&vcpu->requests,
					     __ATOMIC_RELAXED)) &&
		    !serve_requests(vcpu, until))
			break;
		if (unlikely(vcpu->flushed != slpt->narrowed))
			check_ledger(vcpu);
		now = rdtsc();
		count->cycles += now - left;
		eng->enter(vcpu);
		left = rdtsc();
		reason = vcpu->exit.reason;
		count = &vcpu->exits[reason];
		count->count++;
		if (unlikely(vcpu->taken >= 0))
			take_interrupt(vcpu);
		if (unlikely(vcpu->eoi_lent))
			machine->look_for_eoi(vcpu);
		if (unlikely(left >= vcpu->look_at))
			look_around(vcpu, left, until);
		if (trace_wants(TRACE_EXITS))
			next = answer_traced(vcpu, left);
		else
			next = exit_handlers[reason](vcpu, &vcpu->exit);
		if (likely(next == NEXT_SKIP))
			vcpu_skip(vcpu, &vcpu->exit);
		else if (next == NEXT_LEAVE)
			break;
	}
	if (unlikely(vcpu->eoi_lent))
		machine->keep_eoi(vcpu);
	if (unlikely(vcpu->logging))
		dirty_log(vcpu);
	count->cycles += rdtsc() - left;
	vcpu->run_ticks += rdtsc() - started;
}

bool vcpu_wake(struct vcpu *vcpu)
{
	struct vcpu_state *s = &vcpu->state;
	u64 requests = __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST);
	bool init = requests & (REQUEST_INIT | REQUEST_SIPI);

	if (s->activity == ACTIVITY_WAIT_SIPI)
		return requests & REQUEST_SIPI;
	vcpu->timer_deadline = machine->poll(vcpu, rdtsc());
	if (!init && !(requests & REQUEST_NMI) &&
	    !((s->rflags & RFLAGS_IF) && machine->irq_pending(vcpu) >= 0))
		return false;
	s->activity = ACTIVITY_RUN;
	vcpu_changed(vcpu, STATE_CORE);
	return true;
}
