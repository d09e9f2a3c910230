/*
 * Noise into every register of the interrupt controllers, timers, clock and
 * power management, in every width. Only what is meant to end the guest is left
 * out: power-off, and INIT by the I/O APIC.
 */
#include "chipset.h"

static const struct {
	u16 port, count;
} places[] = {
	{0x20, 2}, {0xa0, 2}, {0x4d0, 2}, {0x40, 4},
	{0x61, 1}, {0x70, 2}, {0x600, 4}, {0x608, 4},
};

static u64 noise;

static void touch_port(void)
{
	unsigned i = noise % ARRAY_LEN(places);
	u16 port = places[i].port + (noise >> 8) % places[i].count;
	u32 value = noise >> 32;

	switch (noise >> 16 & 7) {
	case 0:
		asm volatile("inb %1, %b0" : "+a"(value) : "d"(port));
		break;
	case 1:
		asm volatile("inw %1, %w0" : "+a"(value) : "d"(port));
		break;
	case 2:
		asm volatile("inl %1, %0" : "+a"(value) : "d"(port));
		break;
	case 3:
		if (port < 0x600)
			asm volatile("outw %w0, %1" ::"a"(value), "d"(port));
		break;
	case 4:
		if (port < 0x600)
			asm volatile("outl %0, %1" ::"a"(value), "d"(port));
		break;
	default:
		outb(port, value);
	}
}

/* Register and value at once, and now and then anything anywhere. */
static void touch_ioapic(void)
{
	u32 value = noise >> 32;
	volatile u8 *page = (volatile u8 *)(word)IOAPIC_BASE;
	unsigned offset = (noise >> 16) % 0xff8;

	if ((value >> 8 & 7) >= 5)
		value &= ~0x700u;
	if (noise & 0x100) {
		ioapic_write((noise >> 16) & 0x3f, value);
		return;
	}
	if (offset >= 0x10 && offset < 0x20)
		return;
	if (noise & 0x200)
		*(volatile u64 *)(page + offset) = value;
	else
		page[offset] = value;
	(void)*(volatile u16 *)(page + offset);
}

static bool ignore(struct trap_frame *frame)
{
	return true;
}

int guest_main(void)
{
	apic_start();
	trap_hooks[EXC_NMI] = ignore;
	for (unsigned i = 0; i < 8000; i++) {
		noise = random_number();
		attempt(noise >> 63 ? touch_port : touch_ioapic);
	}
	return 0;
}
