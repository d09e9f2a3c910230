/*
 * Thousands of random instruction streams in user mode, each ended by its first
 * exception or by the timer. What the processor decodes, the hypervisor may
 * have to decode as well.
 */
#include "apic.h"
#include "multiboot.h"
#include "pages.h"
#include "traps.h"

#define CODE (TEST_BASE + 0x10000)
#define DATA (TEST_BASE + 0x20000)
#define VEC  0x53

static unsigned ran;

static bool stop_user(struct trap_frame *frame)
{
	if (frame->vector == VEC)
		apic_eoi();
	if ((frame->cs & 3) != 3)
		return frame->vector == VEC;
	frame->rip = (u64)user_return; /* whatever it was */
	frame->cs = KERNEL_CS;
	frame->ss = KERNEL_DS;
	frame->rflags = 2;
	frame->rsp = (u64)trap_stack_top;
	return true;
}

/*
 * It can harm itself only: the low memory is the supervisor's, and where there
 * is no RAM nothing is mapped (emulators read IRET's stack as supervisor).
 */
static void confine(void)
{
	u64 end = MIB(1) + ((u64)boot_info->mem_upper << 10);

	for (u64 at = ALIGN_UP(end, MIB(2)); at < GIB(4); at += MIB(2))
		if (apic_x2 || at != ALIGN_DOWN(APIC_BASE, MIB(2)))
			*page_entry(at, 1) = 0;
	pml4[0] &= ~PTE_U;
	write_cr3(read_cr3());
}

int guest_main(void)
{
	u64 *code = page_alloc();

	apic_start();
	apic_write(APIC_TIMER, VEC);
	for (unsigned v = 0; v < 256; v++)
		trap_hooks[v] = stop_user;
	page_map(CODE, (u64)code, PTE_RWU);
	page_map(DATA, (u64)page_alloc(), PTE_RWU);
	confine();
	user_flags = 2 | FLAG_IF;
	for (; ran < 4000; ran++) {
		for (unsigned i = 0; i < 64; i++)
			code[i] = random_number();
		apic_write(APIC_INITIAL, 1000000);
		user_call((void (*)(void))CODE);
		cli();
	}
	print("%u streams\n", ran);
	return 0;
}
