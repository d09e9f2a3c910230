#include "cpu/cpu.h"
#include "cpu/lapic.h"
#include "cpu/regs.h"
#include "cpu/traps.h"
#include "lib/panic.h"
#include "mm/paging.h"

#define EMERGENCY_STACK 8192

/* In traps.S: STI, HLT, CLI, with nothing lost between. */
void cpu_halt(void);

static struct cpu bootstrap = {.self = &bootstrap};

/* Until there is memory for real ones: one for all three emergencies. */
static u8 early_stack[4096] ALIGNED(16);

void cpu_init_bootstrap(void)
{
	for (unsigned i = IST_NONE + 1; i < IST_COUNT; i++)
		bootstrap.tss.ist[i - 1] =
			(u64)early_stack + sizeof(early_stack);
	gdt_load(&bootstrap);
	idt_init();
	cpu_add(&bootstrap);
}

void cpu_alloc_stacks(struct cpu *cpu)
{
	for (unsigned i = IST_NONE + 1; i < IST_COUNT; i++) {
		u64 top = stack_alloc(EMERGENCY_STACK);

		if (top == 0)
			panic("no memory for CPU stacks");
		cpu->tss.ist[i - 1] = top;
	}
}

void cpu_kick(struct cpu *cpu)
{
	if (cpu == this_cpu())
		cpu_take_nmi();
	else
		lapic_send_nmi(cpu->apic_id);
}

bool cpu_take_kick(void)
{
	struct cpu *cpu = this_cpu();
	bool kicked = cpu->kicked;

	if (kicked)
		cpu->kicked = false;
	return kicked;
}

/*
 * The kick flag only spares a HLT; what makes this free of races is that a
 * kick's self-interrupt is pending by then. The caller looks around after every
 * return, so the flag may be cleared here.
 */
void cpu_idle(void)
{
	struct cpu *cpu = this_cpu();
	u64 start = rdtsc();

	if (!cpu_take_kick())
		cpu_halt();
	cpu->kicked = false;
	cpu->idle_tsc += rdtsc() - start;
}

void cpu_take_interrupts(void)
{
	/* The first instruction after STI is still in its shadow. */
	asm volatile("sti; nop; nop; cli" ::: "memory");
}
