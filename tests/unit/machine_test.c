/*
 * The guest's PC: its serial port register by register (PC16550D data sheet),
 * its single ports, and all of it put together.
 *
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

#include <string.h>

#include "machine/chipset.h"
#include "machine/layout.h"
#include "machine/pc.h"
#include "machine/ports.h"
#include "machine/uart.h"
#include "tests/unit/fake_vm.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct vm *vm;

static void start(void)
{
	vm = fake_vm(2, 0);
	CHECK_EQ(pc_machine.create(vm), E_OK);
}

static void finish(void)
{
	pc_machine.destroy(vm);
	fake_vm_free(vm);
}

static u64 in_size(unsigned port, unsigned size)
{
	return bus_read(&vm->ports, vm->vcpu[0], port, size);
}

static u8 in(unsigned reg)
{
	return in_size(UART_PORT + reg, 1);
}

static void out_size(unsigned port, unsigned size, u64 value)
{
	bus_write(&vm->ports, vm->vcpu[0], port, size, value);
}

static void out(unsigned reg, u8 value)
{
	out_size(UART_PORT + reg, 1, value);
}

static void check_output(const char *text)
{
	CHECK_EQ(fake_console_used, strlen(text));
	CHECK_MEM(fake_console_out, text, strlen(text));
}

/* --- the serial port --- */

TEST(uart_at_reset)
{
	start();
	CHECK_EQ(in(IER), 0);
	CHECK_EQ(in(IIR), 0x01);
	CHECK_EQ(in(LCR), 0);
	CHECK_EQ(in(MCR), 0);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(MSR), 0xb0);
	CHECK_EQ(in(SCR), 0);
	CHECK_EQ(in(DATA), 0);
	CHECK(!uart_irq_level(vm->uart));
	finish();
}

TEST(uart_plain_registers)
{
	start();
	for (unsigned i = 0; i < 256; i++) {
		out(SCR, i);
		CHECK_EQ(in(SCR), i);
		out(LCR, i);
		CHECK_EQ(in(LCR), i);
		out(LCR, 0);
		out(IER, i);
		CHECK_EQ(in(IER), i & 0x0f);
		out(MCR, i);
		CHECK_EQ(in(MCR), i & 0x1f);
		out(MCR, 0);
		out(LSR, i);
		out(MSR, i);
	}
	CHECK_EQ(in(LSR), 0x60);
	finish();
}

TEST(uart_divisor)
{
	start();
	out(LCR, 0x83);
	CHECK_EQ(in(DATA), 12);
	out(DATA, 1);
	out(IER, 2);
	CHECK_EQ(in(DATA), 1);
	CHECK_EQ(in(IER), 2);
	CHECK_EQ(in_size(UART_PORT, 2), 0x0201); /* as two bytes */
	out_size(UART_PORT, 2, 0x4321);
	CHECK_EQ(in(IER), 0x43);
	out(LCR, 0x03);
	CHECK_EQ(in(IER), 0); /* another register */
	check_output("");
	finish();
}

TEST(uart_sends)
{
	start();
	out(DATA, 'a');
	CHECK_EQ(in(LSR), 0x60);
	out(IIR, 0x07);
	out(DATA, 'b');
	out(DATA, '\n');
	check_output("ab\n");
	finish();
}

/* Without room for a FIFO's bytes the transmitter is not empty. */
TEST(uart_waits_for_the_console)
{
	start();
	out(MCR, 0x08);
	out(IER, 0x02);
	CHECK_EQ(in(IIR), 0x02);
	fake_console_room = UART_FIFO - 1;
	out(DATA, 'a');
	CHECK_EQ(in(LSR), 0x00);
	CHECK_EQ(in(IIR), 0x01);
	CHECK(!uart_irq_level(vm->uart));
	out(DATA, 'b'); /* written all the same: there is still room */
	CHECK(!vm->vcpu[0]->held);
	fake_console_room = 0;
	out(DATA, 'c');
	CHECK(vm->vcpu[0]->held);
	check_output("ab");
	out(SCR, 1); /* sends nothing, so it need not wait */
	out(MCR, 0x18);
	vm->vcpu[0]->held = false;
	out(DATA, 'l');
	CHECK(!vm->vcpu[0]->held);
	in(DATA);
	out(MCR, 0x08);
	fake_console_room = UART_FIFO;
	CHECK(uart_irq_level(vm->uart));
	CHECK_EQ(in(IIR), 0x02);
	CHECK_EQ(in(LSR), 0x60);
	finish();
}

TEST(debug_console_waits)
{
	start();
	fake_console_room = 1;
	out_size(PORT_DEBUG, 1, 'x');
	CHECK(vm->vcpu[0]->held);
	check_output("");
	fake_console_room = 2;
	out_size(PORT_DEBUG, 1, '\n');
	check_output("\r\n");
	finish();
}

