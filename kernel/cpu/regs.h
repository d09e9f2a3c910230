/* The processor's registers and instructions that C has no word for. */
#ifndef CPU_REGS_H
#define CPU_REGS_H

#include "lib/types.h"

/* Control register bits by their names in SDM vol. 3A 2.5. */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)
#define CR4_PKS	       BIT(24)

#define RFLAGS_CF BIT(0)
#define RFLAGS_R1 BIT(1) /* always set */
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)

/*
 * Names the instruction at `at` in the exception table: when it faults, the
 * CPU goes on at `fixup` instead of panicking (see traps.c).
 */
#define EXTABLE(at, fixup)                 \
	".pushsection .extable, \"a\"\n\t" \
	".quad " at ", " fixup "\n\t"      \
	".popsection\n\t"

#define DEFINE_CONTROL_REGISTER(n)                                          \
	static inline u64 read_cr##n(void)                                  \
	{                                                                   \
		u64 value;                                                  \
                                                                            \
		asm volatile("mov %%cr" #n ", %0" : "=r"(value)::"memory"); \
		return value;                                               \
	}                                                                   \
	static inline void write_cr##n(u64 value)                           \
	{                                                                   \
		asm volatile("mov %0, %%cr" #n ::"r"(value) : "memory");    \
	}

DEFINE_CONTROL_REGISTER(0)
DEFINE_CONTROL_REGISTER(2)
DEFINE_CONTROL_REGISTER(3)
DEFINE_CONTROL_REGISTER(4)
DEFINE_CONTROL_REGISTER(8)
#undef DEFINE_CONTROL_REGISTER

#define DEFINE_DEBUG_REGISTER(n)                                  \
	static inline u64 read_dr##n(void)                        \
	{                                                         \
		u64 value;                                        \
                                                                  \
		asm volatile("mov %%dr" #n ", %0" : "=r"(value)); \
		return value;                                     \
	}                                                         \
	static inline void write_dr##n(u64 value)                 \
	{                                                         \
		asm volatile("mov %0, %%dr" #n ::"r"(value));     \
	}

DEFINE_DEBUG_REGISTER(0)
DEFINE_DEBUG_REGISTER(1)
DEFINE_DEBUG_REGISTER(2)
DEFINE_DEBUG_REGISTER(3)
DEFINE_DEBUG_REGISTER(6)
DEFINE_DEBUG_REGISTER(7)
#undef DEFINE_DEBUG_REGISTER

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)value),
		     "d"((u32)(value >> 32))
		     : "memory");
}

/* These three answer false where the plain ones would raise #GP. */
static inline bool rdmsr_safe(u32 msr, u64 *value)
{
	u32 low = 0, high = 0, ok = 0;

	asm volatile("1: rdmsr\n\t"
		     "mov $1, %0\n\t"
		     "2:\n\t" EXTABLE("1b", "2b")
		     : "+r"(ok), "+a"(low), "+d"(high)
		     : "c"(msr)
		     : "memory");
	*value = (u64)high << 32 | low;
	return ok;
}

static inline bool wrmsr_safe(u32 msr, u64 value)
{
	u32 ok = 0;

	asm volatile("1: wrmsr\n\t"
		     "mov $1, %0\n\t"
		     "2:\n\t" EXTABLE("1b", "2b")
		     : "+r"(ok)
		     : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32))
		     : "memory");
	return ok;
}

static inline bool xsetbv_safe(u32 index, u64 value)
{
	u32 ok = 0;

	asm volatile("1: xsetbv\n\t"
		     "mov $1, %0\n\t"
		     "2:\n\t" EXTABLE("1b", "2b")
		     : "+r"(ok)
		     : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
		     : "memory");
	return ok;
}

static inline void xsetbv(u32 index, u64 value)
{
	asm volatile("xsetbv" ::"c"(index), "a"((u32)value),
		     "d"((u32)(value >> 32))
		     : "memory");
}

static inline u64 xgetbv(u32 index)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (u64)high << 32 | low;
}

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

/* Not before the instructions that come before it (SDM 18.17). */
static inline u64 rdtsc_ordered(void)
{
	asm volatile("lfence" ::: "memory");
	return rdtsc();
}

#define DEFINE_PORT_IO(type, suffix)                               \
	static inline type in##suffix(u16 port)                    \
	{                                                          \
		type value;                                        \
                                                                   \
		asm volatile("in %1, %0"                           \
			     : "=a"(value)                         \
			     : "Nd"(port)                          \
			     : "memory");                          \
		return value;                                      \
	}                                                          \
	static inline void out##suffix(u16 port, type value)       \
	{                                                          \
		asm volatile("out %0, %1" ::"a"(value), "Nd"(port) \
			     : "memory");                          \
	}

DEFINE_PORT_IO(u8, b)
DEFINE_PORT_IO(u16, w)
DEFINE_PORT_IO(u32, l)
#undef DEFINE_PORT_IO

static inline void invlpg(u64 virt)
{
	asm volatile("invlpg (%0)" ::"r"(virt) : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" ::: "memory");
}

static inline void sti(void)
{
	asm volatile("sti" ::: "memory");
}

static inline void hlt(void)
{
	asm volatile("hlt" ::: "memory");
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

static inline u64 read_rflags(void)
{
	u64 value;

	asm volatile("pushfq; pop %0" : "=r"(value));
	return value;
}

/* What LGDT, LIDT, SGDT and SIDT read and write. */
struct PACKED table_register {
	u16 limit;
	u64 base;
};
ASSERT_SIZE(struct table_register, 10);

static inline void lgdt(u64 base, u16 limit)
{
	struct table_register r = {limit, base};

	asm volatile("lgdt %0" ::"m"(r) : "memory");
}

static inline void lidt(u64 base, u16 limit)
{
	struct table_register r = {limit, base};

	asm volatile("lidt %0" ::"m"(r) : "memory");
}

static inline void ltr(u16 selector)
{
	asm volatile("ltr %0" ::"r"(selector) : "memory");
}

/* --- the virtualization engines' own (SDM vol. 3C 31.3, APM vol. 3) */

/* False: VMfail. #UD and #GP where the manual says so. */
static inline bool vmxon(u64 region)
{
	bool ok;

	asm volatile("vmxon %1" : "=@cca"(ok) : "m"(region) : "memory");
	return ok;
}

static inline void vmxoff(void)
{
	asm volatile("vmxoff" ::: "cc", "memory");
}

/* FS, GS, TR, LDTR and some MSRs into the VMCB at this physical address. */
static inline void vmsave(u64 phys)
{
	asm volatile("vmsave %0" ::"a"(phys) : "memory");
}

#endif
