/*
 * What a PC has beside its processors: interrupt lines through both kinds of
 * controller, the timers and their rates, the clock, and the tables that tell
 * of them. Nothing here goes by how long something takes.
 */
#include "chipset.h"

#define VEC_PIC	  0x40 /* to 0x4f */
#define VEC_TIMER 0x50
#define VEC_UART  0x51
#define VEC_RTC	  0x52

#define UART_IER   (PORT_UART + 1)
#define UART_IIR   (PORT_UART + 2)
#define UART_MCR   (PORT_UART + 4)
#define IER_THRE   0x02
#define MCR_OUT2   0x08
#define IIR_THRE   0x02
#define PIT_PERIOD 2386 /* 2 ms */

static volatile unsigned fired;

static bool from_pic(struct trap_frame *frame)
{
	fired++;
	outb(PIC_COMMAND, PIC_EOI);
	return true;
}

static bool from_apic(struct trap_frame *frame)
{
	fired++;
	apic_eoi();
	return true;
}

static bool from_rtc(struct trap_frame *frame)
{
	fired++;
	(void)cmos_read(0x0c);
	apic_eoi();
	return true;
}

/* A level comes again until it is served: here at the third time. */
static bool from_level(struct trap_frame *frame)
{
	if (++fired == 3)
		(void)inb(UART_IIR);
	apic_eoi();
	return true;
}

static void set_up(void)
{
	apic_start();
	pic_start(VEC_PIC, 0);
	trap_hooks[VEC_PIC] = from_pic;
	trap_hooks[VEC_TIMER] = from_apic;
	trap_hooks[VEC_UART] = from_apic;
	trap_hooks[VEC_RTC] = from_rtc;
	fired = 0;
	sti();
}

static void tear_down(void)
{
	cli();
	pit_start(0, 0, 0);
	outb(UART_IER, 0);
	outb(UART_MCR, 0);
	for (unsigned pin = 0; pin < 24; pin++)
		ioapic_route(pin, IOAPIC_MASKED);
	pic_start(VEC_PIC, 0);
	(void)cmos_read(0x0c);
}

/* Long enough for several periods. */
static void look_on(void)
{
	for (u64 end = rdtsc() + LONG_TIME / 50; rdtsc() < end;)
		cpu_relax();
}

static void test_pit_pic(void)
{
	set_up();
	apic_write(APIC_LINT0, 7u << 8);
	pic_start(VEC_PIC, 1);
	pit_start(0, 2, PIT_PERIOD);
	expect(wait_for(fired >= 5), "fired %u times", fired);
	outb(PIC_DATA, 0xff);
	cpuid(0, 0);
	fired = 0;
	look_on();
	expect(!fired, "fired %u times though masked", fired);
	outb(PIC_DATA, 0xfe);
	expect(wait_for(fired >= 2), "unmasked: fired %u times", fired);
	apic_write(APIC_LINT0, APIC_MASKED);
	tear_down();
}

