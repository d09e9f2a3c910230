/* Configuration mechanism #1: PCI Local Bus Specification 3.0, 3.2.2.3.2. */
#include "cpu/regs.h"
#include "drivers/pci.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  BIT(31)

static void select(u16 where, unsigned reg)
{
	outl(CONFIG_ADDRESS,
	     (u32)(CONFIG_ENABLE | (u32)where << 8 | (reg & 0xfc)));
}

u32 pci_config_read(u16 where, unsigned reg)
{
	select(where, reg);
	return inl(CONFIG_DATA);
}

void pci_config_write(u16 where, unsigned reg, u32 value)
{
	select(where, reg);
	outl(CONFIG_DATA, value);
}
