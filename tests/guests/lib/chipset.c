#include "chipset.h"

void pic_start(u8 base, u16 irqs)
{
	static const u16 command[] = {0x20, 0xa0};

	for (unsigned i = 0; i < 2; i++) {
		outb(command[i], 0x11); /* ICW1: with ICW4, cascaded */
		outb(command[i] + 1, base + 8 * i);
		outb(command[i] + 1, i ? 2 : 4);
		outb(command[i] + 1, 1); /* ICW4: 8086 */
		outb(command[i] + 1, ~irqs >> 8 * i);
	}
}

static volatile u32 *ioapic(unsigned offset)
{
	return (volatile u32 *)(word)(IOAPIC_BASE + offset);
}

u32 ioapic_read(unsigned reg)
{
	*ioapic(0) = reg;
	return *ioapic(0x10);
}

void ioapic_write(unsigned reg, u32 value)
{
	*ioapic(0) = reg;
	*ioapic(0x10) = value;
}

void ioapic_route(unsigned pin, u32 entry)
{
	ioapic_write(0x11 + 2 * pin, apic_id() << 24);
	ioapic_write(0x10 + 2 * pin, entry);
}

u32 ioapic_entry(unsigned pin)
{
	return ioapic_read(0x10 + 2 * pin);
}

void pit_start(unsigned channel, unsigned mode, u16 count)
{
	outb(PIT_CONTROL, channel << 6 | 0x30 | mode << 1);
	outb(PIT_CHANNEL_0 + channel, count);
	outb(PIT_CHANNEL_0 + channel, count >> 8);
}

u16 pit_count(unsigned channel)
{
	u8 low;

	outb(PIT_CONTROL, channel << 6);
	low = inb(PIT_CHANNEL_0 + channel);
	return low | inb(PIT_CHANNEL_0 + channel) << 8;
}

u8 cmos_read(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

void cmos_write(u8 index, u8 value)
{
	outb(0x70, index);
	outb(0x71, value);
}

u8 byte_sum(const u8 *bytes, u32 n)
{
	u8 sum = 0;

	while (n--)
		sum += *bytes++;
	return sum;
}

static const u8 *at(u64 address)
{
	return (const u8 *)(word)address;
}

static const u8 *find_root(void)
{
	for (u32 a = 0xe0000; a < 0x100000; a += 16)
		if (!memcmp(at(a), "RSD PTR ", 8) && !byte_sum(at(a), 20) &&
		    !byte_sum(at(a), GET(u32, at(a), 20)))
			return at(a);
	return NULL;
}

const u8 *acpi_table(const char *signature)
{
	const u8 *root = find_root(), *xsdt;
	u32 length;

	if (!root)
		return NULL;
	xsdt = at(GET(u64, root, 24));
	length = GET(u32, xsdt, 4);
	if (memcmp(xsdt, "XSDT", 4) || byte_sum(xsdt, length))
		return NULL;
	for (u32 i = 36; i < length; i += 8) {
		const u8 *table = at(GET(u64, xsdt, i));

		if (!memcmp(table, signature, 4) &&
		    !byte_sum(table, GET(u32, table, 4)))
			return table;
	}
	return NULL;
}

/* Name (_S5_, Package (n) {type, ...}): op, length, n, a constant. */
int acpi_off_type(void)
{
	const u8 *fadt = acpi_table("FACP"), *dsdt, *p;
	u32 length;

	if (!fadt)
		return -1;
	dsdt = at(GET(u32, fadt, FADT_DSDT));
	length = GET(u32, dsdt, 4);
	for (u32 i = 36; i + 16 < length; i++) {
		if (memcmp(dsdt + i, "_S5_\x12", 5))
			continue;
		p = dsdt + i + 5;
		p += 1 + (*p >> 6) + 1;
		return *p == 0x0a ? p[1] : *p;
	}
	return -1;
}
