/*
 * A device's memory by instructions that no driver uses: SSE, x87, 16 bytes at
 * once, calls and jumps through it. Each may be refused, even with the guest's
 * end; the host goes on.
 */
#include "guest.h"

#define ATTACK(insn) \
	asm volatile(TRY(insn)::"r"(0xfd000000UL) : "rax", "rdx", "memory")

int guest_main(void)
{
	write_cr0(read_cr0() & ~(CR0_TS | CR0_EM));
	write_cr4(read_cr4() | CR4_OSFXSR);
	ATTACK("prefetcht0 (%0)");
	ATTACK("clflush (%0)");
	ATTACK("lock cmpxchg8b (%0)");
	ATTACK("lock cmpxchg16b (%0)");
	ATTACK("movups %%xmm0, (%0)");
	ATTACK("movntdq %%xmm0, (%0)");
	ATTACK("fxsave (%0)");
	ATTACK("fldl (%0)");
	ATTACK("push (%0)");
	ATTACK("pop (%0)");
	ATTACK("lgdt (%0)");
	ATTACK("mov (%0), %%fs");
	ATTACK("imul (%0), %%rax");
	ATTACK("div %%eax");
	ATTACK("jmp *(%0)");
	return 0;
}
