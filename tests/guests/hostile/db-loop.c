/*
 * A breakpoint on the handler of breakpoints, on a stack that starts anew each
 * time: #DB delivers #DB for ever (CVE-2015-8104). The host must get out of it.
 */
#include "guest.h"

extern const u8 trap_entries[];

/* Where breakpoints do not work the single step is all there is. */
static bool end_step(struct trap_frame *frame)
{
	frame->rflags &= ~FLAG_TF;
	return true;
}

int guest_main(void)
{
	trap_hooks[EXC_DB] = end_step;
	trap_gate(EXC_DB, 0, 1);
	write_dr0((u64)trap_entries + EXC_DB * 16);
	write_dr7(0x402);
	asm volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\tnop" ::
			     : "memory");
	return 0;
}
