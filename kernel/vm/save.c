/*
 * All of a VM but its memory, to bytes and back: configuration, clock, vCPUs,
 * what was typed, devices; in this order, each by its table.
 */
#include "vm/save.h"

#include "cpu/time.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vm/machine.h"
#include "vm/move.h"
#include "vm/sched.h"

/* --- what a VM is: nothing of its files, which it has read */

struct saved_config {
	char name[VM_NAME_MAX];
	u64 memory;
	u32 cpus, cpu_model, console, net, mtu, on_reset;
	u8 mac[6];
	u8 counters;
};

#define CONFIG(member, n, max) \
	DEVICE_FIELD_MAX(struct saved_config, member, n, 1, max)

static const struct device_field config_fields[] = {
	CONFIG(name, VM_NAME_MAX, '~'),
	CONFIG(memory, 1, 0),
	CONFIG(cpus, 1, VM_VCPUS),
	CONFIG(cpu_model, 1, MODELS - 1),
	CONFIG(console, 1, CONSOLE_VIRTIO),
	CONFIG(net, 1, 1),
	CONFIG(mac, 6, 0),
	CONFIG(mtu, 1, UINT16_MAX),
	CONFIG(on_reset, 1, ON_RESET_END),
	DEVICE_FIELD_MAX(struct saved_config, counters, 1, 2, 1),
};

static bool check_config(const void *device, const struct vm *vm, char *why,
			 size_t size)
{
	const struct saved_config *c = device;
	const char *name = vm->came_as[0] ? vm->came_as : vm->config.name;

	if (c->name[VM_NAME_MAX - 1] || strcmp(c->name, name))
		snprintf(why, size, "name: it is not %s", name);
	else if (c->memory != vm->memory.size)
		snprintf(why, size, "memory: %lu bytes, and %lu are here",
			 c->memory, vm->memory.size);
	else if (!c->cpus)
		snprintf(why, size, "cpus: 0");
	else if (c->mac[0] & 1)
		snprintf(why, size, "mac: not one station's");
	else
		return true;
	return false;
}

static const struct device_description config_description = {
	"vm", 2, ARRAY_LEN(config_fields), config_fields, check_config};

static void save_config(struct stream_writer *w, const struct vm *vm)
{
	const struct vm_config *from = &vm->config;
	struct saved_config c = {
		.memory = from->memory,
		.cpus = from->cpus,
		.cpu_model = from->cpu_model,
		.console = from->console,
		.net = from->net,
		.mtu = from->mtu,
		.on_reset = from->on_reset,
		.counters = from->counters,
	};

	copy_string(c.name, sizeof(c.name), from->name);
	memcpy(c.mac, from->mac, sizeof(c.mac));
	stream_save(w, &config_description, 0, &c);
}

static err_t restore_config(struct stream_reader *r, struct vm *vm)
{
	struct vm_config *to = &vm->config;
	struct saved_config c = {0};
	err_t err = stream_load(r, &config_description, 0, &c, vm);

	if (err)
		return err;
	to->memory = c.memory;
	to->cpus = c.cpus;
	to->cpu_model = c.cpu_model;
	to->console = c.console;
	to->net = c.net;
	to->mtu = c.mtu;
	to->on_reset = c.on_reset;
	to->counters = c.counters;
	memcpy(to->mac, c.mac, sizeof(to->mac));
	vm->came_as[0] = '\0';
	return E_OK;
}

/* --- its clock */

struct saved_clock {
	u64 ns;	     /* since it was switched on */
	u64 tsc_khz; /* the rate of its TSC until now */
};

static const struct device_field clock_fields[] = {
	DEVICE_FIELD(struct saved_clock, ns, 1, 1),
	DEVICE_FIELD(struct saved_clock, tsc_khz, 1, 1),
};

static const struct device_description clock_description = {
	"clock", 1, ARRAY_LEN(clock_fields), clock_fields, NULL};

static void save_clock(struct stream_writer *w, const struct vm *vm)
{
	const struct saved_clock clock = {vm->frozen_ns, vm->tsc_rate_khz};

	stream_save(w, &clock_description, 0, &clock);
}

/* A hundred years are enough, and leave room for deadlines to be added. */
#define CLOCK_MAX (NS_PER_S * 100 * 366 * 86400)

/* By more than two measurements of the same one differ. */
static bool rate_differs(u64 khz)
{
	u64 apart = khz > tsc_khz ? khz - tsc_khz : tsc_khz - khz;

	return apart > tsc_khz / 100;
}

