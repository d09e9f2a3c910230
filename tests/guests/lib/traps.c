/* Exceptions: the IDT and TSS, and what is done with an exception. */
#include "guest.h"
#include "traps.h"

trap_hook trap_hooks[256];
volatile struct caught caught;
word user_flags = 2;

extern const u8 trap_entries[];
extern const u8 guard_return[], user_stack_top[];
extern u8 ist_stack_top[];
extern u64 gdt_tss[2];
extern const word catch_start[], catch_end[];

#ifdef __x86_64__

struct gate {
	u16 offset_low, selector, attributes, offset_middle;
	u32 offset_high, reserved;
};

static struct PACKED {
	u32 reserved;
	u64 rsp[3];
	u64 reserved2;
	u64 ist[7];
	u64 reserved3;
	u16 reserved4, iomap;
	u8 io[IO_BITMAP_BYTES];
} tss ALIGNED(16);

static void tss_stacks(void)
{
	tss.rsp[0] = (word)trap_stack_top;
	for (unsigned i = 0; i < 3; i++)
		tss.ist[i] = (word)ist_stack_top - i * 4096;
}

#else

struct gate {
	u16 offset_low, selector, attributes, offset_middle;
};

static struct PACKED {
	u32 link, esp0, ss0, void1[22];
	u16 trap, iomap;
	u8 io[IO_BITMAP_BYTES];
} tss ALIGNED(16);

static void tss_stacks(void)
{
	tss.esp0 = (word)trap_stack_top;
	tss.ss0 = KERNEL_DS;
}

#endif

static struct gate idt[256] ALIGNED(16);

#define GATE_INTERRUPT 0x8e00u

void trap_gate(unsigned vector, unsigned dpl, unsigned ist)
{
	word entry = (word)trap_entries + vector * 16;

	idt[vector] = (struct gate){
		.offset_low = entry,
		.selector = KERNEL_CS,
		.attributes = GATE_INTERRUPT | dpl << 13 | ist,
		.offset_middle = entry >> 16,
	};
}

void trap_gate_absent(unsigned vector)
{
	idt[vector].attributes &= ~0x8000u;
}

u8 *io_bitmap(void)
{
	return tss.io;
}

static void tss_load(void)
{
	word base = (word)&tss, limit = sizeof(tss) - 1;

	tss_stacks();
	memset(tss.io, 0xff, sizeof(tss.io));
	tss.iomap = (u8 *)tss.io - (u8 *)&tss;
	gdt_tss[0] = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 |
		     0x0000890000000000ULL | (u64)(base >> 24 & 0xff) << 56;
	gdt_tss[1] = (u64)base >> 32;
	asm volatile("ltr %w0" ::"r"(TSS_SEL));
}

void idt_load(void)
{
	struct PACKED {
		u16 limit;
		word base;
	} idtr = {sizeof(idt) - 1, (word)idt};

	asm volatile("lidt %0" ::"m"(idtr));
}

void traps_init(void)
{
	for (unsigned i = 0; i < 256; i++)
		trap_gate(i, i == VEC_USER_RETURN ? 3 : 0, 0);
	idt_load();
	tss_load();
}

/* --- an exception comes --- */

const char *caught_text(void)
{
	static const char names[20][4] = {"#DE", "#DB", "NMI", "#BP", "#OF",
					  "#BR", "#UD", "#NM", "#DF", "?",
					  "#TS", "#NP", "#SS", "#GP", "#PF",
					  "?",	 "#MF", "#AC", "#MC", "#XM"};
	static char text[40];

	if (caught.vector < 0)
		return "no exception";
	if (caught.vector < 20)
		format(text, sizeof(text), "%s error %x", names[caught.vector],
		       caught.error);
	else
		format(text, sizeof(text), "vector %d", caught.vector);
	return text;
}

static void note(const struct trap_frame *frame)
{
	caught.vector = frame->vector;
	caught.error = frame->error;
	caught.rip = frame->rip;
	caught.rflags = frame->rflags;
	caught.cr2 = read_cr2();
	if (frame->vector == EXC_DB)
		caught.dr6 = read_dr6();
}

/* The frame leads back to a function's end in the kernel. */
static void back_to(struct trap_frame *frame, const u8 *where)
{
	frame->rip = (word)where;
	frame->cs = KERNEL_CS;
	frame->rflags = 2;
#ifdef __x86_64__
	frame->rsp = (word)trap_stack_top;
	frame->ss = KERNEL_DS;
#endif
}

static bool leaves_user(struct trap_frame *frame)
{
	if (frame->vector != VEC_USER_RETURN || (frame->cs & 3) != 3)
		return false;
	back_to(frame, user_return);
	return true;
}

static bool is_expected(struct trap_frame *frame)
{
	for (const word *c = catch_start; c < catch_end; c += 2) {
		if (c[0] != frame->rip)
			continue;
		note(frame);
		frame->rip = c[1];
		return true;
	}
	return false;
}

void trap_handler(struct trap_frame *frame)
{
	trap_hook hook = trap_hooks[frame->vector];

	if ((hook && hook(frame)) || leaves_user(frame) || is_expected(frame))
		return;
	note(frame);
	test_broken("unexpected %s at %lx, CR2 %lx", caught_text(),
		    (unsigned long)frame->rip, (unsigned long)caught.cr2);
	back_to(frame, guard_return);
}