TEST(uart_receives_one_by_one)
{
	start();
	fake_console_in = "xyz";
	CHECK_EQ(in(LSR), 0x61);
	CHECK_STR(fake_console_in, "yz"); /* no FIFO: the rest can wait */
	CHECK_EQ(in(DATA), 'x');
	CHECK_EQ(in(LSR), 0x61);
	CHECK_EQ(in(DATA), 'y');
	CHECK_EQ(in(DATA), 'z');
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(DATA), 0);
	finish();
}

TEST(uart_fifo)
{
	start();
	fake_console_in = "0123456789abcdefghij";
	out(IIR, 0x01);
	CHECK_EQ(in(IIR), 0xc1);
	CHECK_EQ(in(LSR), 0x61);
	CHECK_STR(fake_console_in, "ghij"); /* sixteen and no more */
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(in(DATA), "0123456789abcdefghij"[i]);
	CHECK_EQ(in(LSR), 0x60);
	/* Cleared when asked, and when FIFOs go on or off. */
	fake_console_in = "qq";
	in(LSR);
	out(IIR, 0x03);
	CHECK_EQ(in(LSR), 0x60);
	fake_console_in = "qq";
	in(LSR);
	out(IIR, 0x00);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(IIR), 0x01);
	finish();
}

TEST(uart_fifo_trigger_and_timeout)
{
	static const struct {
		u8 fcr;
		unsigned level;
	} cases[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};

	start();
	out(IER, 0x01);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		out(IIR, 0);
		out(IIR, cases[i].fcr);
		fake_console_in = "0123456789abcdef" + 16 - cases[i].level;
		CHECK_EQ(in(IIR), 0xc4);
		in(DATA);
		CHECK_EQ(in(IIR), cases[i].level == 1 ? 0xc1 : 0xcc);
	}
	finish();
}

TEST(uart_interrupts_by_priority)
{
	start();
	out(MCR, 0x18); /* loop, OUT2 */
	out(IER, 0x0f);
	out(DATA, '1');
	out(DATA, '2'); /* overrun: the register is overwritten */
	CHECK_EQ(in(IIR), 0x06);
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(LSR), 0x61); /* reading clears it */
	CHECK_EQ(in(IIR), 0x04);
	CHECK_EQ(in(DATA), '2');
	CHECK_EQ(in(IIR), 0x02);
	CHECK_EQ(in(IIR), 0x00); /* reading IIR has cleared THRE */
	CHECK_EQ(in(MSR), 0x83); /* CTS and DSR went as the loop closed */
	CHECK_EQ(in(IIR), 0x01);
	finish();
}

TEST(uart_transmitter_interrupt)
{
	start();
	out(MCR, 0x08);
	out(IER, 0x02); /* empty, so at once */
	CHECK(uart_irq_level(vm->uart));
	CHECK_EQ(in(IIR), 0x02);
	CHECK(!uart_irq_level(vm->uart));
	CHECK_EQ(in(IIR), 0x01);
	out(DATA, 'a');
	CHECK(uart_irq_level(vm->uart));
	out(MCR, 0x00); /* OUT2 lets it out */
	CHECK(!uart_irq_level(vm->uart));
	out(MCR, 0x08);
	out(IER, 0x00);
	CHECK(!uart_irq_level(vm->uart));
	out(IER, 0x02);
	CHECK_EQ(in(IIR), 0x02);
	out(IER, 0x02); /* no change, no new one */
	CHECK_EQ(in(IIR), 0x01);
	finish();
}

TEST(uart_receiver_interrupt)
{
	start();
	out(MCR, 0x08);
	out(IER, 0x01);
	CHECK(!uart_irq_level(vm->uart));
	fake_console_in = "k";
	CHECK(uart_irq_level(vm->uart));
	CHECK_EQ(in(IIR), 0x04);
	CHECK(uart_irq_level(vm->uart)); /* until it is read */
	CHECK_EQ(in(DATA), 'k');
	CHECK(!uart_irq_level(vm->uart));
	finish();
}

TEST(uart_loopback)
{
	static const struct {
		u8 mcr, lines;
	} cases[] = {{0x10, 0x00}, {0x11, 0x20}, {0x12, 0x10},
		     {0x14, 0x40}, {0x18, 0x80}, {0x1f, 0xf0}};

	start();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		out(MCR, cases[i].mcr);
		in(MSR);
		CHECK_EQ(in(MSR), cases[i].lines);
	}
	out(MCR, 0x10);
	CHECK_EQ(in(MSR), 0x0f); /* all four have changed, RI by ending */
	CHECK_EQ(in(MSR), 0x00);
	out(MCR, 0x14);
	CHECK_EQ(in(MSR), 0x40); /* RI beginning is no change */
	fake_console_in = "typed";
	out(DATA, 0xa5);
	CHECK_EQ(in(LSR), 0x61);
	CHECK_EQ(in(DATA), 0xa5);
	CHECK_EQ(in(LSR), 0x60); /* cut off from the line */
	check_output("");
	out(MCR, 0x00);
	CHECK_EQ(in(DATA), 't');
	finish();
}

