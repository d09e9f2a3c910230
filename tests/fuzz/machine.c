#include "tests/fuzz/machine.h"

#include <string.h>

#include "machine/chipset.h"
#include "machine/irq.h"
#include "machine/lapic.h"
#include "machine/layout.h"
#include "machine/pc.h"
#include "machine/pci.h"
#include "net/switch.h"
#include "tests/unit/fake_driver.h"

#define MEMORY	   KIB(128)
#define RING_AT(q) (0x8000u + (q)*0x2000u)
#define QUEUE_SIZE 16
#define STEPS_MAX  400

/* --- bytes in, zeroes when there are no more */

static const uint8_t *next, *end;

static u64 take(unsigned bytes)
{
	u64 value = 0;

	for (unsigned i = 0; i < bytes && next < end; i++)
		value |= (u64)*next++ << (8 * i);
	return value;
}

static unsigned take_size(unsigned max)
{
	return 1u << take(1) % max;
}

/* --- the machine, and somebody else on its network */

static struct vm *vm;
static struct vcpu *cpu;
static struct driver devices[3]; /* where each is at first */

static bool deliver(struct net_port *port, const struct net_piece *piece,
		    unsigned count, u32 size)
{
	static u8 frame[70000];
	u32 n = 0;

	for (unsigned i = 0; i < count; n += piece[i++].size)
		memcpy(frame + n, piece[i].at, piece[i].size);
	return n == size;
}

static struct net_port outside = {.name = "outside", .deliver = deliver};

static void switch_on(void)
{
	static const u16 ids[] = {0x1041, 0x1043, 0x1044};

	if (!vm) {
		vm = fake_vm(2, MEMORY);
		cpu = vm->vcpu[0];
		vm->config.net = true;
		vm->config.console = CONSOLE_VIRTIO;
		switch_add(&outside);
	}
	fake_ended = false;
	fake_tsc = 1000000;
	vm->tsc_base = fake_tsc;
	guest_fill(&vm->memory, 0, 0, MEMORY);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		vm->vcpu[i]->requests = 0;
		vm->vcpu[i]->tsc_offset = 0;
	}
	fake_console_in = "typed";
	if (pc_machine.create(vm))
		__builtin_trap();
	/* Found once: each machine is as the first one was. */
	for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
		if (devices[i].slot)
			conf_write(vm, devices[i].slot, 4, 2, 6);
		else
			devices[i] = driver_find(vm, ids[i]);
}

/* --- what a guest may do */

static u16 some_port(void)
{
	static const u16 ports[] = {0x20,  0x21,  0xa0,	 0xa1,	0x40,  0x41,
				    0x42,  0x43,  0x61,	 0x70,	0x71,  0x3f8,
				    0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x4d0,
				    0x600, 0x602, 0x604, 0x608, 0xcf8, 0xcfc,
				    0xcfd, 0xcfe, 0xe9,	 0x64,	0xcf9, 0x3ff};
	u8 which = take(1);

	return which < ARRAY_LEN(ports) ? ports[which] : take(2);
}

static u64 some_address(void)
{
	switch (take(1) & 3) {
	case 0:
		return LAPIC_ADDRESS + take(2) % 0x1000;
	case 1:
		return IOAPIC_ADDRESS + take(1);
	default: /* BARs lie one after the other */
		return PCI_WINDOW + take(2) % 0x20000;
	}
}

static void port_io(bool write)
{
	u16 port = some_port();
	unsigned size = take_size(3);

	if (write)
		bus_write(&vm->ports, cpu, port, size, take(size));
	else
		bus_read(&vm->ports, cpu, port, size);
}

static void memory_io(bool write)
{
	u64 address = some_address();
	unsigned size = take_size(4);

	if (write)
		bus_write(&vm->mmio, cpu, address, size, take(size));
	else
		bus_read(&vm->mmio, cpu, address, size);
}

static void config_space(void)
{
	unsigned slot = take(1) % 5, offset = take(1), size = take_size(3);

	conf_write(vm, slot, offset & ~(size - 1), size, take(size));
}

static void write_memory(void)
{
	u64 at = take(2) * 2, value = take(8);

	guest_write(&vm->memory, at, &value, take_size(4));
}