/* Without a local APIC the PIC has the processor to itself. */
static void test_pit_no_apic(void)
{
	set_up();
	wrmsr(MSR_APIC_BASE,
	      rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
	pic_start(VEC_PIC, 1);
	pit_start(0, 3, PIT_PERIOD);
	expect(wait_for(fired >= 5), "fired %u times", fired);
	cli();
	outb(PIC_DATA, 0xff);
	apic_start();
	tear_down();
}

static void test_pit_ioapic(void)
{
	set_up();
	ioapic_route(PIN_TIMER, VEC_TIMER);
	pit_start(0, 2, PIT_PERIOD);
	expect(wait_for(fired >= 5), "fired %u times", fired);
	ioapic_route(PIN_TIMER, VEC_TIMER | IOAPIC_MASKED);
	fired = 0;
	look_on();
	expect(!fired, "fired %u times though masked", fired);
	tear_down();
}

static void test_pit_one_shot(void)
{
	set_up();
	ioapic_route(PIN_TIMER, VEC_TIMER);
	pit_start(0, 0, PIT_PERIOD);
	expect(wait_for(fired), "mode 0: it never fired");
	look_on();
	expect(fired == 1, "mode 0: fired %u times", fired);
	pit_start(0, 4, PIT_PERIOD);
	expect(wait_for(fired == 2), "mode 4: it never fired");
	look_on();
	expect(fired == 2, "mode 4: fired %u times", fired - 1);
	tear_down();
}

/* By this kernels measure their clocks: OUT rises when the count is over. */
static void test_pit_gate(void)
{
	u8 gate = inb(PORT_GATE) & 0x0c;
	u16 count;

	outb(PORT_GATE, gate);
	pit_start(2, 0, 0xffff);
	expect(!(inb(PORT_GATE) & GATE_OUT), "OUT is high at the start");
	count = pit_count(2);
	look_on();
	expect(pit_count(2) == count, "it counts without its gate: %u to %u",
	       count, pit_count(2));
	outb(PORT_GATE, gate | GATE_ON);
	expect(wait_for(pit_count(2) != count), "it does not count");
	expect(wait_for(inb(PORT_GATE) & GATE_OUT), "OUT does not rise");
	outb(PORT_GATE, gate);
}

static void test_level(void)
{
	set_up();
	trap_hooks[VEC_UART] = from_level;
	outb(UART_MCR, MCR_OUT2);
	ioapic_route(PIN_UART, VEC_UART | IOAPIC_LEVEL);
	outb(UART_IER, IER_THRE);
	expect(wait_for(fired >= 3), "came %u times", fired);
	look_on();
	expect(fired == 3, "came %u times", fired);
	expect(!(ioapic_entry(PIN_UART) & IOAPIC_REMOTE), "not ended");
	/* It waits behind a mask, for an edge would be lost. */
	cli();
	ioapic_route(PIN_UART, VEC_UART | IOAPIC_LEVEL | IOAPIC_MASKED);
	outb(UART_IER, 0);
	outb(UART_IER, IER_THRE);
	fired = 2;
	ioapic_route(PIN_UART, VEC_UART | IOAPIC_LEVEL);
	sti();
	expect(wait_for(fired == 3), "unmasked: it never came");
	tear_down();
}

static void test_uart_edge(void)
{
	set_up();
	outb(UART_MCR, MCR_OUT2);
	ioapic_route(PIN_UART, VEC_UART);
	outb(UART_IER, IER_THRE);
	expect(wait_for(fired == 1), "empty transmitter: fired %u times",
	       fired);
	expect((inb(UART_IIR) & 0x0f) == IIR_THRE, "IIR is not the cause");
	expect(inb(UART_IIR) & 1, "reading IIR does not end it");
	look_on();
	expect(fired == 1, "one edge, %u interrupts", fired);
	/* The second one while the first one's cause still stands. */
	for (unsigned i = 2; i < 4; i++) {
		outb(PORT_UART, '\n');
		expect(wait_for(fired == i), "byte %u: fired %u times", i - 1,
		       fired);
	}
	tear_down();
}

static void test_rtc_periodic(void)
{
	u8 b = cmos_read(0x0b);

	set_up();
	(void)cmos_read(0x0c);
	ioapic_route(PIN_RTC, VEC_RTC);
	cmos_write(0x0a, 0x26); /* 1024 Hz */
	cmos_write(0x0b, b | 0x40);
	expect(wait_for(fired >= 10), "fired %u times", fired);
	cli(); /* from_rtc() sets the index too */
	cmos_write(0x0b, b);
	(void)cmos_read(0x0c);
	sti();
	look_on(); /* one may have been on its way */
	fired = 0;
	look_on();
	expect(!fired, "fired %u times though off", fired);
	tear_down();
}

static void test_rtc_time(void)
{
	u8 b = cmos_read(0x0b), second;

	expect(cmos_read(0x0d) == 0x80, "the battery is said to be empty");
	cmos_write(0x0b, b | 0x80);
	second = cmos_read(0);
	look_on();
	expect(cmos_read(0) == second, "it goes on while it is set");
	cmos_write(0, 0x58);
	cmos_write(0x0b, b);
	expect(cmos_read(0) == 0x58 || cmos_read(0) == 0x59, "set to 58, is %x",
	       cmos_read(0));
	expect(cmos_read(0x32) >= 0x20, "century %x", cmos_read(0x32));
}

/*
 * The ACPI timer has three ticks in one of the PIT's. Each reading of the PIT
 * lies between two of the ACPI timer, so the bounds are exact however long we
 * may have been kept from running.
 */
static void test_pm_timer(void)
{
	const u8 *fadt = acpi_table("FACP");
	u32 before[2], after[2], least, most, ticks;
	u16 count[2], port;

	if (!fadt)
		skip("no FADT");
	port = GET(u32, fadt, FADT_PM_TIMER);
	outb(PORT_GATE, (inb(PORT_GATE) & 0x0c) | GATE_ON);
	for (unsigned tries = 0; tries < 50; tries++) {
		pit_start(2, 0, 0xffff);
		for (unsigned i = 0; i < 2; i++) {
			before[i] = inl(port);
			count[i] = pit_count(2);
			after[i] = inl(port);
			for (u32 from = inl(port);
			     !i && inl(port) - from < 60000;)
				cpu_relax();
		}
		if (after[1] - before[0] < 3 * 60000) /* has not run out */
			break;
	}
	ticks = (u16)(count[0] - count[1]);
	least = before[1] - after[0];
	most = after[1] - before[0];
	expect(3 * ticks + 6 >= least && 3 * ticks <= most + 6,
	       "%u ticks of the PIT are %u to %u", ticks, least, most);
	outb(PORT_GATE, inb(PORT_GATE) & 0x0c);
}

static void test_acpi(void)
{
	const u8 *fadt = acpi_table("FACP"), *madt = acpi_table("APIC"), *dsdt;
	bool me = false, ioapic = false;

	expect(fadt, "no FADT, or its checksum is wrong");
	expect(madt, "no MADT, or its checksum is wrong");
	if (!fadt || !madt)
		return;
	dsdt = (const u8 *)(word)GET(u32, fadt, FADT_DSDT);
	expect(!memcmp(dsdt, "DSDT", 4) && !byte_sum(dsdt, GET(u32, dsdt, 4)),
	       "no DSDT, or its checksum is wrong");
	expect(acpi_off_type() >= 0, "the DSDT has no \\_S5");
	apic_start();
	for (u32 i = MADT_ENTRIES; i < GET(u32, madt, 4) && madt[i + 1];
	     i += madt[i + 1]) {
		if (madt[i] == 0 && madt[i + 3] == apic_id())
			me = true;
		if (madt[i] == 1 && GET(u32, madt, i + 4) == IOAPIC_BASE)
			ioapic = true;
	}
	expect(me, "this processor is not in the MADT");
	expect(ioapic, "the I/O APIC is not in the MADT");
}

static const struct test tests[] = {
	TEST("chipset.pit-pic", test_pit_pic),
	TEST("chipset.pit-no-apic", test_pit_no_apic),
	TEST("chipset.pit-ioapic", test_pit_ioapic),
	TEST("chipset.pit-one-shot", test_pit_one_shot),
	TEST("chipset.pit-gate", test_pit_gate),
	TEST("chipset.level", test_level),
	TEST("chipset.uart-edge", test_uart_edge),
	TEST("chipset.rtc-periodic", test_rtc_periodic),
	TEST("chipset.rtc-time", test_rtc_time),
	TEST("chipset.pm-timer", test_pm_timer),
	TEST("chipset.acpi", test_acpi),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
