/*
 * Interrupts by the local APIC, the only device that sends any: order and
 * masking, the one instruction after STI, HLT, NMI, and that none is lost or
 * comes twice. `apic=x` on the command line takes xAPIC mode also where there
 * is x2APIC.
 */
#include "apic.h"

#define VEC_LOW	  0x41
#define VEC_LOW_2 0x42 /* the same priority class */
#define VEC_HIGH  0x81

/* Which came, in which order, and where. */
static volatile u8 order[16];
static volatile unsigned orders;
static volatile u64 last_rip;

static void note_irq(struct trap_frame *frame)
{
	if (orders < ARRAY_LEN(order))
		order[orders] = frame->vector;
	orders++;
	last_rip = frame->rip;
}

static bool noted(struct trap_frame *frame)
{
	note_irq(frame);
	return irq_counted(frame);
}

static void set_up(void)
{
	apic_start();
	memset((void *)irq_count, 0, sizeof(irq_count));
	orders = 0;
	trap_hooks[VEC_LOW] = trap_hooks[VEC_LOW_2] = noted;
	trap_hooks[VEC_HIGH] = noted;
}

/* A few instructions with interrupts on, exits among them. */
static void window(void)
{
	sti();
	cpuid(0, 0);
	outb(PORT_NONE, 0);
	cli();
}

static void test_self_ipi(void)
{
	set_up();
	apic_self(VEC_LOW);
	expect(!orders, "taken with IF=0");
	expect(apic_read(APIC_IRR + 0x20) & 2, "not in IRR: %x",
	       apic_read(APIC_IRR + 0x20));
	window();
	expect(irq_count[VEC_LOW] == 1, "taken %u times", irq_count[VEC_LOW]);
	expect(!(apic_read(APIC_IRR + 0x20) & 2), "still in IRR");
	expect(!(apic_read(APIC_ISR + 0x20) & 2), "still in ISR after EOI");
}

static void test_self_ipi_msr(void)
{
	set_up();
	if (!apic_x2)
		skip("xAPIC mode");
	apic_write(APIC_SELF, VEC_LOW);
	window();
	expect(irq_count[VEC_LOW] == 1, "taken %u times", irq_count[VEC_LOW]);
}

/* To its own APIC id, physically and logically. */
static void test_ipi_addressed(void)
{
	set_up();
	apic_send(apic_id(), VEC_LOW | ICR_ASSERT);
	window();
	expect(irq_count[VEC_LOW] == 1, "by id: %u", irq_count[VEC_LOW]);
	if (!apic_x2) {
		apic_write(APIC_LDR, 0x04000000);
		apic_send(4, VEC_HIGH | ICR_ASSERT | BIT(11));
	} else {
		apic_send(apic_read(APIC_LDR), VEC_HIGH | ICR_ASSERT | BIT(11));
	}
	window();
	expect(irq_count[VEC_HIGH] == 1, "logically: %u", irq_count[VEC_HIGH]);
	apic_send(apic_id() + 5, VEC_LOW | ICR_ASSERT);
	window();
	expect(irq_count[VEC_LOW] == 1, "took one for another CPU");
}

static void test_order(void)
{
	set_up();
	apic_self(VEC_LOW);
	apic_self(VEC_HIGH);
	apic_self(VEC_LOW_2);
	window();
	expect(orders == 3 && order[0] == VEC_HIGH && order[1] == VEC_LOW_2 &&
		       order[2] == VEC_LOW,
	       "%u came: %x %x %x", orders, order[0], order[1], order[2]);
}

/* A vector that is pending already is pending once. */
static void test_merge(void)
{
	set_up();
	for (unsigned i = 0; i < 5; i++)
		apic_self(VEC_LOW);
	window();
	expect(irq_count[VEC_LOW] == 1, "taken %u times", irq_count[VEC_LOW]);
}

static void test_tpr(void)
{
	set_up();
	apic_write(APIC_TPR, 0x40);
	expect(apic_read(APIC_PPR) == 0x40, "PPR %x", apic_read(APIC_PPR));
	apic_self(VEC_LOW);
	apic_self(VEC_HIGH);
	window();
	expect(orders == 1 && order[0] == VEC_HIGH, "%u came, first %x", orders,
	       order[0]);
	apic_write(APIC_TPR, 0x3f);
	window();
	expect(orders == 2 && order[1] == VEC_LOW, "after TPR: %u came",
	       orders);
}

/* With IF=1 the interrupt comes at the write that lets it through. */
static void test_cr8(void)
{
	set_up();
	write_cr8(15);
	apic_self(VEC_HIGH);
	apic_self(VEC_LOW);
	sti();
	cpuid(0, 0);
	expect(!orders, "taken in spite of CR8=15");
	write_cr8(4);
	cpuid(0, 0);
	expect(orders == 1 && order[0] == VEC_HIGH, "CR8=4: %u came", orders);
	write_cr8(0);
	cpuid(0, 0);
	expect(orders == 2 && order[1] == VEC_LOW, "CR8=0: %u came", orders);
	cli();
}

