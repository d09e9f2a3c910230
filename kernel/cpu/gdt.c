#include "cpu/cpu.h"
#include "cpu/gdt.h"
#include "cpu/msr.h"
#include "cpu/regs.h"

/* Flat 64-bit segments, accessed, ring 0 (SDM vol. 3A 3.4.5). */
#define SEGMENT_CODE  0x00af9b000000ffffULL
#define SEGMENT_DATA  0x00cf93000000ffffULL
#define TSS_AVAILABLE 0x89ULL

static void set_tss(struct gdt *gdt, const struct tss *tss)
{
	u64 base = (u64)tss, limit = sizeof(*tss) - 1;

	gdt->entries[GDT_TSS / 8] = limit | (base & 0xffffff) << 16 |
				    TSS_AVAILABLE << 40 |
				    (base >> 24 & 0xff) << 56;
	gdt->entries[GDT_TSS / 8 + 1] = base >> 32;
}

/* Data segments by MOV, CS by a far return, FS and GS emptied. */
static void reload_segments(void)
{
	asm volatile("mov %0, %%ds\n\t"
		     "mov %0, %%es\n\t"
		     "mov %0, %%ss\n\t"
		     "mov %1, %%fs\n\t"
		     "mov %1, %%gs\n\t"
		     "pushq %2\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n\t"
		     "1:"
		     :
		     : "r"(GDT_DATA), "r"(0), "i"(GDT_CODE)
		     : "rax", "memory");
}

void gdt_load(struct cpu *cpu)
{
	struct gdt *gdt = &cpu->gdt;

	gdt->entries[GDT_CODE / 8] = SEGMENT_CODE;
	gdt->entries[GDT_DATA / 8] = SEGMENT_DATA;
	cpu->tss.io_map_base = sizeof(cpu->tss);
	set_tss(gdt, &cpu->tss);
	lgdt((u64)gdt, sizeof(*gdt) - 1);
	reload_segments();
	ltr(GDT_TSS);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, (u64)cpu);
}
