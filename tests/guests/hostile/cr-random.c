/*
 * Noise into CR0, CR3's flags, CR4, EFER and XCR0; what is refused gives #GP,
 * what is accepted is taken back. Only what would stop this code itself is left
 * alone.
 */
#include "guest.h"

/* SMEP and SMAP: our pages are all user pages. */
#define CR4_KEPT (BIT(20) | BIT(21) | BIT(12))

static void set(u64 noise)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	u64 value = (cr4 ^ (noise & noise >> 7)) & ~CR4_KEPT;

	asm volatile(TRY("mov %0, %%cr0")::"r"(cr0 ^ (noise & noise >> 3))
		     : "memory");
	asm volatile("mov %0, %%cr0" ::"r"(cr0) : "memory");
	asm volatile(TRY("mov %0, %%cr4")::"r"(value) : "memory");
	asm volatile("mov %0, %%cr4" ::"r"(cr4) : "memory");
	value = efer ^ (noise & noise >> 11);
	asm volatile(TRY("wrmsr")::"a"((u32)value), "d"((u32)(value >> 32)),
		     "c"(MSR_EFER)
		     : "memory");
	wrmsr(MSR_EFER, efer);
	asm volatile(TRY("xsetbv")::"a"((u32)noise & 0xff), "d"(0), "c"(0)
		     : "memory");
	asm volatile(TRY("lmsw %w0")::"r"(noise >> 5) : "memory");
	write_cr0(cr0);
	asm volatile(TRY("mov %0, %%cr8")::"r"(noise >> 50) : "memory");
}

int guest_main(void)
{
	for (unsigned i = 0; i < 3000; i++)
		set(random_number());
	write_cr4(read_cr4() | CR4_OSXSAVE);
	for (unsigned i = 0; i < 1000; i++)
		set(random_number());
	return 0;
}
