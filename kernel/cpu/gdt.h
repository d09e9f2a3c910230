/*
 * Descriptor tables: each CPU has its own GDT and TSS, all share one IDT.
 * Engines put these selectors and bases into their host state.
 */
#ifndef CPU_GDT_H
#define CPU_GDT_H

#include "lib/types.h"

#define GDT_CODE 0x08
#define GDT_DATA 0x10
#define GDT_TSS	 0x18

struct gdt {
	u64 entries[5]; /* null, code, data, TSS (two entries) */
} ALIGNED(16);

/* Interrupt stack table slots, from 1 as in the IDT (SDM vol. 3A 6.14.5). */
enum ist { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_COUNT };

struct PACKED tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* slot n is ist[n - 1] */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
};
ASSERT_SIZE(struct tss, 104);

struct cpu;

/* On the CPU itself: fills and loads its GDT and TSS, sets its GS base. */
void gdt_load(struct cpu *cpu);

#endif
