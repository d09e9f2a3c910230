/*
 * Instructions that exit in the shadow of MOV SS and of STI, with an interrupt
 * pending, with a single step pending, with both.
 */
#include "apic.h"

static bool step(struct trap_frame *frame)
{
	write_dr6(0);
	return true;
}

#define ATTACK(insn)                                                        \
	asm volatile(                                                       \
		"pushf\n\torl %1, (%%rsp)\n\tpopf\n\tmov %0, %%ss\n\t" TRY( \
			insn) "pushf\n\tandl $~0x300, (%%rsp)\n\tpopf" ::   \
			"r"(KERNEL_DS),                                     \
		"r"(flags), "a"(0), "c"(0), "d"(PORT_NONE)                  \
		: "rbx", "memory")

int guest_main(void)
{
	apic_start();
	trap_hooks[0x61] = irq_counted;
	trap_hooks[EXC_DB] = trap_hooks[EXC_BP] = step;
	for (unsigned i = 0; i < 400; i++) {
		u32 flags = (i & 1 ? FLAG_TF : 0) | (i & 2 ? FLAG_IF : 0);

		apic_self(0x61);
		ATTACK("cpuid");
		ATTACK("outb %%al, %%dx");
		ATTACK("vmcall");
		ATTACK("vmmcall");
		ATTACK("int3");
		ATTACK("rdmsr");
		ATTACK("ud2");
		ATTACK("mov %%cr3, %%rax\n\tmov %%rax, %%cr3");
		ATTACK("sti\n\tmov %%ss, %%eax\n\tmov %%eax, %%ss\n\tcpuid");
	}
	return 0;
}