/* In the handler of LOW: HIGH comes at once, LOW_2 only after the EOI. */
static bool nesting(struct trap_frame *frame)
{
	note_irq(frame);
	apic_self(VEC_HIGH);
	apic_self(VEC_LOW_2);
	window();
	expect(orders == 2 && order[1] == VEC_HIGH,
	       "in the handler: %u came, last %x", orders, order[1]);
	expect(apic_read(APIC_PPR) == 0x40, "PPR %x in the handler",
	       apic_read(APIC_PPR));
	apic_eoi();
	window();
	expect(orders == 3 && order[2] == VEC_LOW_2, "after EOI: %u came",
	       orders);
	return true;
}

static void test_nesting(void)
{
	set_up();
	trap_hooks[VEC_LOW] = nesting;
	apic_self(VEC_LOW);
	window();
	expect(orders == 3, "%u came", orders);
}

/* --- the shadow of STI --- */

static void test_sti_shadow(void)
{
	u64 after = 0;

	set_up();
	apic_self(VEC_LOW);
	asm volatile("sti\n\tnop\n1:\tcli\n\tlea 1b(%%rip), %0"
		     : "=r"(after)::"memory");
	expect(orders == 1, "%u came", orders);
	expect(last_rip == after, "at %lx, not %lx", last_rip, after);
}

static void test_sti_cli(void)
{
	set_up();
	apic_self(VEC_LOW);
	for (unsigned i = 0; i < 10; i++)
		asm volatile("sti\n\tcli" ::: "memory");
	expect(!orders, "one came between STI and CLI");
	window();
	expect(orders == 1, "it was lost");
}

/* An exit under the shadow ends it: the next boundary takes the interrupt. */
static void test_sti_exit(void)
{
	u64 after = 0;

	set_up();
	apic_self(VEC_LOW);
	asm volatile("sti\n\tcpuid\n1:\tcli\n\tlea 1b(%%rip), %0"
		     : "=r"(after)
		     : "a"(0), "c"(0)
		     : "rbx", "rdx", "memory");
	expect(orders == 1, "%u came", orders);
	expect(last_rip == after, "at %lx, not %lx", last_rip, after);
}

/* --- HLT --- */

static void test_hlt_pending(void)
{
	u64 after = 0;

	set_up();
	for (unsigned i = 1; i <= 100 && !test_failed(); i++) {
		apic_self(VEC_LOW);
		asm volatile("sti\n\thlt\n1:\tcli\n\tlea 1b(%%rip), %0"
			     : "=r"(after)::"memory");
		expect(orders == i, "%u came, not %u", orders, i);
	}
	expect(last_rip == after, "at %lx, not behind HLT at %lx", last_rip,
	       after);
}

static void test_hlt_timer(void)
{
	set_up();
	apic_write(APIC_TIMER, VEC_LOW);
	for (unsigned i = 1; i <= 10; i++) {
		apic_write(APIC_INITIAL, 200000);
		while (irq_count[VEC_LOW] < i) {
			sti_hlt();
			cli();
		}
	}
	expect(irq_count[VEC_LOW] == 10, "%u came", irq_count[VEC_LOW]);
}

/* --- NMI --- */

static volatile unsigned nmis, nmi_depth, nmi_deepest, nmi_more;

static bool take_nmi(struct trap_frame *frame)
{
	nmis++;
	nmi_depth++;
	nmi_deepest = MAX(nmi_deepest, nmi_depth);
	if (nmi_more) {
		nmi_more--;
		apic_self(ICR_NMI);
		cpuid(0, 0);
		outb(PORT_NONE, 0);
	}
	nmi_depth--;
	return true;
}

static void set_up_nmi(unsigned more)
{
	set_up();
	trap_hooks[EXC_NMI] = take_nmi;
	nmis = nmi_depth = nmi_deepest = 0;
	nmi_more = more;
}

static void test_nmi(void)
{
	set_up_nmi(0);
	apic_self(ICR_NMI); /* IF is 0 */
	expect(wait_for(nmis), "none came");
	cpuid(0, 0);
	expect(nmis == 1, "%u came", nmis);
}

/* Until IRET the next one waits, exits in between or not. */
static void test_nmi_blocked(void)
{
	set_up_nmi(3);
	apic_self(ICR_NMI);
	expect(wait_for(nmis == 4), "%u of 4 came", nmis);
	cpuid(0, 0);
	expect(nmis == 4, "%u came, not 4", nmis);
	expect(nmi_deepest == 1, "%u at a time", nmi_deepest);
}

static void test_nmi_and_irq(void)
{
	set_up_nmi(0);
	for (unsigned i = 1; i <= 50 && !test_failed(); i++) {
		apic_self(VEC_LOW);
		apic_self(ICR_NMI);
		window();
		expect(wait_for(nmis == i && irq_count[VEC_LOW] == i),
		       "round %u: %u NMIs, %u interrupts", i, nmis,
		       irq_count[VEC_LOW]);
	}
}

