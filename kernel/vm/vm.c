#include "vm/vm.h"

#include <stdarg.h>

#include "cpu/cpu.h"
#include "cpu/time.h"
#include "lib/log.h"
#include "lib/notice.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "vm/machine.h"
#include "vm/sched.h"
#include "vm/walk.h"

struct vm *vms[VMS_MAX];
unsigned vm_count;
const struct engine *engine;
struct engine_caps engine_caps;

const char *life_name(enum vm_life life)
{
	static const char *const names[] = {
		[VM_OFF] = "off",	    [VM_RUNNING] = "running",
		[VM_PAUSED] = "paused",	    [VM_ENDED] = "ended",
		[VM_CRASHED] = "crashed",   [VM_RESTARTING] = "restarting",
		[VM_MOVING] = "moving",	    [VM_MOVED] = "moved",
		[VM_ARRIVING] = "arriving",
	};

	return names[life];
}

void vm_notice(const struct vm *vm, const char *change)
{
	u32 life = __atomic_load_n(&vm->life, __ATOMIC_ACQUIRE);
	struct notice n;

	notice_begin(&n, "vm");
	json_text(&n.json, "vm", vm->config.name);
	json_text(&n.json, "change", change);
	json_text(&n.json, "state", life_name(life));
	if (life == VM_ENDED)
		json_number(&n.json, "status", vm->status);
	if (vm->reason[0])
		json_text(&n.json, "reason", vm->reason);
	notice_end(&n);
}

err_t vm_add(const struct vm_config *config)
{
	struct vm *vm;

	if (vm_find(config->name))
		return E_EXISTS;
	if (vm_count == VMS_MAX)
		return E_NOMEM;
	vm = kzalloc(sizeof(*vm));
	if (!vm)
		return E_NOMEM;
	vm->config = vm->configured = *config;
	vm->index = vm_count;
	vms[vm_count++] = vm;
	return E_OK;
}

struct vm *vm_find(const char *name)
{
	for (unsigned i = 0; i < vm_count; i++)
		if (!strcmp(vms[i]->config.name, name))
			return vms[i];
	return NULL;
}

err_t vm_start(struct vm *vm)
{
	err_t err;

	if (vm->life == VM_RUNNING || vm->life == VM_PAUSED ||
	    vm->life == VM_MOVING || vm->life == VM_MOVED ||
	    vm->life == VM_ARRIVING)
		return E_STATE;
	if (!engine)
		return E_UNSUPPORTED;
	if (vm->memory.chunks)
		vm_release(vm);
	vm->config = vm->configured;
	vm_console_begin(vm);
	vm->status = 0;
	vm->reason[0] = '\0';
	vm->started_ns = now_ns();
	vm->first_entry_ns = 0;
	vm->restarts = 0;
	vm->tsc_base = rdtsc();
	vm->ns_base = 0;
	err = vm_build(vm);
	vm->life = err ? VM_OFF : VM_RUNNING;
	for (unsigned i = 0; !err && i < vm->vcpus; i++)
		err = sched_add(vm->vcpu[i], vm->config.host_cpu);
	if (err) {
		log_error("%s: not started: %s", vm->config.name,
			  err_text(err));
		vm->life = VM_OFF;
		vm_release(vm);
		return err;
	}
	vm_notice(vm, "started");
	return E_OK;
}

