/*
 * For lab 1's unit checks, found before the kernel's header of this name: the
 * same constants, and a processor made up by processor.c in the place of those
 * registers and instructions that only a kernel may use.
 */
#ifndef LAB1_FAKE_REGS_H
#define LAB1_FAKE_REGS_H

#define rdmsr	   real_rdmsr
#define wrmsr	   real_wrmsr
#define rdmsr_safe real_rdmsr_safe
#define wrmsr_safe real_wrmsr_safe
#define cpuid	   real_cpuid
#define read_cr0   real_read_cr0
#define write_cr0  real_write_cr0
#define read_cr4   real_read_cr4
#define write_cr4  real_write_cr4
#define vmxon	   real_vmxon
#define vmxoff	   real_vmxoff
#define vmsave	   real_vmsave
#include "kernel/cpu/regs.h"
#undef rdmsr
#undef wrmsr
#undef rdmsr_safe
#undef wrmsr_safe
#undef cpuid
#undef read_cr0
#undef write_cr0
#undef read_cr4
#undef write_cr4
#undef vmxon
#undef vmxoff
#undef vmsave

u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
struct cpuid_regs cpuid(u32 leaf, u32 subleaf);
u64 read_cr0(void);
void write_cr0(u64 value);
u64 read_cr4(void);
void write_cr4(u64 value);
bool vmxon(u64 region);
void vmxoff(void);
void vmsave(u64 phys);

#endif
