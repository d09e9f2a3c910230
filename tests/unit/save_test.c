/*
 * A VM's state as bytes: all of a PC saved, restored, saved again; and whatever
 * may come in its place, which is refused with a reason.
 *
 *	links: kernel/vm/save.c kernel/vm/save_cpu.c
 *	links: kernel/vm/state_check.c kernel/vm/rules.c
 *	links: kernel/machine/pc.c kernel/machine/chipset.c
 *	links: kernel/machine/devices.c kernel/vm/stream.c
 *	links: kernel/machine/irq.c kernel/machine/pic.c
 *	links: kernel/machine/ioapic.c kernel/machine/pit.c
 *	links: kernel/machine/rtc.c kernel/machine/pm.c
 *	links: kernel/cpu/calendar.c kernel/machine/kvmclock.c
 *	links: kernel/machine/uart.c kernel/machine/ports.c
 *	links: kernel/machine/acpi_tables.c kernel/machine/aml.c
 *	links: kernel/machine/pci.c kernel/machine/pci_irq.c
 *	links: kernel/machine/virtio_pci.c kernel/machine/virtio_common.c
 *	links: kernel/machine/virtqueue.c kernel/machine/virtio_rng.c
 *	links: kernel/machine/virtio_console.c kernel/machine/dma.c
 *	links: kernel/machine/virtio_net.c kernel/net/offload.c
 *	links: kernel/net/switch.c
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/machine/load_parts.c kernel/machine/lapic.c
 *	links: kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c kernel/machine/lapic_ipi.c
 *	links: kernel/machine/lapic_timer.c kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/bus.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/features.h"
#include "cpu/regs.h"
#include "machine/chipset.h"
#include "machine/lapic.h"
#include "machine/pc.h"
#include "machine/pci.h"
#include "machine/uart.h"
#include "tests/unit/fake_vm.h"
#include "vm/machine.h"
#include "vm/move.h"
#include "vm/sched.h"

#define VCPUS	   2
#define MEMORY	   MIB(2)
#define STREAM_MAX 65536

/* --- the rest of the kernel */

const struct machine *machine = &pc_machine;
struct cpu_features features = {.xsave = true, .xcr0 = 7};
static struct model model = {
	.limits = {.cr4_allowed = ~0ULL,
		   .efer_allowed = ~0ULL,
		   .xcr0_allowed = 7,
		   .phys_bits = 40},
	.table = {{1, 2, 3, 4}, {5, 6, 7, 8}},
};

unsigned model_rows(const struct model *m)
{
	return 2;
}

u32 model_leaf(const struct model *m, unsigned row)
{
	return row;
}

err_t sched_add(struct vcpu *vcpu, int cpu)
{
	return E_OK;
}

err_t vm_build_around_memory(struct vm *vm)
{
	vm->model = &model;
	for (vm->vcpus = 0; vm->vcpus < MIN(vm->config.cpus, VCPUS);) {
		struct vcpu *vcpu = vm->vcpu[vm->vcpus++];

		vcpu->requests = 0;
		state_reset(&vcpu->state, 0x12345);
	}
	return machine->create(vm);
}

void vm_take_apart(struct vm *vm)
{
	machine->destroy(vm);
	vm->vcpus = 0;
}

/* --- a VM, and another in which its state arrives */

static struct vm *from, *to;
static u8 state[STREAM_MAX], again[STREAM_MAX];
static size_t used;
static char why[160];

static struct vm *fresh(void)
{
	struct vm *vm = fake_vm(VCPUS, MEMORY);

	vm->config.net = true;
	vm->config.mtu = 1500;
	vm->config.console = CONSOLE_VIRTIO;
	CHECK_EQ(vm_build_around_memory(vm), E_OK);
	return vm;
}

static void out(unsigned port, unsigned size, u64 value)
{
	bus_write(&from->ports, from->vcpu[0], port, size, value);
}

