/*
 * SVM instructions with hostile operands, also with EFER.SVME tried before.
 * Each must be #UD, or #GP where the processor looks at the address first.
 */
#include "guest.h"

extern u64 pml4[512];

#define ATTACK(insn)                                                         \
	do {                                                                 \
		asm volatile(TRY(insn)::"a"(where), "c"(where) : "memory");  \
		wrong += caught.vector != EXC_UD && caught.vector != EXC_GP; \
	} while (0)

int guest_main(void)
{
	const u64 places[] = {0,	 0xfee00000,	     BIT(63), ~0ULL,
			      (u64)pml4, 0xffff800000000000, GIB(100)};
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		u64 where = places[i];

		asm volatile(
			TRY("wrmsr")::"a"((u32)(rdmsr(MSR_EFER) | EFER_SVME)),
			"d"(0), "c"(MSR_EFER)
			: "memory");
		ATTACK("vmrun");
		ATTACK("vmload");
		ATTACK("vmsave");
		ATTACK("stgi");
		ATTACK("clgi");
		ATTACK("invlpga");
		ATTACK("skinit");
	}
	print("%u were neither #UD nor #GP\n", wrong);
	return wrong != 0;
}
