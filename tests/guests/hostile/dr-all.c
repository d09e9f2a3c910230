/*
 * All breakpoints enabled in all forms, on code and data that are always in
 * use.
 */
#include "guest.h"

static unsigned hits;

static bool count(struct trap_frame *frame)
{
	hits++;
	frame->rflags |= FLAG_RF;
	write_dr6(0);
	return true;
}

int guest_main(void)
{
	trap_hooks[EXC_DB] = count;
	write_dr0((u64)random_number);
	write_dr1((u64)&hits);
	write_dr2(PORT_NONE);
	write_dr3((u64)&hits + 1);
	for (unsigned i = 0; i < 2000; i++) {
		write_dr7(((random_number() & 0xffff0000) | 0x7ff) & ~0x2000u);
		cpuid(0, 0);
		outb(PORT_NONE, 0);
		asm volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\tcpuid\n\t"
			     "pushf\n\tandl $~0x100, (%%rsp)\n\tpopf" ::"a"(0),
			     "c"(0)
			     : "rbx", "rdx", "memory");
	}
	write_dr7(0x400);
	print("%u hits\n", hits);
	return 0;
}
