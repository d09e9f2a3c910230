/*
 * Every small hypercall number and noise, with noise in all argument registers.
 */
#include "guest.h"

static void call(u64 number)
{
	u64 rax = number, a = random_number(), b = random_number();

	asm volatile(TRY("vmcall")
		     : "+a"(rax)
		     : "b"(a), "c"(b), "d"(a ^ b), "S"(a + b), "D"(~a)
		     : "memory");
	rax = number;
	asm volatile(TRY("vmmcall")
		     : "+a"(rax)
		     : "b"(~0UL), "c"(b), "d"(-b), "S"(a - b), "D"(0UL)
		     : "memory");
}

int guest_main(void)
{
	for (u64 i = 0; i < 5000; i++)
		call(i);
	for (u64 i = 0; i < 5000; i++)
		call(random_number());
	return 0;
}
