/*
 * #AC whose delivery, to user mode on an unaligned stack, is #AC again, for
 * ever (CVE-2015-5307). Where there are no alignment checks nothing happens.
 */
#include "guest.h"

struct PACKED {
	u16 limit;
	u32 base;
} idtr;

static u64 gates[32];
static u32 stack[64];

/* A gate for #AC that stays in user mode: same code segment, same stack. */
static void user_gate(void)
{
	u32 entry;

	asm volatile("jmp 2f\n1:\tjmp 1b\n2:\tmovl $1b, %0" : "=r"(entry));
	asm volatile("sidt %0" : "=m"(idtr));
	memcpy(gates, (void *)idtr.base, sizeof(gates));
	gates[EXC_AC] = (entry & 0xffff) | (u64)USER_CS << 16 |
			0x0000ee0000000000ULL | (u64)(entry >> 16) << 48;
	memcpy((void *)idtr.base, gates, sizeof(gates));
}

static void user_code(void)
{
	asm volatile("mov %%esp, %%ebx\n\tlea 41(%0), %%esp\n\t"
		     "mov (%%esp), %%eax\n\tmov %%ebx, %%esp" ::"r"(stack)
		     : "eax", "ebx", "memory");
}

int guest_main(void)
{
	write_cr0(read_cr0() | CR0_AM);
	user_gate();
	user_flags = 2 | FLAG_AC;
	user_call(user_code);
	return 0;
}
