/*
 * From a line or a message to a local APIC: the I/O APIC's pins, levels that
 * hold until they are ended, destinations, and the PIC's way to the first
 * processor.
 *
 *	links: kernel/machine/irq.c kernel/machine/ioapic.c kernel/machine/pic.c
 *	links: kernel/machine/lapic.c kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c
 *	links: kernel/machine/lapic_ipi.c kernel/machine/lapic_timer.c
 *	links: kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/vm/bus.c kernel/files.c kernel/lib/string.c
 *	links: tests/unit/fake_vm.c
 */
#include <stdlib.h>

#include "machine/chipset.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "tests/unit/fake_lapic.h"

#define MASKED BIT(16)
#define LEVEL  BIT(15)
#define REMOTE BIT(14)

static void set_up(unsigned vcpus)
{
	start(vcpus);
	vm->chipset = calloc(1, sizeof(*vm->chipset));
	CHECK_EQ(irq_create(vm), E_OK);
	vlapic_virtual_wire(vm->vcpu[0]);
	cpu = vm->vcpu[0];
}

static void tear_down(void)
{
	free(vm->chipset);
	finish();
}

static void window(u8 reg, u32 value)
{
	bus_write(&vm->mmio, cpu, IOAPIC_ADDRESS, 4, reg);
	bus_write(&vm->mmio, cpu, IOAPIC_ADDRESS + 0x10, 4, value);
}

static u32 window_read(u8 reg)
{
	bus_write(&vm->mmio, cpu, IOAPIC_ADDRESS, 4, reg);
	return bus_read(&vm->mmio, cpu, IOAPIC_ADDRESS + 0x10, 4);
}

static void program(unsigned pin, u32 low, u8 destination)
{
	window(0x11 + 2 * pin, (u32)destination << 24);
	window(0x10 + 2 * pin, low);
}

static void end(void)
{
	put(APIC_EOI, 0);
}

static void pulse(unsigned gsi)
{
	irq_line(vm, gsi, true);
	irq_line(vm, gsi, false);
}

TEST(ioapic_registers)
{
	set_up(1);
	CHECK_EQ(window_read(1), 0x170020);
	window(0, 0x0f000000);
	CHECK_EQ(window_read(0), 0x0f000000);
	CHECK_EQ(window_read(0x10), MASKED);
	program(23, 0xffffffff, 0xab);
	CHECK_EQ(window_read(0x3e), 0x1afff); /* two bits are its own */
	CHECK_EQ(window_read(0x3f), 0xab000000);
	CHECK_EQ(window_read(0x40), 0);
	window(0x40, 0x1234);
	CHECK_EQ(bus_read(&vm->mmio, cpu, IOAPIC_ADDRESS + 0x20, 4), 0);
	tear_down();
}

TEST(edge_comes_once_and_not_while_masked)
{
	set_up(1);
	pulse(5);
	program(5, 0x51, 0);
	CHECK_EQ(irq_pending(cpu), -1); /* not kept */
	pulse(5);
	CHECK_EQ(irq_pending(cpu), 0x51);
	irq_taken(cpu, 0x51);
	irq_line(vm, 5, true);
	irq_line(vm, 5, true);
	end();
	CHECK_EQ(irq_pending(cpu), 0x51);
	irq_taken(cpu, 0x51);
	end();
	CHECK_EQ(irq_pending(cpu), -1);
	tear_down();
}

TEST(level_holds_until_it_is_ended)
{
	set_up(1);
	program(17, 0x61 | LEVEL, 0);
	irq_line(vm, 17, true);
	CHECK_EQ(irq_pending(cpu), 0x61);
	CHECK(window_read(0x10 + 2 * 17) & REMOTE);
	irq_taken(cpu, 0x61);
	irq_line(vm, 17, false);
	irq_line(vm, 17, true);
	CHECK_EQ(irq_pending(cpu), -1); /* not again before the end */
	end();
	CHECK_EQ(irq_pending(cpu), 0x61); /* still high: again */
	irq_taken(cpu, 0x61);
	irq_line(vm, 17, false);
	end();
	CHECK_EQ(irq_pending(cpu), -1);
	CHECK(!(window_read(0x10 + 2 * 17) & REMOTE));
	tear_down();
}

TEST(level_waits_behind_its_mask)
{
	set_up(1);
	irq_line(vm, 20, true);
	program(20, 0x71 | LEVEL | MASKED, 0);
	CHECK_EQ(irq_pending(cpu), -1);
	program(20, 0x71 | LEVEL, 0);
	CHECK_EQ(irq_pending(cpu), 0x71);
	tear_down();
}

/* With its only receiver off it waits, rather than for an end forever. */
TEST(level_waits_for_someone_to_take_it)
{
	set_up(1);
	put(APIC_SVR, 0xff);
	program(17, 0x61 | LEVEL, 0);
	irq_line(vm, 17, true);
	CHECK_EQ(irq_pending(cpu), -1);
	CHECK(!(window_read(0x10 + 2 * 17) & REMOTE));
	put(APIC_SVR, 0x1ff);
	irq_line(vm, 17, false);
	irq_line(vm, 17, true);
	CHECK_EQ(irq_pending(cpu), 0x61);
	CHECK(window_read(0x10 + 2 * 17) & REMOTE);
	tear_down();
}

