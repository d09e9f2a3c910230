#include "vm/sched.h"

#include "cpu/cpu.h"
#include "cpu/lapic.h"
#include "cpu/time.h"
#include "trace/trace.h"
#include "vm/context.h"
#include "vm/run.h"
#include "vm/vm.h"

#define SLOTS	   64 /* of VMS_MAX VMs with two vCPUs each */
#define TURN_NS	   (5 * NS_PER_MS)
#define LONGEST_NS (1000 * NS_PER_MS)

/*
 * Slots are written by the first CPU and read by their owner; `rounds` tells
 * the first CPU that the owner has been through its slots since, and so holds
 * no pointer that it has taken out.
 */
struct runner {
	struct vcpu *slot[SLOTS];
	struct vcpu *loaded; /* whose registers are in the CPU */
	u64 rounds;
} ALIGNED(64);

static struct runner runners[MAX_CPUS];

static struct runner *this_runner(void)
{
	return &runners[this_cpu()->id];
}

/* Takes the registers of the last guest out of the CPU. */
static void unload(struct runner *runner)
{
	struct vcpu *vcpu = runner->loaded;

	if (!vcpu)
		return;
	vcpu_need(vcpu, STATE_ALL);
	context_save(vcpu);
	vcpu->engine->detach(vcpu);
	vcpu->state.tsc = vcpu_tsc(vcpu);
	runner->loaded = NULL;
}

void sched_unload(void)
{
	unload(this_runner());
}

static void load(struct runner *runner, struct vcpu *vcpu)
{
	if (runner->loaded == vcpu)
		return;
	unload(runner);
	vcpu->engine->attach(vcpu);
	context_load(vcpu);
	runner->loaded = vcpu;
}

void sched_yield(void)
{
	if (this_runner()->loaded)
		vcpu_request(this_runner()->loaded, REQUEST_RESCHED);
}

/* A guest that is slowed down rests in proportion to how long it ran. */
static void rest(struct vcpu *vcpu, u64 started)
{
	u32 speed = __atomic_load_n(&vcpu->vm->speed, __ATOMIC_RELAXED);
	u64 now = rdtsc();

	if (unlikely(speed))
		vcpu->rest_until =
			now + (now - started) * (100 - speed) / speed;
}

static bool rests(const struct vcpu *vcpu)
{
	return unlikely(vcpu->vm->speed) && rdtsc() < vcpu->rest_until;
}

static bool may_run(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->vm->life, __ATOMIC_ACQUIRE) == VM_RUNNING;
}

/* All vCPUs of the VM halted with interrupts off: nothing can wake them. */
static void check_dead(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct vcpu_state *s = &vm->vcpu[i]->state;

		if (s->activity == ACTIVITY_RUN ||
		    (s->activity == ACTIVITY_HALT && (s->rflags & RFLAGS_IF)))
			return;
	}
	vm_end(vm, 0);
}

static void park(struct runner *runner, struct vcpu *vcpu)
{
	if (runner->loaded == vcpu)
		unload(runner);
	__atomic_store_n(&vcpu->parked, true, __ATOMIC_RELEASE);
}

/* Gives the vCPU a turn; false when it has nothing to do until *deadline. */
static bool give_turn(struct runner *runner, struct vcpu *vcpu, u64 until,
		      u64 *deadline)
{
	u64 started;

	if (!may_run(vcpu)) {
		if (!vcpu->parked)
			park(runner, vcpu);
		return false;
	}
	vcpu->parked = false;
	__atomic_fetch_and(&vcpu->requests, ~REQUEST_STOP, __ATOMIC_SEQ_CST);
	if (!may_run(vcpu))
		return true; /* stopped in between: next round */
	if (vcpu->state.activity != ACTIVITY_RUN && !vcpu_wake(vcpu)) {
		*deadline = MIN(*deadline, vcpu->timer_deadline);
		return false;
	}
	if (rests(vcpu)) {
		*deadline = MIN(*deadline, vcpu->rest_until);
		return false;
	}
	load(runner, vcpu);
	if (!vcpu->vm->first_entry_ns)
		vcpu->vm->first_entry_ns = now_ns();
	__atomic_store_n(&vcpu->running, true, __ATOMIC_SEQ_CST);
	started = rdtsc();
	vcpu_run(vcpu, until);
	rest(vcpu, started);
	if (trace_wants(TRACE_TURNS))
		trace_put_at(started, TRACE_TURN,
			     trace_who(vcpu->vm->index, vcpu->id), 0,
			     rdtsc() - started, 0, 0);
	__atomic_store_n(&vcpu->running, false, __ATOMIC_SEQ_CST);
	if (vcpu->state.activity == ACTIVITY_HALT &&
	    !(vcpu->state.rflags & RFLAGS_IF))
		check_dead(vcpu);
	return true;
}