/* Something in every corner. */
static void stir(void)
{
	struct vcpu_state *s = &from->vcpu[1]->state;

	out(UART_PORT + 7, 1, 0x5a);
	out(0x43, 1, 0x34);
	out(0x40, 1, 0x12);
	out(0x40, 1, 0x34);
	out(0x70, 1, 0x0b);
	out(0x71, 1, 0x42);
	out(0xcf8, 4, 0x80000804);
	from->vcpu[1]->lapic->svr = 0x1ff;
	vlapic_raise(from->vcpu[1], 0x51, false);
	from->vcpu[0]->lapic->expires = fake_tsc + 12345678;
	from->vcpu[0]->lapic->initial = 99999;
	s->gpr[RAX] = 0x1122334455667788;
	s->xsave[600] = 7;
	s->pending = (struct event){.kind = EVENT_EXCEPTION,
				    .vector = 14,
				    .has_error = 1,
				    .error = 6};
	from->vcpu[1]->sipi_vector = 0x9a;
	vcpu_request(from->vcpu[1], REQUEST_SIPI);
	memcpy(from->console.in + VM_CONSOLE_SIZE - 2, "ty", 2);
	memcpy(from->console.in, "ped", 3);
	from->console.in_tail = VM_CONSOLE_SIZE - 2;
	from->console.in_head = VM_CONSOLE_SIZE + 3;
}

static void freeze(struct vm *vm)
{
	vm->life = VM_MOVING;
	vm->frozen_tsc = fake_tsc;
	vm->frozen_ns = vm_ns_at(vm, fake_tsc);
	vm->tsc_rate_khz = tsc_khz;
	for (unsigned i = 0; i < vm->vcpus; i++)
		vm->vcpu[i]->state.tsc = fake_tsc + vm->vcpu[i]->tsc_offset;
	machine->freeze(vm);
}

static void start(void)
{
	tsc_khz = FAKE_TSC_HZ / 1000;
	from = fresh();
	from->tsc_base = fake_tsc;
	fake_tsc += 987654321;
	stir();
	freeze(from);
	used = vm_save(from, state, sizeof(state));
	CHECK(used);
	to = fresh();
	vm_take_apart(to);
	to->life = VM_ARRIVING;
}

static void finish(void)
{
	vm_take_apart(from);
	vm_take_apart(to);
	from->vcpus = to->vcpus = VCPUS;
	fake_vm_free(from);
	fake_vm_free(to);
}

static err_t restore(size_t size)
{
	why[0] = '\0';
	return vm_restore(to, state, size, why, sizeof(why));
}

static void refused(const char *reason)
{
	CHECK(restore(used) != E_OK);
	CHECK_STR(why, reason);
	CHECK_EQ(to->vcpus, 0);
}

/* Where the stream holds these bytes. */
static u8 *find(const void *bytes, size_t n)
{
	size_t at = 0;

	while (at + n <= used && memcmp(state + at, bytes, n))
		at++;
	CHECK(at + n <= used);
	return state + at;
}

/* The bytes after the name of a record, its own head first. */
static u8 *record(const char *name)
{
	return find(name, strlen(name) + 1) + 32;
}

/* --- there and back */

TEST(saved_again_it_is_the_same)
{
	start();
	CHECK_EQ(restore(used), E_OK);
	CHECK_STR(why, "");
	CHECK_EQ(vm_save(to, again, sizeof(again)), used);
	CHECK_MEM(again, state, used);
	CHECK(used <= vm_save_room(to));
	finish();
}

TEST(nothing_is_lost)
{
	start();
	CHECK_EQ(restore(used), E_OK);
	CHECK_STR(state_difference(&from->vcpu[1]->state, &to->vcpu[1]->state)
			  ? "different"
			  : "equal",
		  "equal");
	CHECK(to->vcpu[1]->requests & REQUEST_SIPI);
	CHECK_EQ(to->vcpu[1]->sipi_vector, 0x9a);
	CHECK_EQ(to->uart->scr, 0x5a);
	CHECK_EQ(to->chipset->pit.channel[0].count, 0x3412);
	CHECK_EQ(to->pci->address, 0x80000804);
	CHECK_EQ(to->vcpu[1]->lapic->irr[1], BIT(0x51 - 64));
	CHECK_EQ(to->console.in_head, 5);
	CHECK_MEM(to->console.in, "typed", 5);
	finish();
}

TEST(too_little_room)
{
	start();
	for (size_t room = 0; room < used; room += 7) {
		again[room] = 0xa5;
		CHECK_EQ(vm_save(from, again, room), 0);
		CHECK_EQ(again[room], 0xa5);
	}
	finish();
}

