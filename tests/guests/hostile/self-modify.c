/*
 * The instruction that exits is changed while it is being carried out: REP INSB
 * over its own bytes, and code that is written right before it runs.
 */
#include "guest.h"

static u8 code[4096] ALIGNED(4096);

static void over_itself(void)
{
	u64 rdi = (u64)code, rcx = 64;

	memset(code, 0x90, sizeof(code));
	code[32] = 0xf3; /* rep insb */
	code[33] = 0x6c;
	code[34] = 0xc3;
	asm volatile("call *%2"
		     : "+D"(rdi), "+c"(rcx)
		     : "r"(code + 32), "d"(PORT_NONE)
		     : "memory");
}

static void just_before(void)
{
	static const u8 insns[][3] = {{0x0f, 0xa2, 0xc3}, {0xee, 0x90, 0xc3},
				      {0x0f, 0x31, 0xc3}, {0xec, 0x90, 0xc3},
				      {0x0f, 0x09, 0xc3}, {0xf3, 0x90, 0xc3}};

	for (unsigned i = 0; i < 1000; i++) {
		memcpy(code, insns[random_number() % ARRAY_LEN(insns)], 3);
		asm volatile("call *%%rsi" ::"S"(code), "a"(0), "c"(0),
			     "d"(PORT_NONE)
			     : "rbx", "memory");
	}
}

int guest_main(void)
{
	for (unsigned i = 0; i < 100; i++)
		attempt(over_itself);
	return !attempt(just_before);
}
