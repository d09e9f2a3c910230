/*
 * Noise into every register of the local APIC, in every width and alignment,
 * and over its page's ends; only INIT and start-up are left out.
 */
#include "apic.h"

static u64 place;
static u64 noise;

static void store(void)
{
	switch (noise & 3) {
	case 0:
		*(volatile u8 *)place = noise >> 8;
		break;
	case 1:
		*(volatile u16 *)place = noise >> 8;
		break;
	case 2:
		*(volatile u32 *)place = noise >> 8;
		break;
	default:
		*(volatile u64 *)place = noise >> 8;
	}
	(void)*(volatile u64 *)place;
}

int guest_main(void)
{
	apic_start_as(false);
	for (unsigned i = 0; i < 6000; i++) {
		noise = random_number();
		place = APIC_BASE - 8 + (noise >> 40) % 0x1010;
		if (place + 8 > APIC_BASE + APIC_ICR &&
		    place < APIC_BASE + APIC_ICR + 4)
			continue;
		attempt(store);
	}
	return 0;
}