TEST(ended_at_the_ioapic_itself)
{
	set_up(1);
	program(18, 0x62 | LEVEL, 0);
	irq_line(vm, 18, true);
	irq_line(vm, 18, false);
	bus_write(&vm->mmio, cpu, IOAPIC_ADDRESS + 0x40, 4, 0x62);
	CHECK(!(window_read(0x10 + 2 * 18) & REMOTE));
	tear_down();
}

TEST(the_timer_arrives_at_pin_2)
{
	set_up(1);
	program(2, 0x40, 0);
	pulse(GSI_TIMER);
	CHECK_EQ(irq_pending(cpu), 0x40);
	tear_down();
}

TEST(destinations)
{
	set_up(3);
	program(10, 0x52, 2);
	pulse(10);
	CHECK_EQ(vlapic_pending(vm->vcpu[2]), 0x52);
	CHECK_EQ(vlapic_pending(vm->vcpu[1]), -1);
	program(11, 0x53, 0xff);
	pulse(11);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(vlapic_pending(vm->vcpu[i]), 0x53);
	cpu = vm->vcpu[1];
	put(APIC_LDR, 0x02000000);
	irq_message(vm, 0xfee02000 | BIT(2), 0x54);
	CHECK_EQ(vlapic_pending(vm->vcpu[1]), 0x54);
	CHECK_EQ(vlapic_pending(vm->vcpu[0]), 0x53);
	tear_down();
}

TEST(lowest_priority_goes_to_the_idle_one)
{
	set_up(2);
	cpu = vm->vcpu[0];
	put(APIC_TPR, 0x80);
	irq_message(vm, 0xfeeff000, 0x155);
	CHECK_EQ(vlapic_pending(vm->vcpu[1]), 0x55);
	CHECK_EQ(vlapic_pending(vm->vcpu[0]), -1);
	tear_down();
}

TEST(messages_elsewhere_are_nobody_s)
{
	set_up(1);
	irq_message(vm, 0xfed00000, 0x60);
	irq_message(vm, 0x1fee00000, 0x60);
	irq_message(vm, 0, 0x60);
	CHECK_EQ(vlapic_pending(cpu), -1);
	irq_message(vm, 0xfee00000, 0x400);
	CHECK(fake_requests(cpu) & REQUEST_NMI);
	tear_down();
}

static void set_pic_up(void)
{
	static const struct {
		u16 port;
		u8 value;
	} words[] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 4},    {0x21, 1},
		     {0x21, 0},	   {0xa0, 0x11}, {0xa1, 0x38}, {0xa1, 2},
		     {0xa1, 1},	   {0xa1, 0}};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		bus_write(&vm->ports, cpu, words[i].port, 1, words[i].value);
}

TEST(the_pic_goes_by_virtual_wire)
{
	set_up(2);
	set_pic_up();
	fake_requests(cpu);
	pulse(3);
	CHECK(fake_requests(cpu) & REQUEST_INTERRUPT);
	CHECK_EQ(irq_pending(cpu), 0x33);
	CHECK_EQ(irq_pending(vm->vcpu[1]), -1);
	irq_taken(cpu, 0x33);
	CHECK_EQ(vlapic_pending(cpu), -1);
	CHECK_EQ(irq_pending(cpu), -1);
	bus_write(&vm->ports, cpu, 0x20, 1, 0x20);
	pulse(8);
	CHECK_EQ(irq_pending(cpu), 0x38);
	put(APIC_LVT + LVT_LINT0, LVT_MASKED | DELIVER_EXTINT << 8);
	CHECK_EQ(irq_pending(cpu), -1);
	put(APIC_LVT + LVT_LINT0, DELIVER_EXTINT << 8);
	CHECK_EQ(irq_pending(cpu), 0x38);
	tear_down();
}

TEST(without_an_apic_the_pic_is_all_there_is)
{
	set_up(1);
	set_pic_up();
	set_base(cpu, ALL_OFF);
	pulse(1);
	CHECK_EQ(irq_pending(cpu), 0x31);
	tear_down();
}

/* Both at once: the PIC's is taken from the PIC, the APIC's stays. */
TEST(taken_from_where_it_was_offered)
{
	set_up(1);
	set_pic_up();
	vlapic_raise(cpu, 0x33, false);
	pulse(3);
	CHECK_EQ(irq_pending(cpu), 0x33);
	irq_taken(cpu, 0x33);
	CHECK_EQ(get(APIC_IRR + 1), BIT(0x33 - 0x20));
	CHECK_EQ(irq_pending(cpu), 0x33);
	irq_taken(cpu, 0x33);
	CHECK_EQ(get(APIC_IRR + 1), 0);
	tear_down();
}
