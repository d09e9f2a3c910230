#include "cpu/cpu.h"
#include "cpu/device_irq.h"
#include "cpu/lapic.h"
#include "cpu/panic.h"
#include "cpu/pic.h"
#include "cpu/regs.h"
#include "cpu/traps.h"
#include "lib/log.h"

_Static_assert(VECTOR_OTHER == VECTOR_DEVICE + DEVICE_IRQS, "a stub each");

#define VECTORS	       256
#define GATE_INTERRUPT 0x8e /* present, ring 0, interrupts stay off */

/* SDM vol. 3A 6.14.1. */
struct idt_gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};
ASSERT_SIZE(struct idt_gate, 16);

/* What EXTABLE() in regs.h leaves, between linker.ld's two symbols. */
struct fixup {
	u64 at, go_on;
};

extern const struct fixup extable_start[], extable_end[];
extern const u8 trap_stubs[], cpu_halt_hlt[], cpu_halt_end[];

static struct idt_gate idt[VECTORS] ALIGNED(16);

static const char *const names[EXCEPTIONS] = {
	[EXC_DE] = "#DE", [EXC_DB] = "#DB", [EXC_NMI] = "NMI", [EXC_BP] = "#BP",
	[EXC_OF] = "#OF", [EXC_BR] = "#BR", [EXC_UD] = "#UD",  [EXC_NM] = "#NM",
	[EXC_DF] = "#DF", [EXC_TS] = "#TS", [EXC_NP] = "#NP",  [EXC_SS] = "#SS",
	[EXC_GP] = "#GP", [EXC_PF] = "#PF", [EXC_MF] = "#MF",  [EXC_AC] = "#AC",
	[EXC_MC] = "#MC", [EXC_XM] = "#XM", [EXC_VE] = "#VE",  [EXC_CP] = "#CP",
};

static u8 ist_for(unsigned vector)
{
	switch (vector) {
	case EXC_DF:
		return IST_DOUBLE_FAULT;
	case EXC_NMI:
		return IST_NMI;
	case EXC_MC:
		return IST_MACHINE_CHECK;
	default:
		return IST_NONE;
	}
}

void idt_init(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		u64 stub = (u64)trap_stubs + MIN(i, VECTOR_OTHER) * STUB_SIZE;

		idt[i] = (struct idt_gate){
			.offset_low = (u16)stub,
			.offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
			.selector = GDT_CODE,
			.ist = ist_for(i),
			.type = GATE_INTERRUPT,
		};
	}
	idt_load();
}

void idt_load(void)
{
	lidt((u64)idt, sizeof(idt) - 1);
}

u64 idt_base(void)
{
	return (u64)idt;
}

const char *exception_name(u64 vector)
{
	if (vector >= EXCEPTIONS)
		return "interrupt";
	return names[vector] != NULL ? names[vector] : "reserved exception";
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct fixup *f = extable_start; f < extable_end; f++) {
		if (f->at == frame->rip) {
			frame->rip = f->go_on;
			return true;
		}
	}
	return false;
}

/*
 * The self-interrupt outlives this handler: interrupts are off, so it ends the
 * next HLT or guest run, however far the interrupted code had come.
 */
static void handle_nmi(void)
{
	struct cpu *cpu = this_cpu();

	smp_stop_if_asked();
	cpu->kicks++;
	cpu->kicked = true;
	lapic_send_self(VECTOR_KICK);
}

/* VECTOR_SPURIOUS is in service nowhere and takes no EOI (SDM vol. 3A 11.9). */
static void handle_other(struct cpu *cpu)
{
	int vector = lapic_in_service();

	if (vector < 0)
		return;
	if (cpu->stray_interrupts++ == 0)
		log_warn("cpu %u: an interrupt nobody asked for, vector 0x%x",
			 cpu->id, vector);
	lapic_eoi();
}

static void handle_interrupt(u64 vector)
{
	struct cpu *cpu = this_cpu();

	cpu->other_interrupts += vector != VECTOR_TIMER;
	switch (vector) {
	case VECTOR_PIC ... VECTOR_PIC + PIC_LINES - 1:
	case VECTOR_DEVICE ... VECTOR_DEVICE + DEVICE_IRQS - 1:
		cpu->device_interrupts++;
		device_irq_came((unsigned)vector);
		break;
	case VECTOR_TIMER:
		cpu->timer_interrupts++;
		cpu->timer_at = 0;
		lapic_eoi();
		break;
	case VECTOR_KICK:
		lapic_eoi();
		break;
	default:
		handle_other(cpu);
	}
}

void trap_handle(struct trap_frame *frame)
{
	if (frame->vector == EXC_NMI) {
		handle_nmi();
	} else if (frame->vector >= EXCEPTIONS) {
		handle_interrupt(frame->vector);
		if (frame->rip == (u64)cpu_halt_hlt)
			frame->rip = (u64)cpu_halt_end;
	} else if (!fix_up(frame)) {
		panic_trap(frame);
	}
}
