/*
 * A switch to another task by the hardware, by a far jump to its segment. VMX
 * leaves that to the hypervisor, which does not offer it.
 */
#include "guest.h"

static struct {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
} task;
static u8 stack[1024];
extern u64 gdt_spare[2];

static void task_main(void)
{
	print("in the other task\n");
	guest_end(0);
}

int guest_main(void)
{
	static const struct {
		u32 offset;
		u16 selector;
	} far = {0, SPARE_SEL};
	u32 base = (u32)&task;

	task.eip = (u32)task_main;
	task.eflags = 2;
	task.esp = (u32)stack + sizeof(stack) - 16;
	task.cs = KERNEL_CS;
	task.es = task.ss = task.ds = KERNEL_DS;
	task.iomap = sizeof(task);
	gdt_spare[0] = (sizeof(task) - 1) | (u64)(base & 0xffffff) << 16 |
		       0x0000890000000000ULL | (u64)(base >> 24) << 56;
	asm volatile("ljmp *%0" ::"m"(far));
	return 1;
}
