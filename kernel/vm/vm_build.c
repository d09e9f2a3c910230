/* What a VM is made of, made and unmade: memory, tables, vCPUs, devices. */
#include "cpu/features.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "mm/heap.h"
#include "mm/pages.h"
#include "vm/dirty.h"
#include "vm/machine.h"
#include "vm/model.h"
#include "vm/sched.h"
#include "vm/vm.h"

static void free_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		vm->vcpu[i]->engine->vcpu_destroy(vm->vcpu[i]);
		kfree(vm->vcpu[i]);
		vm->vcpu[i] = NULL;
	}
	vm->vcpus = 0;
}

void vm_take_apart(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		sched_remove(vm->vcpu[i]);
	machine->destroy(vm);
	free_vcpus(vm);
	dirty_release(vm);
	slpt_free(&vm->slpt);
}

void (*vm_on_release)(struct vm *vm);

void vm_release(struct vm *vm)
{
	if (vm_on_release)
		vm_on_release(vm);
	vm_take_apart(vm);
	guest_memory_free(&vm->memory);
}

static err_t make_vcpu(struct vm *vm)
{
	struct vcpu *vcpu = kzalloc(sizeof(*vcpu));
	err_t err;

	if (!vcpu)
		return E_NOMEM;
	vcpu->vm = vm;
	vcpu->id = vm->vcpus;
	vcpu->engine = engine;
	vcpu->taken = -1;
	vcpu->code.page = ~0ULL;
	vcpu->parked = true;
	vcpu->timer_deadline = ~0ULL;
	vcpu->tsc_offset = -vm->tsc_base;
	vcpu->valid = vcpu->dirty = STATE_ALL;
	state_reset(&vcpu->state, features.signature);
	if (vcpu->id)
		vcpu->state.activity = ACTIVITY_WAIT_SIPI;
	err = engine->vcpu_create(vcpu);
	if (err) {
		kfree(vcpu);
		return err;
	}
	vm->vcpu[vm->vcpus++] = vcpu;
	return E_OK;
}

/* RAM from gpa on, as far as host memory goes on without a break. */
static u64 unbroken(const struct guest_memory *mem, u64 gpa, u64 *hpa)
{
	u64 run = 0, left = 0;
	const u8 *at = guest_ram(mem, gpa, &left);

	*hpa = at ? virt_to_phys(at) : 0;
	while (at && virt_to_phys(at) == *hpa + run) {
		run += left;
		at = guest_ram(mem, gpa + run, &left);
	}
	return run;
}

err_t vm_populate(struct vm *vm)
{
	static const u64 starts[] = {0, RAM_HOLE_END};
	u64 hpa, run;

	for (unsigned i = 0; i < ARRAY_LEN(starts); i++)
		for (u64 gpa = starts[i];
		     (run = unbroken(&vm->memory, gpa, &hpa)); gpa += run) {
			err_t err = slpt_map(&vm->slpt, gpa, hpa, run, SLPT_RWX,
					     GIB(1));

			if (err)
				return err;
		}
	return E_OK;
}

err_t vm_map_chunk(struct vm *vm, u64 gpa)
{
	u64 start = gpa & ~(CHUNK_SIZE - 1), left = 0;
	const u8 *at = guest_ram(&vm->memory, start, &left);

	return slpt_map(&vm->slpt, start, virt_to_phys(at), left,
			dirty_rights(vm), CHUNK_SIZE);
}

static err_t check_state(struct vm *vm)
{
	char why[128];
	err_t err;

	for (unsigned i = 0; i < vm->vcpus; i++) {
		err = state_check(&vm->vcpu[i]->state, &vm->model->limits, why,
				  sizeof(why));
		if (err) {
			log_error("%s: start state of vCPU %u: %s",
				  vm->config.name, i, why);
			return err;
		}
	}
	return E_OK;
}

/*
 * Every leaf leads to this VM's own memory and nowhere else: above all not to
 * the hypervisor's.
 */
static bool assert_own_memory(void *context, const struct slpt_leaf *leaf)
{
	const struct vm *vm = context;
	u64 left = 0;

	for (u64 done = 0; done < leaf->size; done += left) {
		const u8 *ram = guest_ram(&vm->memory, leaf->gpa + done, &left);

		if (!ram || virt_to_phys(ram) != leaf->hpa + done)
			panic("VM %s: GPA %lx leads to HPA %lx, not its own",
			      vm->config.name, leaf->gpa + done,
			      leaf->hpa + done);
	}
	return true;
}

static err_t build_cpus(struct vm *vm)
{
	err_t err = slpt_init(&vm->slpt, engine->format());

	if (!err && vm->config.populate)
		err = vm_populate(vm);
	for (unsigned i = 0; !err && i < vm->config.cpus; i++)
		err = make_vcpu(vm);
	return err;
}

err_t vm_build_bare(struct vm *vm)
{
	err_t err = model_choose(vm);

	if (!err)
		err = guest_memory_init(&vm->memory, vm->config.memory);
	return err ? err : build_cpus(vm);
}

err_t vm_build_around_memory(struct vm *vm)
{
	err_t err = model_choose(vm);

	if (!err)
		err = build_cpus(vm);
	return err ? err : machine->create(vm);
}

err_t vm_build(struct vm *vm)
{
	err_t err = vm_build_bare(vm);

	if (!err)
		err = machine->create(vm);
	if (!err)
		err = machine->load(vm);
	if (err)
		return err;
	slpt_walk(&vm->slpt, assert_own_memory, vm);
	return check_state(vm);
}
