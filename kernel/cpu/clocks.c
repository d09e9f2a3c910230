#include "cpu/acpi.h"
#include "cpu/clocks.h"
#include "cpu/regs.h"
#include "mm/paging.h"

/* What nobody answers reads as ones and stands still; so does a broken clock.
 */
static bool runs(u64 (*read)(void))
{
	u64 first = read();

	for (unsigned i = 0; i < 1000; i++) {
		if (read() != first)
			return true;
	}
	return false;
}

/* --- HPET (IA-PC HPET specification 1.0a, 2.3) */

#define HPET_PERIOD_FS	0x004
#define HPET_CONFIG	0x010
#define HPET_COUNTER	0x0f0
#define HPET_RUN	BIT(0)
#define FS_PER_S	1000000000000000ULL
#define HPET_PERIOD_MAX 100000000 /* by specification, 100 ns */

static volatile u32 *hpet;

static u64 hpet_read(void)
{
	return hpet[HPET_COUNTER / 4];
}

static bool hpet_find(struct clock *clock)
{
	u64 base = acpi_hpet_base();
	u32 period;

	hpet = base != 0 ? mmio_map(base, KIB(1)) : NULL;
	if (hpet == NULL)
		return false;
	period = hpet[HPET_PERIOD_FS / 4];
	if (period == 0 || period > HPET_PERIOD_MAX)
		return false;
	hpet[HPET_CONFIG / 4] |= HPET_RUN;
	if (!runs(hpet_read))
		return false;
	*clock = (struct clock){"HPET", FS_PER_S / period, UINT32_MAX,
				hpet_read};
	return true;
}

/* --- ACPI PM timer (ACPI 6.4, 4.8.3.3) */

#define PM_TIMER_HZ   3579545
#define PM_TIMER_MASK 0xffffff /* some have 32 bits; 24 last for 4.6 s */

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc

/* Where chipsets keep their PM base, for machines without ACPI tables. */
static const struct {
	u32 id;
	u8 device, function;
	u8 base;   /* configuration register */
	u16 mask;  /* of the address in it */
	u8 enable; /* configuration register and bit that turn it on */
	u8 enable_bit;
} pm_chips[] = {
	{0x71138086, 1, 3, 0x40, 0xffc0, 0x80, 0},  /* PIIX4 */
	{0x29188086, 31, 0, 0x40, 0xff80, 0x44, 7}, /* ICH9 */
};
#define PM_TIMER_OFFSET 8

static u16 pm_port;

static u32 pci_read(unsigned device, unsigned function, unsigned reg)
{
	outl(PCI_ADDRESS, (u32)(BIT(31) | device << 11 | function << 8 | reg));
	return inl(PCI_DATA);
}

static u16 pm_port_from_chipset(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(pm_chips); i++) {
		unsigned dev = pm_chips[i].device, fn = pm_chips[i].function;

		if (pci_read(dev, fn, 0) != pm_chips[i].id ||
		    !(pci_read(dev, fn, pm_chips[i].enable) >>
			      pm_chips[i].enable_bit &
		      1))
			continue;
		return (u16)((pci_read(dev, fn, pm_chips[i].base) &
			      pm_chips[i].mask) +
			     PM_TIMER_OFFSET);
	}
	return 0;
}

static u64 pm_read(void)
{
	return inl(pm_port) & PM_TIMER_MASK;
}

static bool pm_find(struct clock *clock)
{
	pm_port = acpi_pm_timer_port();
	if (pm_port == 0)
		pm_port = pm_port_from_chipset();
	if (pm_port == 0 || !runs(pm_read))
		return false;
	*clock =
		(struct clock){"PM timer", PM_TIMER_HZ, PM_TIMER_MASK, pm_read};
	return true;
}

/* --- PIT channel 2 (8254 data sheet) */

#define PIT_HZ	     1193182
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_MODE0    0xb0 /* channel 2, both bytes, counts down from a load */
#define PIT_LATCH    0x80
#define SPEAKER	     0x61
#define SPEAKER_GATE 0x01
#define SPEAKER_ON   0x02

static u64 pit_read(void)
{
	u64 count;

	outb(PIT_COMMAND, PIT_LATCH);
	count = inb(PIT_CHANNEL2);
	count |= (u64)inb(PIT_CHANNEL2) << 8;
	return UINT16_MAX - count;
}

static void pit_find(struct clock *clock)
{
	u8 gate = inb(SPEAKER);

	outb(SPEAKER, (u8)((gate & ~SPEAKER_ON) | SPEAKER_GATE));
	outb(PIT_COMMAND, PIT_MODE0);
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	*clock = (struct clock){"PIT", PIT_HZ, UINT16_MAX, pit_read};
}

unsigned clocks_find(struct clock *clocks, unsigned max)
{
	unsigned count = 0;

	if (count < max && hpet_find(&clocks[count]))
		count++;
	if (count < max && pm_find(&clocks[count]))
		count++;
	if (count < max)
		pit_find(&clocks[count++]);
	return count;
}