/* As vm_run() does it. */
static void go_on(void)
{
	to->tsc_base = fake_tsc;
	to->ns_base = to->frozen_ns;
	for (unsigned i = 0; i < to->vcpus; i++)
		to->vcpu[i]->tsc_offset = to->vcpu[i]->state.tsc - fake_tsc;
	machine->go_on(to);
}

/* Clocks go on from where they stood, at whatever the host's TSC stands. */
TEST(clocks_go_on)
{
	u64 ns, left;

	start();
	ns = machine_ns(from);
	CHECK_EQ(restore(used), E_OK);
	fake_tsc = 1000; /* a host that was just switched on */
	go_on();
	CHECK_EQ(machine_ns(to), ns);
	CHECK_EQ(vcpu_tsc(to->vcpu[0]), to->vcpu[0]->state.tsc);
	left = to->vcpu[0]->lapic->expires - fake_tsc;
	CHECK(left <= 12345678 + 3 && left >= 12345678 - 3);
	CHECK_EQ(machine->irq_pending(to->vcpu[1]), 0x51);
	finish();
}

/* What the guest makes of its kvmclock page at its TSC. */
static u64 guest_ns(const struct vm *vm, u64 at, u64 tsc)
{
	struct {
		u32 version, pad;
		u64 tsc, ns;
		u32 multiplier;
		int8_t shift;
		u8 flags[3];
	} page;
	u64 ticks;

	CHECK_EQ(guest_read(&vm->memory, at, &page, sizeof(page)), E_OK);
	CHECK(tsc >= page.tsc);
	ticks = tsc - page.tsc;
	ticks = page.shift < 0 ? ticks >> -page.shift : ticks << page.shift;
	return page.ns +
	       (u64)((unsigned __int128)ticks * page.multiplier >> 32);
}

/* A host whose TSC runs faster: no step, and the true rate from then on. */
TEST(kvmclock_goes_on_at_another_rate)
{
	const u64 page = 0x1000;
	u64 before, tsc;

	start();
	from->config.cpu_model = MODEL_BASELINE;
	CHECK_EQ(machine->wrmsr(from->vcpu[0], KVM_SYSTEM_TIME_NEW, page | 1),
		 E_OK);
	fake_tsc += 13000000007;
	freeze(from);
	before = guest_ns(from, page, from->vcpu[0]->state.tsc);
	used = vm_save(from, state, sizeof(state));
	tsc_khz = 3100000;
	CHECK_EQ(restore(used), E_OK);
	go_on();
	tsc = to->vcpu[0]->state.tsc;
	CHECK_EQ(vcpu_tsc(to->vcpu[0]), tsc);
	CHECK_EQ(guest_ns(to, page, tsc), before);
	CHECK_EQ((guest_ns(to, page, tsc + 3100000000) - before + 5) / 10,
		 NS_PER_S / 10);
	finish();
}

/* --- refused */

TEST(another_rate_without_kvmclock)
{
	start();
	tsc_khz = 3100000;
	refused("clock 0: the TSC runs at 2600000 kHz there, 3100000 here, "
		"and cpu-model = host has timers that go by it");
	finish();
}

TEST(cut_off_anywhere)
{
	start();
	for (size_t n = 0; n < used; n++) {
		CHECK(restore(n) != E_OK);
		CHECK(why[0]);
	}
	finish();
}

TEST(more_than_there_is)
{
	start();
	used++;
	refused("1 bytes after the last record");
	finish();
}

TEST(another_name)
{
	start();
	strcpy(to->config.name, "other");
	refused("vm 0: name: it is not other");
	finish();
}

/* A name by which it is known here, for this state alone. */
TEST(another_name_that_was_announced)
{
	start();
	strcpy(to->came_as, from->config.name);
	strcpy(to->config.name, "other");
	CHECK_EQ(restore(used), E_OK);
	CHECK_STR(to->config.name, "other");
	CHECK_STR(to->came_as, "");
	finish();
	start();
	strcpy(to->came_as, "third");
	refused("vm 0: name: it is not third");
	finish();
}

TEST(a_value_too_large)
{
	start();
	from->uart->rx_count = 200;
	used = vm_save(from, state, sizeof(state));
	refused("uart 0: rx_count: 200 is more than 16");
	from->uart->rx_count = 0;
	from->chipset->pit.channel[1].count = 0;
	used = vm_save(from, state, sizeof(state));
	refused("pit 0: 1.count: 0");
	finish();
}

