#include "cpu/cpu.h"
#include "cpu/panic.h"
#include "cpu/power.h"
#include "cpu/regs.h"
#include "lib/console.h"
#include "lib/notice.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/symbols.h"
#include "mm/paging.h"

#define FRAMES_MAX 24

/* A frame pointer's target: the caller's frame pointer, the return address. */
struct stack_frame {
	u64 caller;
	u64 return_address;
};

/* Reads memory that may not be there: the stack may be what is broken. */
static bool read_safe(u64 addr, u64 *value)
{
	u32 ok = 0;

	asm volatile("1: mov (%2), %1\n\t"
		     "mov $1, %0\n\t"
		     "2:\n\t" EXTABLE("1b", "2b")
		     : "+r"(ok), "=&r"(*value)
		     : "r"(addr)
		     : "memory");
	return ok;
}

static void print_address(u64 addr, u64 lookup)
{
	char text[SYMBOL_TEXT_MAX];

	printf("  [0x%016lx] %s\n", addr,
	       symbol_text(text, sizeof(text), lookup));
}

static void print_backtrace(u64 rbp)
{
	for (unsigned i = 0; i < FRAMES_MAX && rbp != 0; i++) {
		struct stack_frame f;

		if (rbp % 8 != 0 || !read_safe(rbp, &f.caller) ||
		    !read_safe(rbp + 8, &f.return_address)) {
			printf("  (frame pointer 0x%lx is bad)\n", rbp);
			return;
		}
		if (f.return_address == 0)
			return;
		/* The call is before the address that it returns to. */
		print_address(f.return_address, f.return_address - 1);
		if (f.caller != 0 && f.caller <= rbp)
			return;
		rbp = f.caller;
	}
}

static void print_registers(const struct trap_frame *f)
{
	printf("rip %016lx  rsp %016lx  rflags %08lx  cs %02lx ss %02lx\n",
	       f->rip, f->rsp, f->rflags, f->cs, f->ss);
	printf("rax %016lx  rbx %016lx  rcx %016lx\n", f->rax, f->rbx, f->rcx);
	printf("rdx %016lx  rsi %016lx  rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	printf("rbp %016lx  r8  %016lx  r9  %016lx\n", f->rbp, f->r8, f->r9);
	printf("r10 %016lx  r11 %016lx  r12 %016lx\n", f->r10, f->r11, f->r12);
	printf("r13 %016lx  r14 %016lx  r15 %016lx\n", f->r13, f->r14, f->r15);
}

static void print_control_registers(void)
{
	printf("cr0 %016lx  cr2 %016lx  cr3 %016lx\n", read_cr0(), read_cr2(),
	       read_cr3());
	printf("cr4 %016lx\n", read_cr4());
}

/*
 * One CPU at a time: the first one tells, the others wait for its NMI. A panic
 * within the panic ends the run with what has been said.
 */
static void begin(void)
{
	static u32 first; /* the panicking CPU's id + 1 */
	u32 expected = 0, me = this_cpu()->id + 1;

	cli();
	if (!__atomic_compare_exchange_n(&first, &expected, me, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (expected == me)
			machine_end(false);
		for (;;)
			hlt();
	}
	smp_stop_others();
	console_break_lock();
	notice_break_lock();
}

/* Programs get the reason; the rest is for people. */
static void tell(const char *reason)
{
	struct notice n;

	notice_begin(&n, "panic");
	json_text(&n.json, "text", reason);
	notice_end(&n);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	char reason[200];
	va_list args;

	begin();
	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	printf("\npanic: %s", reason);
	tell(reason);
	printf("\non CPU %u, at %s:%d\n", this_cpu()->id, file, line);
	print_control_registers();
	print_backtrace((u64)__builtin_frame_address(0));
	machine_end(false);
}

static const char *page_fault_text(u64 error)
{
	if (error & 16)
		return "instruction fetch";
	return error & 2 ? "write" : "read";
}

void panic_trap(const struct trap_frame *frame)
{
	begin();
	printf("\npanic: %s", exception_name(frame->vector));
	tell(exception_name(frame->vector));
	if (frame->vector == EXC_DF && is_stack_guard(read_cr2()))
		printf(", stack overflow");
	if (frame->vector == EXC_PF)
		printf(", %s at 0x%lx", page_fault_text(frame->error),
		       read_cr2());
	printf(", error code 0x%lx\non CPU %u\n", frame->error, this_cpu()->id);
	print_registers(frame);
	print_control_registers();
	print_address(frame->rip, frame->rip);
	print_backtrace(frame->rbp);
	machine_end(false);
}
