/*
 * IRET to states that cannot be: wrong selectors, flags and addresses.
 */
#include "pages.h"

static u64 resume;

static bool go_back(struct trap_frame *frame)
{
	if (frame->gpr[RBX] < 0x100000)
		return false;
	frame->rip = resume;
	frame->cs = KERNEL_CS;
	frame->ss = KERNEL_DS;
	frame->rflags = 2;
	frame->rsp = frame->gpr[RBX];
	return true;
}

static void try_iret(u64 rip, u64 cs, u64 rflags, u64 rsp, u64 ss)
{
	asm volatile("mov %%rsp, %%rbx\n\tlea 1f(%%rip), %%rax\n\t"
		     "mov %%rax, %0\n\tpush %1\n\tpush %2\n\tpush %3\n\t"
		     "push %4\n\tpush %5\n\tiretq\n1:"
		     : "=m"(resume)
		     : "r"(ss), "r"(rsp), "r"(rflags), "r"(cs), "r"(rip)
		     : "rax", "rbx", "memory");
}

extern const u8 ud_here[];

int guest_main(void)
{
	static const u64 selectors[] = {
		0,	 KERNEL_CS, KERNEL_DS, USER_CS, USER_DS,
		TSS_SEL, SPARE_SEL, 0xfff8,    0x0b,	CODE32_CS | 3};
	const u64 places[] = {(u64)ud_here, TEST_BASE, BIT(63),
			      0xffffffffffffffff};

	asm volatile("jmp 1f\nud_here: ud2\n1:");
	for (unsigned v = 0; v < 20; v++) {
		trap_hooks[v] = go_back;
		trap_gate(v, 0, 3); /* the stack may be anywhere */
	}
	for (unsigned i = 0; i < 3000; i++) {
		u64 r = random_number();

		try_iret(places[r % ARRAY_LEN(places)],
			 selectors[(r >> 8) % ARRAY_LEN(selectors)],
			 (r >> 16 & 0x3f7cd5) & ~(FLAG_IF | FLAG_TF),
			 r & BIT(60) ? (u64)places : BIT(62),
			 selectors[(r >> 40) % ARRAY_LEN(selectors)]);
	}
	return 0;
}