/* As an honest driver begins; what follows need not be. */
static void set_up_device(void)
{
	struct driver *d = &devices[take(1) % ARRAY_LEN(devices)];

	driver_write(d, C_STATUS, 1, 0);
	driver_negotiate(d, (u64)take(1) | (u64)take(4) << 8);
	for (unsigned q = 0; q < 2; q++) {
		driver_write(d, C_SELECT, 2, q);
		driver_write(d, C_SIZE, 2, QUEUE_SIZE);
		driver_write(d, C_DESC, 4, RING_AT(q));
		driver_write(d, C_AVAIL, 4, RING_AT(q) + 0x800);
		driver_write(d, C_USED, 4, RING_AT(q) + 0x1000);
		driver_write(d, C_VECTOR, 2, take(1) & 3);
		driver_write(d, C_ENABLE, 2, 1);
	}
	driver_ok(d);
}

static void set_descriptor(void)
{
	unsigned queue = take(1) & 1, at = take(1) % QUEUE_SIZE;
	struct ring_desc desc = {.address = take(3), .size = take(2)};

	desc.flags = take(1) & 7;
	desc.next = take(1);
	guest_write(&vm->memory, RING_AT(queue) + at * sizeof(desc), &desc,
		    sizeof(desc));
}

/* A head into the available ring, its index on by a byte (mostly one). */
static void offer(void)
{
	unsigned queue = take(1) & 1;
	u64 ring = RING_AT(queue) + 0x800;
	u16 index, head = take(1), by = take(1);

	guest_read(&vm->memory, ring + 2, &index, 2);
	guest_write(&vm->memory, ring + 4 + index % QUEUE_SIZE * 2, &head, 2);
	index += by & 0xf0 ? 1 : by;
	guest_write(&vm->memory, ring + 2, &index, 2);
}

static void kick(void)
{
	struct driver *d = &devices[take(1) % ARRAY_LEN(devices)];

	driver_kick(d, take(1) & 1);
}

static void frame(void)
{
	static u8 bytes[9000];
	const struct net_piece piece = {bytes, take(2) % sizeof(bytes), 0};

	bytes[0] = take(1);
	switch_input(&outside, &piece, 1, piece.size);
	switch_flush();
}

static void msr(bool write)
{
	static const u32 msrs[] = {0x1b, 0x6e0, 0x800, 0x4b564d00, 0x11};
	u32 number = msrs[take(1) % ARRAY_LEN(msrs)] + (take(1) & 0x3f);
	u64 value = 0;

	if (write)
		pc_machine.wrmsr(cpu, number, take(8));
	else
		pc_machine.rdmsr(cpu, number, &value);
}

static void pass_time(void)
{
	fake_tsc += take(4) << (take(1) & 15);
	for (unsigned i = 0; i < vm->vcpus; i++)
		pc_machine.poll(vm->vcpu[i], fake_tsc);
}

/* As the run loop does it: an exit, what the guest has ended, what it takes. */
static void interrupts(void)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *vcpu = vm->vcpu[i];
		int vector;

		if (vcpu->eoi_lent)
			pc_machine.look_for_eoi(vcpu);
		vector = pc_machine.irq_pending(vcpu);
		if (vector >= 0)
			pc_machine.irq_taken(vcpu, vector);
		pc_machine.lend_eoi(vcpu, pc_machine.irq_pending(vcpu));
	}
}

static void step(void)
{
	switch (take(1) % 16) {
	case 0 ... 1:
		port_io(true);
		break;
	case 2:
		port_io(false);
		break;
	case 3 ... 4:
		memory_io(true);
		break;
	case 5:
		memory_io(false);
		break;
	case 6:
		config_space();
		break;
	case 7:
		write_memory();
		break;
	case 8:
		set_up_device();
		break;
	case 9:
		set_descriptor();
		break;
	case 10:
		offer();
		break;
	case 11:
		kick();
		pc_machine.serve(vm);
		break;
	case 12:
		frame();
		break;
	case 13:
		msr(take(1) & 1);
		break;
	case 14:
		pass_time();
		break;
	case 15:
		interrupts();
		pc_machine.typed(vm);
		pc_machine.serve(vm);
		break;
	}
}

void fuzz_machine(const uint8_t *data, size_t size)
{
	next = data;
	end = data + size;
	switch_on();
	for (unsigned i = 0; i < STEPS_MAX && next < end; i++)
		step();
	pc_machine.destroy(vm);
}