/* From one life to another, unless someone was quicker. */
static bool change_life(struct vm *vm, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&vm->life, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/*
 * It came to its end while it was being halted, which a vCPU's own CPU cannot
 * know: the guest has done what ends it and would not do it again.
 */
static bool end_was_missed(struct vm *vm, u32 life)
{
	u32 missed = __atomic_exchange_n(&vm->missed, 0, __ATOMIC_ACQ_REL);

	if (!missed)
		return false;
	(void)change_life(vm, life, VM_RUNNING);
	if (missed == VM_ENDED)
		vm_end(vm, vm->status);
	else if (missed == VM_CRASHED)
		vm_crash(vm, "%s", vm->reason);
	else
		vm_reset(vm);
	return true;
}

static void miss(struct vm *vm, u32 end)
{
	if (vm_stands_still(vm))
		__atomic_store_n(&vm->missed, end, __ATOMIC_RELEASE);
}

bool vm_halt(struct vm *vm, u32 life)
{
	__atomic_store_n(&vm->missed, 0, __ATOMIC_RELEASE);
	if (!change_life(vm, VM_RUNNING, life))
		return false;
	for (unsigned i = 0; i < vm->vcpus; i++)
		sched_settle(vm->vcpu[i]);
	return !end_was_missed(vm, life);
}

bool vm_let_run(struct vm *vm, u32 from)
{
	if (!change_life(vm, from, VM_RUNNING))
		return false;
	for (unsigned i = 0; i < vm->vcpus; i++)
		sched_notify(vm->vcpu[i]);
	/* What was typed, or asked for, while it stood. */
	vm_request_service(vm);
	machine->typed(vm);
	return true;
}

err_t vm_stop(struct vm *vm)
{
	if (vm->life == VM_OFF)
		return E_STATE;
	if (vm->life == VM_MOVING || vm->life == VM_ARRIVING)
		return E_BUSY;
	__atomic_store_n(&vm->life, VM_OFF, __ATOMIC_RELEASE);
	if (vm->memory.chunks)
		vm_release(vm);
	vm_console_end(vm);
	vm_notice(vm, "stopped");
	return E_OK;
}

err_t vm_pause(struct vm *vm)
{
	if (!vm_halt(vm, VM_PAUSED))
		return E_STATE;
	vm_notice(vm, "paused");
	return E_OK;
}

err_t vm_resume(struct vm *vm)
{
	if (!vm_let_run(vm, VM_PAUSED))
		return E_STATE;
	vm_notice(vm, "resumed");
	return E_OK;
}

/* And the first CPU may be halted, waiting for this. */
static void request_stop(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vcpu_kick(vm->vcpu[i], REQUEST_STOP);
	if (this_cpu()->id != 0)
		cpu_kick(cpu_by_id(0));
}

void vm_end(struct vm *vm, u32 status)
{
	vm->status = status;
	if (!change_life(vm, VM_RUNNING, VM_ENDED)) {
		miss(vm, VM_ENDED);
		return;
	}
	vm_console_end(vm);
	log_info("%s: ended with status %u", vm->config.name, status);
	vm_notice(vm, "ended");
	request_stop(vm);
}

void vm_reset(struct vm *vm)
{
	if (vm->config.on_reset == ON_RESET_END) {
		vm_end(vm, STATUS_RESET);
		return;
	}
	if (!vm->config.kernel[0]) {
		copy_string(vm->reason, sizeof(vm->reason),
			    "it asked for a reset, and the files it started "
			    "from are on another host");
		vm_end(vm, STATUS_RESET);
		return;
	}
	if (!change_life(vm, VM_RUNNING, VM_RESTARTING)) {
		miss(vm, VM_RESTARTING);
		return;
	}
	request_stop(vm);
	vm_request_service(vm);
}

static void report(struct vcpu *vcpu)
{
	const struct vm_exit *exit = &vcpu->exit;
	u8 bytes[INSN_MAX] = {0};
	size_t n;

	vcpu_need(vcpu, STATE_ALL);
	n = fetch_insn(vcpu, bytes);
	log_error("  vCPU %u, last exit %s: code %lx info %lx %lx", vcpu->id,
		  exit_names[exit->reason], exit->code, exit->info1,
		  exit->info2);
	state_dump(&vcpu->state);
	log_error("  code at rip, %u bytes: %02x %02x %02x %02x %02x %02x %02x "
		  "%02x",
		  (unsigned)n, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
		  bytes[5], bytes[6], bytes[7]);
}

void vm_crash(struct vm *vm, const char *fmt, ...)
{
	char reason[sizeof(vm->reason)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	if (!change_life(vm, VM_RUNNING, VM_CRASHED)) {
		if (vm_stands_still(vm))
			copy_string(vm->reason, sizeof(vm->reason), reason);
		miss(vm, VM_CRASHED);
		return;
	}
	copy_string(vm->reason, sizeof(vm->reason), reason);
	vm_console_end(vm);
	log_error("%s: crashed: %s", vm->config.name, reason);
	vm_notice(vm, "crashed");
	for (unsigned i = 0; i < vm->vcpus; i++)
		if (vm->vcpu[i]->host_cpu == this_cpu()->id)
			report(vm->vcpu[i]);
	request_stop(vm);
}

/* --- work for the first CPU */

void vm_request_service(struct vm *vm)
{
	struct cpu *first = cpu_by_id(0);

	if (__atomic_exchange_n(&vm->wants_service, true, __ATOMIC_SEQ_CST))
		return;
	if (this_cpu() != first)
		cpu_kick(first);
	else
		sched_yield();
}

void vm_serve_unasked(struct vm *vm, u64 ns)
{
	if (cpu_count() == 1)
		vm->serve_by = rdtsc() + ns_to_tsc(ns);
}

static u64 restart_at(const struct vm *vm)
{
	return vm->started_ns + RESTART_NS;
}

static void restart(struct vm *vm)
{
	u64 restarts = vm->restarts + 1;

	log_info("%s: restarts (%lu)", vm->config.name, restarts);
	(void)vm_start(vm);
	vm->restarts = restarts;
}

u64 vm_wake(void)
{
	u64 now = now_ns(), first = ~0ULL;

	for (unsigned i = 0; i < vm_count; i++)
		if (vms[i]->life == VM_RESTARTING)
			first = MIN(first, MAX(restart_at(vms[i]), now));
	return first == ~0ULL ? first : rdtsc() + ns_to_tsc(first - now);
}

bool vm_serve(void)
{
	bool again = false;

	for (unsigned i = 0; i < vm_count; i++) {
		struct vm *vm = vms[i];

		if (vm->life == VM_RESTARTING && now_ns() >= restart_at(vm))
			restart(vm);
		if ((!vm->wants_service && !vm->serve_by) ||
		    vm_stands_still(vm))
			continue;
		if (vm->serve_by && rdtsc() >= vm->serve_by)
			vm->serve_by = 0;
		__atomic_store_n(&vm->wants_service, false, __ATOMIC_SEQ_CST);
		if (vm->vcpus && machine->serve(vm))
			vm->wants_service = again = true;
	}
	return again;
}
