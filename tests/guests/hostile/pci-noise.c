/*
 * Noise into all of configuration space, every access size: BARs over RAM, over
 * the local APIC, over each other and out of the window; commands on and off;
 * and reads of what lies under the BARs all the while.
 */
#include "pci.h"

static u32 look(u32 address, unsigned size)
{
	switch (size) {
	case 1:
		return *(volatile u8 *)(word)address;
	case 2:
		return *(volatile u16 *)(word)address;
	}
	return *(volatile u32 *)(word)address;
}

/* Where the devices are now, and where they may not be. */
static void touch_bars(unsigned slot, u64 noise)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		u32 base = pci_read(slot, PCI_BAR(bar), 4) & ~0xfu;

		if (base >= 0xc0000000 && base < 0xfe000000)
			look(base + (noise & 0x3ffc), 1 << noise % 3);
	}
}

static void one(u64 r)
{
	static const u32 places[] = {0,		 0x100000,   0xfee00000,
				     0xfec00000, 0xbffff000, 0xfdfff000,
				     0xfe000000, 0xfffff000, 0xc0000000};
	unsigned slot = r % 6, size = 1 << (r >> 8) % 3;
	u32 address = PCI_AT((r >> 16) % 64 ? 0 : r >> 24 & 0xff, slot,
			     (r >> 32) % 16 ? 0 : r >> 36 & 7, r >> 40 & 0xff);

	pci_get(address, size);
	pci_put(address, size, random_number());
	if (r % 7 == 0)
		pci_write(slot, PCI_BAR(r >> 12 & 3), 4,
			  places[(r >> 20) % ARRAY_LEN(places)]);
	if (r % 5 == 0)
		pci_write(slot, PCI_COMMAND, 2, random_number());
	touch_bars(slot, random_number());
}

/* CONFIG_ADDRESS by bytes and words, data at odd places: not the reset. */
static void odd_ports(u64 r)
{
	u16 port = PORT_PCI_ADDRESS + r % 8;
	u32 value = r >> 8;

	if (port != 0xcf9) {
		outb(port, value);
		(void)inb(port);
	}
	if (port > 0xcf9) {
		outl(port, value);
		(void)inl(port);
	}
}

int guest_main(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		one(random_number());
		if (i % 8 == 0)
			odd_ports(random_number());
	}
	return 0;
}
