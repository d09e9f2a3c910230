/*
 * Registers have their xAPIC offsets; in x2APIC mode the same register is an
 * MSR, offset / 16 from MSR_X2APIC_BASE (SDM vol. 3A table 11-6).
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/panic.h"
#include "lib/ratio.h"
#include "mm/paging.h"

enum {
	LAPIC_ID = 0x20,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310, /* xAPIC only: the destination */
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
	LAPIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

#define SVR_ENABLE     BIT(8)
#define LVT_MASKED     BIT(16)
#define LVT_NMI	       0x400
#define LVT_EXTINT     0x700
#define LVT_DEADLINE   (2u << 17)
#define ICR_NMI	       0x400
#define ICR_INIT       0x500
#define ICR_STARTUP    0x600
#define ICR_PENDING    BIT(12) /* xAPIC only */
#define ICR_ASSERT     BIT(14)
#define ICR_SELF       BIT(18)
#define DIVIDE_BY_1    0xb
#define DELIVERY_SPINS 100000

static volatile u8 *xapic; /* NULL in x2APIC mode, and before lapic_init() */
static bool x2apic;
static bool use_deadline;
static struct ratio timer_rate; /* TSC ticks to timer ticks */

static u32 reg_read(unsigned reg)
{
	if (x2apic)
		return (u32)rdmsr(MSR_X2APIC_BASE + reg / 16);
	return *(volatile u32 *)(xapic + reg);
}

static void reg_write(unsigned reg, u32 value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC_BASE + reg / 16, value);
	else
		*(volatile u32 *)(xapic + reg) = value;
}

/* --- start-up */

/* Once x2APIC mode is on it cannot simply be left (SDM vol. 3A 11.12.5). */
static void choose_mode(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (features.x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	x2apic = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
	if (x2apic || xapic != NULL)
		return;
	xapic = mmio_map(base & APIC_BASE_ADDRESS, PAGE_SIZE);
	if (xapic == NULL)
		panic("the local APIC cannot be mapped");
}

static void timer_setup(void)
{
	reg_write(LAPIC_TIMER_INITIAL, 0);
	reg_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(LAPIC_LVT_TIMER,
		  VECTOR_TIMER | (use_deadline ? LVT_DEADLINE : 0));
	/* In xAPIC mode the LVT write may pass the MSR's (SDM 11.5.4.1). */
	asm volatile("mfence" ::: "memory");
}

/* What the firmware left in service would block all that is no higher. */
static void finish_old_interrupts(void)
{
	while (lapic_in_service() >= 0)
		lapic_eoi();
}

void lapic_init(void)
{
	bool bootstrap = this_cpu()->id == 0;

	use_deadline = features.tsc_deadline;
	choose_mode();
	reg_write(LAPIC_TPR, 0);
	reg_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	reg_write(LAPIC_LVT_THERMAL, LVT_MASKED);
	reg_write(LAPIC_LVT_PERF, LVT_MASKED);
	reg_write(LAPIC_LVT_ERROR, LVT_MASKED);
	/* Virtual wire: the legacy PIC interrupts the bootstrap CPU. */
	reg_write(LAPIC_LVT_LINT0, bootstrap ? LVT_EXTINT : LVT_MASKED);
	reg_write(LAPIC_LVT_LINT1, bootstrap ? LVT_NMI : LVT_MASKED);
	reg_write(LAPIC_ESR, 0);
	finish_old_interrupts();
	timer_setup();
	this_cpu()->apic_id = lapic_id();
}

u32 lapic_id(void)
{
	u32 id = reg_read(LAPIC_ID);

	return x2apic ? id : id >> 24;
}

bool lapic_is_x2apic(void)
{
	return x2apic;
}

void lapic_eoi(void)
{
	reg_write(LAPIC_EOI, 0);
}

int lapic_in_service(void)
{
	for (int i = 7; i >= 0; i--) {
		u32 vectors = reg_read(LAPIC_ISR + i * 16);

		if (vectors)
			return i * 32 + 31 - __builtin_clz(vectors);
	}
	return -1;
}

/* --- interrupts to other CPUs */

static void wait_sent(void)
{
	for (unsigned i = 0; i < DELIVERY_SPINS; i++) {
		if (!(reg_read(LAPIC_ICR) & ICR_PENDING))
			return;
		cpu_relax();
	}
}

static void send(u32 apic_id, u32 command)
{
	if (x2apic) {
		/* WRMSR does not wait for earlier stores (11.12.3). */
		asm volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC_BASE + LAPIC_ICR / 16,
		      (u64)apic_id << 32 | command);
		return;
	}
	wait_sent();
	reg_write(LAPIC_ICR_HIGH, apic_id << 24);
	reg_write(LAPIC_ICR, command);
	wait_sent();
}

void lapic_send_nmi(u32 apic_id)
{
	send(apic_id, ICR_NMI | ICR_ASSERT);
}

void lapic_send_init(u32 apic_id)
{
	send(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(u32 apic_id, u8 page)
{
	send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}

/*
 * Called by the NMI handler, so possibly in the middle of send(): the self
 * shorthand leaves the destination half of the ICR alone.
 */
void lapic_send_self(u8 vector)
{
	if (x2apic) {
		wrmsr(MSR_X2APIC_BASE + LAPIC_SELF_IPI / 16, vector);
	} else if (xapic != NULL) {
		wait_sent();
		reg_write(LAPIC_ICR, ICR_SELF | ICR_ASSERT | vector);
	}
}

/* --- the timer */

void lapic_timer_start(void)
{
	reg_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	reg_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
}

u32 lapic_timer_count(void)
{
	return reg_read(LAPIC_TIMER_CURRENT);
}

void lapic_timer_calibrated(u64 ticks, u64 tsc_ticks)
{
	timer_rate = ratio_make(tsc_ticks, ticks);
	timer_setup();
}

const char *lapic_timer_text(void)
{
	return use_deadline ? "TSC deadline" : "one-shot";
}

/*
 * One that is armed for an earlier time stays: whoever takes its interrupt
 * looks at the time and arms again. Guests' deadlines move at every entry, and
 * where the local APIC is emulated a write to it costs more than the rest of an
 * exit.
 */
void timer_arm(u64 tsc_deadline)
{
	struct cpu *cpu = this_cpu();
	u64 now = rdtsc(), ticks;

	if (cpu->timer_at > now && cpu->timer_at <= tsc_deadline)
		return;
	cpu->timer_at = tsc_deadline;
	if (use_deadline) {
		wrmsr(MSR_TSC_DEADLINE, MAX(tsc_deadline, 1));
		return;
	}
	ticks = tsc_deadline > now ? ratio_apply(timer_rate, tsc_deadline - now)
				   : 0;
	/* One more: not before the deadline. 0 would stop the timer. */
	reg_write(LAPIC_TIMER_INITIAL, (u32)MIN(ticks + 1, UINT32_MAX));
}

void timer_cancel(void)
{
	this_cpu()->timer_at = 0;
	if (use_deadline)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		reg_write(LAPIC_TIMER_INITIAL, 0);
}
