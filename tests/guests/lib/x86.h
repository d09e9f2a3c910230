/* The processor's own words: registers, bits and instructions, as in the
 * manuals (SDM volume 3, 2.5 and 4; volume 4 for MSRs). */
#ifndef X86_H
#define X86_H

#include "lib/types.h"

#ifdef __x86_64__
typedef u64 word;
#define WORD_DIRECTIVE ".quad"
#define GPR_COUNT      16
#else
typedef u32 word;
#define WORD_DIRECTIVE ".long"
#define GPR_COUNT      8
#endif

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* lib/start*.S */
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define CODE32_CS 0x18
#define USER_DS	  0x23
#define USER_CS	  0x2b
#define TSS_SEL	  0x30
#define SPARE_SEL 0x40 /* gdt_spare: two entries for tests */

enum {
	EXC_DE,
	EXC_DB,
	EXC_NMI,
	EXC_BP,
	EXC_OF,
	EXC_BR,
	EXC_UD,
	EXC_NM,
	EXC_DF,
	EXC_TS = 10,
	EXC_NP,
	EXC_SS,
	EXC_GP,
	EXC_PF,
	EXC_MF = 16,
	EXC_AC,
	EXC_MC,
	EXC_XM,
};

#define FLAG_CF	  BIT(0)
#define FLAG_ZF	  BIT(6)
#define FLAG_TF	  BIT(8)
#define FLAG_IF	  BIT(9)
#define FLAG_DF	  BIT(10)
#define FLAG_IOPL 0x3000u
#define FLAG_RF	  BIT(16)
#define FLAG_VM	  BIT(17)
#define FLAG_AC	  BIT(18)

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
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_VMXE       BIT(13)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)

#define MSR_TSC		   0x10
#define MSR_APIC_BASE	   0x1b
#define MSR_SYSENTER_CS	   0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT		   0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_EFER	   0xc0000080
#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_CSTAR	   0xc0000083
#define MSR_SFMASK	   0xc0000084
#define MSR_FS_BASE	   0xc0000100
#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX	   0xc0000103

#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)

#define PORT_DEBUG 0xe9
#define PORT_END   0xf4
#define PORT_UART  0x3f8
#define PORT_DELAY 0x80
/* Nothing is there, on Godwit's PC and on QEMU's. */
#define PORT_NONE 0x520

#define INSN static inline __attribute__((always_inline))

INSN void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

INSN u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

INSN void outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

INSN u16 inw(u16 port)
{
	u16 value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

INSN void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

INSN u32 inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#define CR_ACCESS(reg)                                                      \
	INSN word read_##reg(void)                                          \
	{                                                                   \
		word value;                                                 \
		asm volatile("mov %%" #reg ", %0" : "=r"(value)::"memory"); \
		return value;                                               \
	}                                                                   \
	INSN void write_##reg(word value)                                   \
	{                                                                   \
		asm volatile("mov %0, %%" #reg ::"r"(value) : "memory");    \
	}
CR_ACCESS(cr0)
CR_ACCESS(cr2)
CR_ACCESS(cr3)
CR_ACCESS(cr4)
CR_ACCESS(dr0)
CR_ACCESS(dr1)
CR_ACCESS(dr2)
CR_ACCESS(dr3)
CR_ACCESS(dr6)
CR_ACCESS(dr7)
#ifdef __x86_64__
CR_ACCESS(cr8)
#endif

INSN u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return low | (u64)high << 32;
}

INSN void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)value),
		     "d"((u32)(value >> 32))
		     : "memory");
}

INSN u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return low | (u64)high << 32;
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

INSN struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf)
		     : "memory");
	return r;
}

INSN void invlpg(const volatile void *address)
{
	asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}

INSN word save_flags(void)
{
	word flags;

	asm volatile("pushf; pop %0" : "=r"(flags)::"memory");
	return flags;
}

INSN void sti(void)
{
	asm volatile("sti" ::: "memory");
}

INSN void cli(void)
{
	asm volatile("cli" ::: "memory");
}

/* The one way to sleep without missing what was waited for. */
INSN void sti_hlt(void)
{
	asm volatile("sti; hlt" ::: "memory");
}

INSN void cpu_relax(void)
{
	asm volatile("pause" ::: "memory");
}

#endif
