/*
 * A breakpoint on the handler of breakpoints, on a stack that starts anew each
 * time: #DB delivers #DB for ever (CVE-2015-8104). The host must get out of it.
 */
#include "guest.h"

extern const u8 trap_entries[];

int guest_main(void)
{
	trap_gate(EXC_DB, 0, 1);
	write_dr0((u64)trap_entries + EXC_DB * 16);
	write_dr7(0x402);
	asm volatile(".byte 0xf1" ::: "memory");
	return 0;
}