TEST(another_device_in_a_slot)
{
	start();
	from->pci->slot[1]->config[0] = 0xdeadbeef;
	used = vm_save(from, state, sizeof(state));
	refused("pci 1: config 00: deadbeef, not 10441af4");
	finish();
}

TEST(a_record_of_the_future)
{
	start();
	record("uart")[-32 + 18] = 2;
	refused("uart 0: version 2: this host knows 1");
	finish();
}

TEST(an_unknown_record)
{
	start();
	memcpy(record("uart") - 32, "tape\0", 5);
	refused("uart 0: tape 0 in its place");
	finish();
}

TEST(an_unknown_field)
{
	start();
	record("uart")[0] = 77;
	refused("uart 0: ier: field 77 in its place");
	finish();
}

TEST(wrong_count)
{
	start();
	record("uart")[4] = 9;
	refused("uart 0: ier: 9 elements of 1 bytes, not 1 of 1");
	finish();
}

TEST(a_processor_in_no_state)
{
	start();
	from->vcpu[0]->state.cr0 = CR0_PG;
	used = vm_save(from, state, sizeof(state));
	refused("vcpu 0: CR0 80000000: PG without PE");
	finish();
}

TEST(registers_that_would_fault_here)
{
	start();
	from->vcpu[0]->state.xsave[26] = 1;
	used = vm_save(from, state, sizeof(state));
	refused("vcpu 0: xsave: MXCSR 11f80");
	from->vcpu[0]->state.xsave[26] = 0;
	from->vcpu[0]->state.xsave[513] = 2;
	used = vm_save(from, state, sizeof(state));
	refused("vcpu 0: xsave: components 203, this host has 7");
	from->vcpu[0]->state.xsave[513] = 0;
	from->vcpu[0]->state.tsc_aux = BIT(40);
	used = vm_save(from, state, sizeof(state));
	refused("vcpu 0: tsc_aux: 1099511627776 is more than 4294967295");
	finish();
}

/* Its CPUID goes with it: also what it says of exits. */
TEST(counters_come_along)
{
	start();
	from->config.counters = true;
	used = vm_save(from, state, sizeof(state));
	to->config.counters = false;
	CHECK_EQ(restore(used), E_OK);
	CHECK(to->config.counters);
	finish();
}

TEST(another_cpu_model)
{
	start();
	model.table[1].ecx = 99;
	refused("cpu model 0: leaf 0x1 ECX: 0x7 there, 0x63 here");
	model.table[1].ecx = 7;
	finish();
}

/* --- noise: nothing gets through that does harm */

/* What the guest and time do to the devices that came of it. */
static void use(u64 *seed)
{
	to->life = VM_RUNNING;
	go_on();
	for (unsigned i = 0; i < to->vcpus; i++) {
		int vector = machine->irq_pending(to->vcpu[i]);

		machine->poll(to->vcpu[i], fake_tsc);
		if (vector >= 0)
			machine->irq_taken(to->vcpu[i], vector);
	}
	machine->serve(to);
	for (unsigned i = 0; i < 20; i++) {
		u64 port = fake_random(seed) % 0x1000;

		bus_read(&to->ports, to->vcpu[0], port, 1);
		bus_write(&to->ports, to->vcpu[0], port, 1, i);
	}
	to->life = VM_ARRIVING;
	vm_take_apart(to);
}

static void mutate(u64 *seed)
{
	for (unsigned n = fake_random(seed) % 4 + 1; n--;) {
		u8 *at = state + fake_random(seed) % used;
		u64 r = fake_random(seed);

		*at = r & 1 ? r >> 8 : *at ^ BIT((r >> 8) % 8);
	}
}

TEST(random_changes)
{
	static u8 good[STREAM_MAX];
	u64 seed = 0x5a7e;
	unsigned accepted = 0;

	start();
	memcpy(good, state, used);
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(state, good, used);
		mutate(&seed);
		if (restore(used) == E_OK) {
			accepted++;
			use(&seed);
		} else {
			CHECK(why[0]);
			CHECK_EQ(to->vcpus, 0);
		}
	}
	CHECK(accepted > 100); /* most values are a guest's own affair */
	finish();
}
