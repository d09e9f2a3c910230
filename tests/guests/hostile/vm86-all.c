/*
 * Every one-byte opcode, and every second byte behind 0F, in virtual-8086 mode.
 * Each ends by an exception or by the timer's absence: a few known endless ones
 * are left out.
 */
#include "guest.h"

#define PAGE 0x8000u

static u32 saved_esp;
static unsigned ended[32];
extern const u8 vm86_out[];

static bool leave(struct trap_frame *frame)
{
	if (!(frame->rflags & FLAG_VM))
		return false;
	ended[frame->vector & 31]++;
	frame->rip = (word)vm86_out;
	frame->cs = KERNEL_CS;
	frame->rflags = 2;
	return true;
}

/* Behind the bytes lie INT3s, which IOPL 0 lets through to us. */
static void run(u8 first, u8 second)
{
	u8 *code = (u8 *)PAGE;

	memset(code, 0xcc, 64);
	code[0] = first;
	code[1] = second;
	asm volatile("pusha\n\tmov %%esp, %0\n\t"
		     "push $0\n\tpush $0\n\tpush $0x900\n\tpush $0x900\n\t"
		     "push $0x900\n\tpush $0xf00\n\tpush $0x20002\n\t"
		     "push $0x800\n\tpush $0\n\tmov $1, %%ecx\n\tiretl\n"
		     "vm86_out:\n\tmov $0x10, %%eax\n\tmov %%eax, %%ds\n\t"
		     "mov %%eax, %%es\n\tmov %%eax, %%ss\n\tmov %0, %%esp\n\t"
		     "popa\n\tcld"
		     : "=m"(saved_esp)::"memory");
}

/* Jumps, calls and returns may go anywhere, and loop there. */
static bool may_loop(u8 opcode)
{
	return (opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3) ||
	       (opcode >= 0xe8 && opcode <= 0xeb) || opcode == 0x9a ||
	       opcode == 0xc2 || opcode == 0xc3 || opcode == 0xca ||
	       opcode == 0xcb || opcode == 0xcf || opcode == 0xff;
}

int guest_main(void)
{
	for (unsigned v = 0; v < 20; v++)
		trap_hooks[v] = leave;
	memset((void *)0x9000, 0xcc, 0x10000); /* whatever is called there */
	for (unsigned i = 0; i < 256; i++)
		if (!may_loop(i))
			run(i, 0xcc);
	for (unsigned i = 0; i < 256; i++)
		if ((i & 0xf0) != 0x80)
			run(0x0f, i);
	print("#BP %u, #UD %u, #GP %u\n", ended[EXC_BP], ended[EXC_UD],
	      ended[EXC_GP]);
	return 0;
}
