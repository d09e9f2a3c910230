/*
 * What an exit costs, seen from the guest: the time-stamp counter over a loop
 * of one exiting instruction, less the same loop without it. Under QEMU's
 * `-icount shift=0` the counter counts instructions; in Bochs it counts ticks,
 * which are instructions too. Command line: `suffix=svm unit=instructions`.
 */
#include "guest.h"

#define ROUNDS	       2000
#define UNCLAIMED_PORT 0x5658

static char suffix[16] = "unknown", unit[16] = "cycles";

#define MEASURE(body)                                   \
	({                                              \
		u64 start = rdtsc();                    \
		for (unsigned i = 0; i < ROUNDS; i++) { \
			asm volatile("" ::: "memory");  \
			body;                           \
		}                                       \
		rdtsc() - start;                        \
	})

static void figure(const char *name, u64 ticks, u64 empty)
{
	u64 each = (ticks > empty ? ticks - empty : 0) / ROUNDS;

	print("figure %s.%s %llu %s\n", name, suffix, (unsigned long long)each,
	      unit);
}

static void one_cpuid(void)
{
	u32 a = 0, c = 0;

	asm volatile("cpuid" : "+a"(a), "+c"(c)::"ebx", "edx");
}

static void one_hypercall(bool amd)
{
	u64 a = 0;

	if (amd)
		asm volatile("vmmcall" : "+a"(a)::"memory");
	else
		asm volatile("vmcall" : "+a"(a)::"memory");
}

static void one_out(u16 port)
{
	asm volatile("outb %%al, %0" ::"d"(port), "a"(0));
}

static u32 one_in(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "d"(port));
	return value;
}

int guest_main(void)
{
	bool amd = cpuid(0, 0).ecx == 0x444d4163; /* "cAMD" */
	u64 empty;

	option_text("suffix", suffix, sizeof(suffix));
	option_text("unit", unit, sizeof(unit));
	one_cpuid();
	one_hypercall(amd);
	one_out(UNCLAIMED_PORT);
	empty = MEASURE((void)0);
	figure("exit.cpuid", MEASURE(one_cpuid()), empty);
	figure("exit.hypercall", MEASURE(one_hypercall(amd)), empty);
	figure("exit.port-write", MEASURE(one_out(UNCLAIMED_PORT)), empty);
	figure("exit.port-read", MEASURE(one_in(UNCLAIMED_PORT)), empty);
	figure("exit.msr-read", MEASURE(rdmsr(0x277)), empty);
	figure("exit.none.port-80", MEASURE(one_out(0x80)), empty);
	return 0;
}