static u64 turn_ns = TURN_NS;

void sched_set_turn(u64 ns)
{
	turn_ns = ns ? ns : TURN_NS;
}

/* Other work on this CPU limits how long one guest may keep it. */
static u64 turn_end(const struct runner *runner, const struct vcpu *vcpu,
		    u64 now)
{
	unsigned busy = this_cpu()->id == 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		if (runner->slot[i] && runner->slot[i]->vm->speed)
			busy = 2;
		busy += runner->slot[i] && may_run(runner->slot[i]);
	}
	now += ns_to_tsc(busy > 1 ? turn_ns : LONGEST_NS);
	return vcpu->vm->serve_by ? MIN(now, vcpu->vm->serve_by) : now;
}

bool sched_turn(u64 wanted)
{
	struct runner *runner = this_runner();
	u64 deadline = MIN(wanted, rdtsc() + ns_to_tsc(LONGEST_NS));
	bool ran = false;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct vcpu *vcpu =
			__atomic_load_n(&runner->slot[i], __ATOMIC_ACQUIRE);

		if (vcpu &&
		    give_turn(runner, vcpu, turn_end(runner, vcpu, rdtsc()),
			      &deadline))
			ran = true;
	}
	__atomic_fetch_add(&runner->rounds, 1, __ATOMIC_RELEASE);
	if (!ran)
		timer_arm(deadline);
	return ran;
}

void sched_loop(u64 (*serve)(void))
{
	for (;;) {
		u64 wanted = serve ? serve() : ~0ULL;

		if (sched_turn(wanted) || wanted <= rdtsc())
			cpu_take_interrupts();
		else
			cpu_idle();
	}
}

static unsigned load_of(unsigned cpu)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += runners[cpu].slot[i] != NULL;
	return n;
}

/* The first CPU runs guests only when it is the only one. */
static unsigned choose_cpu(void)
{
	unsigned best = cpu_count() > 1 ? 1 : 0;

	for (unsigned i = best; i < cpu_count(); i++)
		if (load_of(i) < load_of(best))
			best = i;
	return best;
}

err_t sched_add(struct vcpu *vcpu, int cpu)
{
	struct runner *runner;

	vcpu->host_cpu = cpu < 0 || (unsigned)cpu >= cpu_count()
				 ? choose_cpu()
				 : (unsigned)cpu;
	runner = &runners[vcpu->host_cpu];
	for (unsigned i = 0; i < SLOTS; i++) {
		if (runner->slot[i])
			continue;
		__atomic_store_n(&runner->slot[i], vcpu, __ATOMIC_RELEASE);
		sched_notify(vcpu);
		return E_OK;
	}
	return E_NOMEM;
}

void sched_notify(struct vcpu *vcpu)
{
	vcpu_kick(vcpu, REQUEST_RESCHED);
}

/* Waits for another CPU; on our own, turns are ours to give. */
static void wait_for_cpu(unsigned cpu)
{
	if (cpu == this_cpu()->id)
		sched_turn(0);
	else
		cpu_relax();
}

void sched_settle(struct vcpu *vcpu)
{
	vcpu_kick(vcpu, REQUEST_STOP);
	while (!__atomic_load_n(&vcpu->parked, __ATOMIC_ACQUIRE))
		wait_for_cpu(vcpu->host_cpu);
}

void sched_remove(struct vcpu *vcpu)
{
	struct runner *runner = &runners[vcpu->host_cpu];
	u64 seen;

	sched_settle(vcpu);
	for (unsigned i = 0; i < SLOTS; i++)
		if (runner->slot[i] == vcpu)
			__atomic_store_n(&runner->slot[i], NULL,
					 __ATOMIC_RELEASE);
	/* One whole round more, and the owner has forgotten it. It may halt
	 * after each. */
	for (unsigned i = 0; i < 2; i++) {
		seen = __atomic_load_n(&runner->rounds, __ATOMIC_ACQUIRE);
		cpu_kick(cpu_by_id(vcpu->host_cpu));
		while (__atomic_load_n(&runner->rounds, __ATOMIC_ACQUIRE) ==
		       seen)
			wait_for_cpu(vcpu->host_cpu);
	}
}
