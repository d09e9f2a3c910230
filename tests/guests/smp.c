/*
 * The second CPU of a VM with two: started by INIT and SIPI from real mode up,
 * then both count one number, send each other interrupts, and shoot down each
 * other's translations.
 */
#include "eoi.h"
#include "pages.h"
#include "smp.h"
#include "traps.h"

#define VEC_CALL 0x60
#define ROUNDS	 20000u

extern const u8 ap_trampoline[], ap_trampoline_end[];

volatile u32 ap_alive;
static volatile u32 phase, shared;
static volatile unsigned calls[2];
static void (*volatile ap_work)(void);

static bool take_call(struct trap_frame *frame)
{
	calls[apic_id() != 0]++;
	apic_eoi();
	return true;
}

/* The second CPU's life: waits for work, with interrupts on. */
void ap_main(void)
{
	idt_load();
	apic_start_as(apic_x2);
	ap_alive = 1;
	for (u32 seen = 0;; seen++) {
		while (phase == seen)
			asm volatile("sti\n\tnop\n\tpause" ::: "memory");
		ap_work();
		ap_alive = phase + 1;
	}
}

static void start_work(void (*work)(void))
{
	ap_work = work;
	phase++;
}

static bool work_done(void)
{
	return wait_for(ap_alive == phase + 1);
}

static void need_ap(void)
{
	if (!ap_alive)
		skip("there is no second CPU");
}

/* SDM volume 3, 8.4.4.1. */
static void test_start(void)
{
	apic_start();
	if ((cpuid(1, 0).ebx >> 16 & 0xff) < 2)
		skip("one CPU");
	memcpy((void *)AP_PAGE, ap_trampoline,
	       ap_trampoline_end - ap_trampoline);
	apic_send(1, ICR_INIT | ICR_ASSERT);
	for (u64 end = rdtsc() + LONG_TIME / 50; rdtsc() < end;)
		cpu_relax();
	apic_send(1, ICR_STARTUP | ICR_ASSERT | AP_PAGE >> 12);
	if (!wait_for(ap_alive))
		apic_send(1, ICR_STARTUP | ICR_ASSERT | AP_PAGE >> 12);
	expect(wait_for(ap_alive), "it does not start");
}

static void count_up(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		asm volatile("lock incl %0" : "+m"(shared));
		if (i % 100 == 0)
			cpuid(0, 0);
	}
}

static void test_atomic(void)
{
	need_ap();
	shared = 0;
	start_work(count_up);
	count_up();
	expect(work_done(), "the other did not finish");
	expect(shared == 2 * ROUNDS, "%u, not %u", shared, 2 * ROUNDS);
}

static void nothing(void)
{
}

static void test_ipi(void)
{
	need_ap();
	trap_hooks[VEC_CALL] = take_call;
	calls[0] = calls[1] = 0;
	for (unsigned i = 1; i <= 200 && !test_failed(); i++) {
		apic_send(1, VEC_CALL | ICR_ASSERT);
		expect(wait_for(calls[1] == i), "IPI %u: %u came", i, calls[1]);
	}
	apic_send(0, VEC_CALL | ICR_ASSERT | ICR_TO_OTHERS);
	expect(wait_for(calls[1] == 201), "to all others: %u came", calls[1]);
	expect(!calls[0], "%u came to the sender", calls[0]);
}

static void send_back(void)
{
	for (unsigned i = 0; i < 50; i++) {
		apic_send(0, VEC_CALL | ICR_ASSERT);
		for (u64 end = rdtsc() + LONG_TIME / 20000; rdtsc() < end;)
			cpu_relax();
	}
}

/*
 * While the first is being handled, without an exit, the same comes from the
 * other CPU: it is one more, also where its end was lent.
 */
static volatile u32 eoi_word, handled, sent;

static bool take_slowly(struct trap_frame *frame)
{
	calls[0]++;
	end_by_word(&eoi_word);
	if (calls[0] % 2) {
		handled = calls[0];
		(void)wait_for(sent == handled);
	}
	return true;
}

static void send_same(void)
{
	u32 before = sent;

	(void)wait_for(handled != before);
	apic_send(0, VEC_CALL | ICR_ASSERT);
	sent = handled;
}

static void test_same(void)
{
	need_ap();
	wrmsr(MSR_PV_EOI, (u64)&eoi_word | PV_EOI_ON);
	trap_hooks[VEC_CALL] = take_slowly;
	calls[0] = handled = sent = 0;
	for (unsigned i = 1; i <= 50 && !test_failed(); i++) {
		start_work(send_same);
		cli();
		apic_self(VEC_CALL);
		sti();
		expect(wait_for(calls[0] == 2 * i), "round %u: %u came", i,
		       calls[0]);
		expect(work_done(), "the other did not finish");
	}
	wrmsr(MSR_PV_EOI, 0);
}

/* HLT is left for an interrupt from the other CPU. */
static void test_wake(void)
{
	need_ap();
	trap_hooks[VEC_CALL] = take_call;
	calls[0] = 0;
	start_work(send_back);
	while (!calls[0]) {
		sti_hlt();
		cli();
	}
	expect(work_done(), "the other did not finish");
}

static u8 pages[2][4096] ALIGNED(4096);
static volatile u64 read_there;

static void read_mapping(void)
{
	invlpg((void *)TEST_BASE);
	read_there = *(volatile u64 *)TEST_BASE;
}

static void test_mapping(void)
{
	need_ap();
	for (u64 i = 1; i < 50 && !test_failed(); i++) {
		*(volatile u64 *)pages[i % 2] = i;
		page_map(TEST_BASE, (u64)pages[i % 2], PTE_RWU);
		start_work(read_mapping);
		expect(work_done(), "no answer");
		expect(read_there == i, "round %lu: %lu", i, read_there);
	}
	start_work(nothing);
	work_done();
}

static const struct test tests[] = {
	TEST("smp.start", test_start), TEST("smp.atomic", test_atomic),
	TEST("smp.ipi", test_ipi),     TEST("smp.wake", test_wake),
	TEST("smp.same", test_same),   TEST("smp.mapping", test_mapping),
};

int guest_main(void)
{
	return RUN_TESTS(tests);
}
