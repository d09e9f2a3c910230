#include "apic.h"

bool apic_x2;
volatile unsigned irq_count[256];

static volatile u32 *reg(unsigned offset)
{
	return (volatile u32 *)(word)(APIC_BASE + offset);
}

u32 apic_read(unsigned offset)
{
	return apic_x2 ? rdmsr(0x800 + (offset >> 4)) : *reg(offset);
}

void apic_write(unsigned offset, u32 value)
{
	if (apic_x2)
		wrmsr(0x800 + (offset >> 4), value);
	else
		*reg(offset) = value;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

u32 apic_id(void)
{
	return apic_x2 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_send(u32 id, u32 icr)
{
	if (apic_x2) {
		wrmsr(0x830, (u64)id << 32 | icr);
		return;
	}
	*reg(APIC_ICR2) = id << 24;
	*reg(APIC_ICR) = icr;
}

void apic_self(u32 icr)
{
	apic_send(0, icr | ICR_TO_SELF | ICR_ASSERT);
}

static void spurious_ignored(void)
{
	trap_gate(APIC_SPURIOUS, 0, 0);
}

void apic_start_as(bool x2)
{
	const u64 on = APIC_BASE_ENABLE, mode = APIC_BASE_X2APIC;
	u64 now = rdmsr(MSR_APIC_BASE), base = now & ~(on | mode);

	/* x2APIC mode is entered from xAPIC, and left by "off" (11.12.5). */
	if (!x2 && (now & mode))
		wrmsr(MSR_APIC_BASE, base);
	if (!(now & mode) || !x2)
		wrmsr(MSR_APIC_BASE, base | on);
	if (x2)
		wrmsr(MSR_APIC_BASE, base | on | mode);
	apic_x2 = x2;
	spurious_ignored();
	apic_write(APIC_SVR, APIC_ENABLE | APIC_SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_TIMER, APIC_MASKED);
	apic_write(APIC_LINT0, APIC_MASKED);
	apic_write(APIC_LINT1, APIC_MASKED);
	apic_write(APIC_ERROR, APIC_MASKED);
	apic_write(APIC_DIVIDE, APIC_DIVIDE_1);
}

void apic_start(void)
{
	bool offered = cpuid(1, 0).ecx & BIT(21);
	char mode[8] = "";

	option_text("apic", mode, sizeof(mode));
	apic_start_as(strcmp(mode, "x") && (offered || !strcmp(mode, "x2")));
}

bool irq_counted(struct trap_frame *frame)
{
	irq_count[frame->vector]++;
	apic_eoi();
	return true;
}
