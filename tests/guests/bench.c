/*
 * What an exit costs: TSC ticks around one instruction, less those of nothing.
 * `suffix=svm unit=instructions rounds=2000` name the figures:
 *
 *	figure exit.cpuid.svm 143 instructions
 *	figure exit.cpuid-average.svm 150 instructions
 *
 * Under QEMU's icount the TSC counts instructions (shift 0: one each).
 */
#include "apic.h"

static char suffix[24] = "here", unit[24] = "ticks";
static u64 rounds;

struct cost {
	u64 least, average;
};

static void do_nothing(void)
{
}

static void do_cpuid(void)
{
	asm volatile("cpuid" ::"a"(0), "c"(0) : "rbx", "rdx");
}

static void do_hypercall(void)
{
	asm volatile("vmmcall" ::"a"(1) : "memory");
}

static void do_vmcall(void)
{
	asm volatile("vmcall" ::"a"(1) : "memory");
}

static void do_port(void)
{
	asm volatile("outb %%al, %%dx" ::"a"(0), "d"(PORT_NONE));
}

/* Not intercepted: what a port write costs without us. */
static void do_open_port(void)
{
	asm volatile("outb %%al, $0x80" ::"a"(0));
}

static void do_rdmsr(void)
{
	asm volatile("rdmsr" ::"c"(MSR_APIC_BASE) : "rax", "rdx");
}

static void do_wrmsr(void)
{
	asm volatile("wrmsr" ::"c"(MSR_TSC_DEADLINE), "a"(0), "d"(0));
}

static void do_mmio(void)
{
	(void)*(volatile u32 *)(word)(APIC_BASE + APIC_TPR);
}

static struct cost measure(void (*instruction)(void))
{
	struct cost cost = {~0ULL, 0};
	u64 start, ticks, i;

	for (i = 0; i < rounds; i++) {
		start = rdtsc();
		instruction();
		ticks = rdtsc() - start;
		cost.least = MIN(cost.least, ticks);
		cost.average += ticks;
	}
	cost.average /= rounds;
	return cost;
}

static u64 less(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

static void figure(const char *name, void (*instruction)(void))
{
	struct cost empty = measure(do_nothing), cost = measure(instruction);

	print("figure exit.%s.%s %lu %s\n", name, suffix,
	      less(cost.least, empty.least), unit);
	print("figure exit.%s-average.%s %lu %s\n", name, suffix,
	      less(cost.average, empty.average), unit);
}

int guest_main(void)
{
	option_text("suffix", suffix, sizeof(suffix));
	option_text("unit", unit, sizeof(unit));
	rounds = option_number("rounds", 2000);
	figure("cpuid", do_cpuid);
	figure("port-write", do_port);
	figure("port-open", do_open_port);
	figure("rdmsr", do_rdmsr);
	if (on_godwit()) {
		figure("hypercall", do_hypercall);
		figure("hypercall-vmcall", do_vmcall);
	}
	if (cpuid(1, 0).ecx & BIT(24)) {
		apic_start_as(false);
		apic_write(APIC_TIMER, APIC_MASKED | APIC_DEADLINE);
		figure("wrmsr", do_wrmsr);
	}
	apic_start_as(false);
	figure("mmio-read", do_mmio);
	return 0;
}
