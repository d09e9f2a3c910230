/*
 * Jumps, calls and returns to addresses that cannot be: #GP each time.
 */
#include "guest.h"

/* Where the exception is found depends on the vendor; the way back does not. */
static u64 resume;
static unsigned faults;

static bool go_back(struct trap_frame *frame)
{
	faults++;
	frame->rip = resume;
	frame->rsp = frame->gpr[RBX];
	return true;
}

#define ATTACK(insn)                                                    \
	asm volatile("mov %%rsp, %%rbx\n\tlea 1f(%%rip), %%rcx\n\t"     \
		     "mov %%rcx, %0\n\t" insn "\n1:"                    \
		     : "=m"(resume)                                     \
		     : "a"(0x8000000000000000), "d"(0x0000900000000000) \
		     : "rbx", "rcx", "memory")

int guest_main(void)
{
	trap_hooks[EXC_GP] = go_back;
	trap_hooks[EXC_PF] = go_back;
	for (unsigned i = 0; i < 100; i++) {
		ATTACK("jmp *%%rax");
		ATTACK("jmp *%%rdx");
		ATTACK("call *%%rax");
		ATTACK("push %%rdx\n\tret");
	}
	print("%u faults\n", faults);
	return faults != 400;
}
