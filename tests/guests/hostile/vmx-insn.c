/*
 * VMX instructions with hostile operands: nowhere, non-canonical, the local
 * APIC's page, our own page tables. Each must be #UD, whatever the operand.
 */
#include "guest.h"

extern u64 pml4[512];

#define ATTACK(insn)                                                       \
	do {                                                               \
		asm volatile(TRY(insn)::"a"(where), "c"(where), "d"(where) \
			     : "memory");                                  \
		wrong += caught.vector != EXC_UD;                          \
	} while (0)

int guest_main(void)
{
	const u64 places[] = {0,	 0xfee00000,	     BIT(63), ~0ULL,
			      (u64)pml4, 0xffff800000000000, GIB(100)};
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		u64 where = places[i];

		ATTACK("vmxon (%%rax)");
		ATTACK("vmclear (%%rax)");
		ATTACK("vmptrld (%%rax)");
		ATTACK("vmptrst (%%rax)");
		ATTACK("vmread %%rax, (%%rcx)");
		ATTACK("vmwrite (%%rax), %%rcx");
		ATTACK("vmlaunch");
		ATTACK("vmresume");
		ATTACK("vmxoff");
		ATTACK("invept (%%rdx), %%rcx");
		ATTACK("invvpid (%%rdx), %%rcx");
		ATTACK("vmfunc");
		ATTACK(".byte 0x0f, 0x37"); /* GETSEC */
	}
	print("%u were not #UD\n", wrong);
	return wrong != 0;
}