static err_t restore_clock(struct stream_reader *r, struct vm *vm)
{
	struct saved_clock clock = {0};
	err_t err = stream_load(r, &clock_description, 0, &clock, vm);

	if (err)
		return err;
	if (clock.ns > CLOCK_MAX)
		return stream_wrong(r, "clock 0: ns: %lu", clock.ns);
	if (vm->config.cpu_model == MODEL_HOST && rate_differs(clock.tsc_khz))
		return stream_wrong(r,
				    "clock 0: the TSC runs at %lu kHz there, "
				    "%lu here, and cpu-model = host has "
				    "timers that go by it",
				    clock.tsc_khz, tsc_khz);
	vm->frozen_ns = clock.ns;
	vm->tsc_rate_khz = clock.tsc_khz;
	return E_OK;
}

/* --- what was typed for it and has not been read */

struct saved_input {
	u32 count;
	char typed[VM_CONSOLE_SIZE];
};

static const struct device_field input_fields[] = {
	DEVICE_FIELD_MAX(struct saved_input, count, 1, 1, VM_CONSOLE_SIZE),
	DEVICE_FIELD(struct saved_input, typed, VM_CONSOLE_SIZE, 1),
};

static const struct device_description input_description = {
	"console input", 1, ARRAY_LEN(input_fields), input_fields, NULL};

static struct saved_input input; /* the first CPU's */

static void save_input(struct stream_writer *w, const struct vm *vm)
{
	const struct vm_console *con = &vm->console;

	memset(input.typed, 0, sizeof(input.typed));
	input.count = 0;
	for (u32 at = con->in_tail; at != con->in_head; at++)
		input.typed[input.count++] = con->in[at % VM_CONSOLE_SIZE];
	stream_save(w, &input_description, 0, &input);
}

static err_t restore_input(struct stream_reader *r, struct vm *vm)
{
	struct vm_console *con = &vm->console;
	err_t err = stream_load(r, &input_description, 0, &input, vm);

	if (err)
		return err;
	memcpy(con->in, input.typed, sizeof(con->in));
	con->in_tail = 0;
	con->in_head = input.count;
	return E_OK;
}

/* --- all of it */

static void save(struct stream_writer *w, struct vm *vm)
{
	stream_begin(w);
	save_config(w, vm);
	save_clock(w, vm);
	save_cpus(w, vm);
	save_input(w, vm);
	machine->save(w, vm);
}

size_t vm_save(struct vm *vm, u8 *to, size_t room)
{
	struct stream_writer w = {.at = to, .room = room};

	save(&w, vm);
	return w.used <= room ? w.used : 0;
}

size_t vm_save_room(const struct vm *vm)
{
	struct stream_writer w = {.whole = true};

	save(&w, (struct vm *)vm);
	return w.used;
}

static err_t restore(struct stream_reader *r, struct vm *vm)
{
	err_t err = stream_open(r);

	if (!err)
		err = restore_config(r, vm);
	if (!err)
		err = restore_clock(r, vm);
	if (err)
		return err;
	err = vm_build_around_memory(vm);
	if (err) {
		(void)stream_wrong(r, "it cannot be built here: %s",
				   err_text(err));
		return err;
	}
	err = restore_cpus(r, vm);
	if (!err)
		err = restore_input(r, vm);
	if (!err)
		err = machine->restore(r, vm);
	return err ? err : stream_close(r);
}

/* Where they will run; they wait for vm_run(). */
static err_t place_cpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		err_t err = sched_add(vm->vcpu[i], vm->config.host_cpu);

		if (err)
			return err;
	}
	return E_OK;
}

err_t vm_restore(struct vm *vm, const u8 *state, size_t size, char *why,
		 size_t why_size)
{
	struct stream_reader r = {
		.at = state, .size = size, .why = why, .why_size = why_size};
	err_t err;

	if (vm->life != VM_ARRIVING || vm->vcpus)
		return E_STATE;
	why[0] = '\0';
	err = restore(&r, vm);
	if (!err) {
		err = place_cpus(vm);
		if (err)
			(void)stream_wrong(&r, "no host CPU has room for it");
	}
	if (!err)
		return E_OK;
	log_warn("%s: its state is refused: %s", vm->config.name, why);
	vm_take_apart(vm);
	return err;
}
