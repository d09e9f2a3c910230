/*
 * The host's processors. Each has a struct cpu, reached by this_cpu() through
 * the GS base. CPU 0 is the bootstrap CPU; numbers are dense.
 *
 * Interrupts are off while hypervisor code runs. They are let in at three
 * places only: while a guest runs (as VM exits), in cpu_idle(), and in
 * cpu_take_interrupts().
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "boot/boot_info.h"
#include "cpu/gdt.h"
#include "lib/types.h"

#define MAX_CPUS 256

struct cpu {
	struct cpu *self; /* what %gs:0 reads */
	unsigned id;
	u32 apic_id;
	void *engine; /* the engine's state of this CPU */

	/*
	 * Set by the kick's NMI, on the kicked CPU itself; cleared by
	 * cpu_take_kick(). A kick says "look around", not what for.
	 */
	volatile bool kicked;

	u64 kicks; /* NMIs taken */
	u64 timer_interrupts;
	u64 other_interrupts;
	u64 timer_at; /* TSC at which its timer will interrupt; 0: not */
	u64 device_interrupts;
	u64 stray_interrupts; /* vectors nobody asked for */
	u64 exits;	      /* VM exits handled, all guests */
	u64 idle_tsc;	      /* ticks spent in cpu_idle() */

	u64 stack_top;
	volatile bool online;
	volatile bool refused;	 /* lacks what the others have */
	volatile u64 online_tsc; /* its own TSC when it came */

	struct gdt gdt;
	struct tss tss;
} ALIGNED(64);

_Static_assert(offsetof(struct cpu, self) == 0, "this_cpu() reads %gs:0");

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* CPUs that run, 1 at least. */
unsigned cpu_count(void);

/* NULL when there is no such CPU. */
struct cpu *cpu_by_id(unsigned id);

#define for_each_cpu(cpu)                                             \
	for (unsigned cpu_i = 0; cpu_i < cpu_count(); cpu_i++)        \
		for (struct cpu *cpu = cpu_by_id(cpu_i); cpu != NULL; \
		     cpu = NULL)

/*
 * Makes a CPU leave its guest or its HLT, soon and for certain: an NMI whose
 * handler sends the CPU itself a fixed interrupt. That one stays pending while
 * interrupts are off, so a kick that arrives between the last look and the VM
 * entry or HLT ends it at once.
 */
void cpu_kick(struct cpu *cpu);

/* Has this CPU been kicked since the last call? */
bool cpu_take_kick(void);

/* Halts until an interrupt or a kick, not at all if one is pending. */
void cpu_idle(void);

/* Lets pending interrupts in, then shuts the door again. */
void cpu_take_interrupts(void);

/*
 * Runs the host's NMI handler and ends NMI blocking: for an engine whose guest
 * was left because of an NMI that the exit has consumed (VMX; on SVM the NMI is
 * still pending and comes by itself with STGI).
 */
static inline void cpu_take_nmi(void)
{
	asm volatile("int $2" ::: "memory");
}

/* Start-up, in this order. */
void cpu_init_bootstrap(void);			/* GS, GDT, IDT */
void cpu_alloc_stacks(struct cpu *cpu);		/* for DF, NMI, MC */
void smp_init(const struct boot_info *info);	/* lists CPUs, sends INITs */
void smp_start(void (*ap_main)(void) NORETURN); /* 10 ms later at least */

/* For those two: the next number's CPU is there. */
void cpu_add(struct cpu *cpu);

/* For panic: every other CPU stops for ever, in its NMI handler. */
void smp_stop_others(void);
void smp_stop_if_asked(void);

#endif
