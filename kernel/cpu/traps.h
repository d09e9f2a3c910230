/*
 * Exceptions and interrupts of the host. An exception of our own is a bug and
 * panics, unless the instruction is in the exception table (EXTABLE in regs.h).
 */
#ifndef CPU_TRAPS_H
#define CPU_TRAPS_H

/* The exceptions, the vectors of lapic.h, and the one for all others. */
#define STUBS	     0x37
#define STUB_SIZE    9
#define VECTOR_OTHER (STUBS - 1)

#ifndef __ASSEMBLY__

#include "lib/types.h"

/* Exception vectors, SDM vol. 3A table 6-1. */
enum exception {
	EXC_DE = 0,
	EXC_DB = 1,
	EXC_NMI = 2,
	EXC_BP = 3,
	EXC_OF = 4,
	EXC_BR = 5,
	EXC_UD = 6,
	EXC_NM = 7,
	EXC_DF = 8,
	EXC_TS = 10,
	EXC_NP = 11,
	EXC_SS = 12,
	EXC_GP = 13,
	EXC_PF = 14,
	EXC_MF = 16,
	EXC_AC = 17,
	EXC_MC = 18,
	EXC_XM = 19,
	EXC_VE = 20,
	EXC_CP = 21,
};

#define EXCEPTIONS 32

/* What traps.S leaves on the stack. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
ASSERT_SIZE(struct trap_frame, 22 * 8);

/* Fills the IDT, once; then loads it on each CPU. */
void idt_init(void);
void idt_load(void);

/* The base for an engine's host state. */
u64 idt_base(void);

/* "#PF", "interrupt" for what is no exception. */
const char *exception_name(u64 vector);

/* From traps.S. */
void trap_handle(struct trap_frame *frame);

#endif /* __ASSEMBLY__ */
#endif