TEST(uart_break_and_overrun_in_fifo)
{
	start();
	out(IIR, 0x01);
	out(MCR, 0x10);
	for (unsigned i = 0; i < 17; i++)
		out(DATA, i);
	CHECK_EQ(in(LSR), 0x63);
	for (unsigned i = 0; i < 16; i++)
		CHECK_EQ(in(DATA), i); /* the FIFO keeps what it has */
	CHECK_EQ(in(LSR), 0x60);
	out(LCR, 0x40);
	CHECK_EQ(in(LSR), 0xf1); /* BI, and an error in the FIFO */
	CHECK_EQ(in(DATA), 0);
	CHECK_EQ(in(LSR), 0x60);
	finish();
}

/* --- single ports --- */

TEST(debug_console)
{
	const struct bus_range *range;

	start();
	CHECK_EQ(in_size(PORT_DEBUG, 1), 0xe9);
	out_size(PORT_DEBUG, 1, 'h');
	range = bus_find(&vm->ports, PORT_DEBUG, 1);
	range->ops->write_bytes(range->device, vm->vcpu[0], (const u8 *)"ello",
				4);
	check_output("hello");
	finish();
}

TEST(end_port)
{
	start();
	out_size(PORT_END, 2, 3); /* not wholly there */
	CHECK(!fake_ended);
	out_size(PORT_END, 1, 0x7f);
	CHECK(fake_ended);
	CHECK_EQ(fake_status, 0x7f);
	CHECK_EQ(in_size(PORT_END, 1), 0xff);
	finish();
}

TEST(reset_ports)
{
	start();
	CHECK_EQ(in_size(PORT_KEYBOARD, 1), 0); /* ready for a command */
	out_size(PORT_KEYBOARD, 1, 0xd1);
	out_size(PORT_RESET, 1, 0x02);
	out_size(PORT_RESET, 2, 0x0606); /* not the reset's byte alone */
	out_size(PORT_RESET - 1, 4, 0x0606);
	CHECK(!fake_ended);
	out_size(PORT_KEYBOARD, 1, 0xfe);
	CHECK_EQ(fake_status, STATUS_RESET);
	fake_ended = false;
	fake_status = 0;
	out_size(PORT_RESET, 1, 0x06);
	CHECK(fake_ended);
	CHECK_EQ(fake_status, STATUS_RESET);
	CHECK_STR(fake_notice, "reset");
	CHECK(strstr(fake_log, "0xcf9"));
	finish();
}

TEST(panic_port)
{
	start();
	CHECK_EQ(in_size(PORT_PANIC, 1), 1);
	out_size(PORT_PANIC, 1, 0xfe);
	CHECK_STR(fake_notice, "");
	out_size(PORT_PANIC, 1, 0x01);
	CHECK_STR(fake_notice, "panicked");
	CHECK_STR(vm->reason, "its kernel panicked");
	CHECK(!fake_ended);
	finish();
}

TEST(all_other_ports_are_unclaimed)
{
	static const struct {
		u16 first, count;
	} claimed[] = {
		{PIC_MASTER, 2},       {PIT_PORT, 4},	   {PORT_GATE, 1},
		{PORT_KEYBOARD, 1},    {RTC_PORT, 2},	   {PIC_SLAVE, 2},
		{PORT_DEBUG, 1},       {PORT_END, 1},	   {UART_PORT, 8},
		{PIC_ELCR, 2},	       {PORT_PM_EVENT, 6}, {PORT_PM_TIMER, 4},
		{PORT_PCI_ADDRESS, 8}, {PORT_PANIC, 1},
	};

	start();
	for (unsigned port = 0; port < 0x10000; port++) {
		bool ours = false;

		for (unsigned i = 0; i < ARRAY_LEN(claimed); i++)
			ours |= port >= claimed[i].first &&
				port < claimed[i].first + claimed[i].count;
		CHECK_EQ(bus_find(&vm->ports, port, 1) != NULL, ours);
	}
	finish();
}

/* --- the machine --- */

TEST(pc_has_a_local_apic_for_each)
{
	start();
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(bus_read(&vm->mmio, vm->vcpu[i], 0xfee00020, 4),
			 i << 24);
	CHECK_EQ(bus_read(&vm->mmio, vm->vcpu[0], 0xfee01000, 4), 0xffffffff);
	CHECK_EQ(pc_machine.irq_pending(vm->vcpu[1]), -1);
	CHECK_EQ(pc_machine.poll(vm->vcpu[1], fake_tsc), ~0ULL);
	finish();
}

TEST(pc_can_be_made_again)
{
	start();
	pc_machine.destroy(vm);
	CHECK_EQ(vm->ports.count, 0);
	CHECK_EQ(vm->mmio.count, 0);
	CHECK_EQ(pc_machine.create(vm), E_OK);
	pc_machine.destroy(vm);
	finish(); /* once more does no harm */
}

TEST(pc_dump_shows_all)
{
	start();
	out(SCR, 0x5a);
	fake_log_lines = 0;
	pc_dump(vm);
	CHECK(fake_log_lines > 40);
	CHECK_STR(fake_log, "virtqueue 4: told 0000");
	finish();
}
