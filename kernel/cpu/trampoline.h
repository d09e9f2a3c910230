/*
 * What smp.c and trampoline.S share: the layout of the page below 1 MiB where
 * an application processor begins. The code is copied there, the parameters at
 * its end are filled in for each CPU.
 */
#ifndef CPU_TRAMPOLINE_H
#define CPU_TRAMPOLINE_H

#define TRAMPOLINE_PARAMS 0xf00 /* offset in the page */

#define PARAM_GDT_LIMIT 0xf00
#define PARAM_GDT_BASE	0xf02
#define PARAM_ROOT	0xf08
#define PARAM_FAR32	0xf10
#define PARAM_FAR64	0xf18
#define PARAM_STACK	0xf20
#define PARAM_CPU	0xf28
#define PARAM_ENTRY	0xf30

#define TRAMPOLINE_CODE32 0x08
#define TRAMPOLINE_DATA	  0x10
#define TRAMPOLINE_CODE64 0x18

#ifndef __ASSEMBLY__

#include "lib/types.h"

struct PACKED far_pointer {
	u32 offset;
	u16 selector;
	u16 unused;
};

struct PACKED trampoline_params {
	u16 gdt_limit;
	u32 gdt_base;
	u16 unused1;
	u32 root; /* page tables, below 4 GiB */
	u32 unused2;
	struct far_pointer far32, far64;
	u64 stack;
	u64 cpu;
	u64 entry;
};
#define PARAM_AT(field, at) \
	ASSERT_OFFSET(struct trampoline_params, field, (at)-TRAMPOLINE_PARAMS)
PARAM_AT(gdt_limit, PARAM_GDT_LIMIT);
PARAM_AT(gdt_base, PARAM_GDT_BASE);
PARAM_AT(root, PARAM_ROOT);
PARAM_AT(far32, PARAM_FAR32);
PARAM_AT(far64, PARAM_FAR64);
PARAM_AT(stack, PARAM_STACK);
PARAM_AT(cpu, PARAM_CPU);
PARAM_AT(entry, PARAM_ENTRY);
#undef PARAM_AT

/* Not run where they lie in the image: read-only data there. */
extern const u8 trampoline_start[], trampoline_end[];
extern const u8 trampoline_32[], trampoline_64[], trampoline_gdt[];

#endif
#endif