/* --- none lost, none twice --- */

#define STORM 3000u

static void test_storm(void)
{
	set_up();
	trap_hooks[VEC_LOW] = trap_hooks[VEC_HIGH] = irq_counted;
	sti();
	for (unsigned i = 1; i <= STORM; i++) {
		apic_self(VEC_LOW);
		if (!wait_for(irq_count[VEC_LOW] == i))
			break;
		if (i % 3 == 0)
			apic_self(VEC_HIGH);
	}
	cpuid(0, 0);
	cli();
	expect(irq_count[VEC_LOW] == STORM && irq_count[VEC_HIGH] == STORM / 3,
	       "%u and %u of %u and %u", irq_count[VEC_LOW],
	       irq_count[VEC_HIGH], STORM, STORM / 3);
}

/*
 * A handler that does not exit and keeps IF=0 is alone, however long it takes
 * and whatever goes on in the host meanwhile.
 */
static volatile unsigned depth, deepest;

static bool linger(struct trap_frame *frame)
{
	u64 end = rdtsc() + LONG_TIME / 200;

	depth++;
	deepest = MAX(deepest, depth);
	while (depth == 1 && rdtsc() < end) {
	}
	depth--;
	return irq_counted(frame);
}

static void test_alone(void)
{
	set_up();
	trap_hooks[VEC_LOW] = linger;
	depth = deepest = 0;
	sti();
	for (unsigned i = 1; i <= 100 && !test_failed(); i++) {
		apic_self(VEC_LOW);
		expect(wait_for(irq_count[VEC_LOW] >= i), "%u never came", i);
		expect(deepest == 1 && irq_count[VEC_LOW] == i,
		       "round %u: %u came, %u deep", i, irq_count[VEC_LOW],
		       deepest);
	}
	cli();
}

/* In user mode they arrive as well, and leave it as it was. */
static void user_loop(void)
{
	(void)wait_for(irq_count[VEC_LOW] >= 5);
}

static void test_user(void)
{
	set_up();
	user_flags = 2 | FLAG_IF;
	apic_write(APIC_TIMER, VEC_LOW | APIC_PERIODIC);
	apic_write(APIC_INITIAL, 300000);
	user_call(user_loop);
	cli();
	apic_write(APIC_INITIAL, 0);
	expect(irq_count[VEC_LOW] >= 5, "%u came", irq_count[VEC_LOW]);
}

/* A string instruction is interrupted and goes on where it was. The period is a
 * few times what an interrupt takes under emulation: else nothing else gets on.
 */
#define PERIOD 500000

static u8 source[200000], target[200000];

static void test_string(void)
{
	set_up();
	for (unsigned i = 0; i < sizeof(source); i++)
		source[i] = i * 7 + (i >> 8);
	apic_write(APIC_TIMER, VEC_LOW | APIC_PERIODIC);
	apic_write(APIC_INITIAL, PERIOD);
	sti();
	for (unsigned round = 0; round < 10 || (irq_count[VEC_LOW] < 3 &&
						round < 500 && !test_failed());
	     round++) {
		const u8 *from = source;
		u8 *to = target;
		u64 n = sizeof(source);

		memset(target, 0, sizeof(target));
		asm volatile("rep movsb"
			     : "+S"(from), "+D"(to), "+c"(n)::"memory");
		expect(!n && to == target + sizeof(target), "stopped %lu early",
		       n);
		expect(memcmp(source, target, sizeof(source)) == 0,
		       "copy %u is wrong", round);
	}
	cli();
	apic_write(APIC_INITIAL, 0);
	expect(irq_count[VEC_LOW] > 2, "only %u interrupts",
	       irq_count[VEC_LOW]);
}

static const struct test tests[] = {
	TEST("interrupt.self-ipi", test_self_ipi),
	TEST("interrupt.self-ipi-msr", test_self_ipi_msr),
	TEST("interrupt.ipi-addressed", test_ipi_addressed),
	TEST("interrupt.order", test_order),
	TEST("interrupt.merge", test_merge),
	TEST("interrupt.tpr", test_tpr),
	TEST("interrupt.cr8", test_cr8),
	TEST("interrupt.nesting", test_nesting),
	TEST("interrupt.sti-shadow", test_sti_shadow),
	TEST("interrupt.sti-cli", test_sti_cli),
	TEST("interrupt.sti-exit", test_sti_exit),
	TEST("interrupt.hlt-pending", test_hlt_pending),
	TEST("interrupt.hlt-timer", test_hlt_timer),
	TEST("interrupt.nmi", test_nmi),
	TEST("interrupt.nmi-blocked", test_nmi_blocked),
	TEST("interrupt.nmi-and-irq", test_nmi_and_irq),
	TEST("interrupt.storm", test_storm),
	TEST("interrupt.alone", test_alone),
	TEST("interrupt.user", test_user),
	TEST("interrupt.string", test_string),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
