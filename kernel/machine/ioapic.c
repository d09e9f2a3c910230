#include "machine/ioapic.h"

#include "lib/string.h"
#include "machine/lapic.h"

/* The page (3.1), and what IOREGSEL selects (3.2). */
#define IOREGSEL 0x00
#define IOWIN	 0x10
#define EOIR	 0x40

#define IOAPICID  0x00
#define IOAPICVER 0x01
#define IOAPICARB 0x02
#define IOREDTBL  0x10

#define VERSION (0x20 | (IOAPIC_PINS - 1) << 16)
#define ID_MASK 0x0f000000u

/* An entry (3.2.4); its lower bits are as the ICR's. */
#define ENTRY_REMOTE_IRR BIT(14)
#define ENTRY_LEVEL	 BIT(15)
#define ENTRY_MASKED	 BIT(16)
#define ENTRY_READ_ONLY	 (BIT(12) | ENTRY_REMOTE_IRR)
#define ENTRY_VALID	 0xff0000000001ffffULL
#define ENTRY_DEST(e)	 ((u8)((e) >> 56))

static const struct device_field fields[] = {
	DEVICE_FIELD(struct ioapic, entry, IOAPIC_PINS, 1),
	DEVICE_FIELD(struct ioapic, lines, 1, 1),
	DEVICE_FIELD(struct ioapic, id, 1, 1),
	DEVICE_FIELD(struct ioapic, select, 1, 1),
};

const struct device_description ioapic_description = {
	"ioapic", 1, ARRAY_LEN(fields), fields};

static bool send(struct ioapic *ioapic, u64 entry)
{
	return vlapic_bus_send(ioapic->vm, ENTRY_DEST(entry), entry,
			       entry & ENTRY_LEVEL);
}

/* A level that is there and that nobody has taken yet goes out. */
static void look_at_level(struct ioapic *ioapic, unsigned pin)
{
	u64 *entry = &ioapic->entry[pin];

	if ((ioapic->lines & BIT(pin)) && (*entry & ENTRY_LEVEL) &&
	    !(*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) &&
	    send(ioapic, *entry))
		*entry |= ENTRY_REMOTE_IRR;
}

void ioapic_line(struct ioapic *ioapic, unsigned pin, bool high)
{
	u64 entry = ioapic->entry[pin];
	bool edge = high && !(ioapic->lines & BIT(pin));

	if (high)
		ioapic->lines |= BIT(pin);
	else
		ioapic->lines &= ~BIT(pin);
	if (entry & ENTRY_LEVEL)
		look_at_level(ioapic, pin);
	else if (edge && !(entry & ENTRY_MASKED)) /* masked: lost (3.2.4) */
		(void)send(ioapic, entry);
}

void ioapic_eoi(struct ioapic *ioapic, u8 vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &ioapic->entry[pin];

		if ((u8)*entry != vector || !(*entry & ENTRY_REMOTE_IRR))
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		look_at_level(ioapic, pin);
	}
}

/* --- registers */

static void write_entry(struct ioapic *ioapic, unsigned index, u32 value)
{
	u64 *entry = &ioapic->entry[index / 2];
	u64 kept = *entry & ENTRY_READ_ONLY, written = *entry;

	if (index & 1)
		written = (u64)value << 32 | (u32)written;
	else
		written = (written & 0xffffffff00000000) | value;
	*entry = (written & ENTRY_VALID & ~ENTRY_READ_ONLY) | kept;
	/* Kernels end interrupts by this where there is no EOI register. */
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE_IRR;
	look_at_level(ioapic, index / 2);
}

static u32 read_selected(const struct ioapic *ioapic)
{
	unsigned index = ioapic->select - IOREDTBL;

	switch (ioapic->select) {
	case IOAPICID:
	case IOAPICARB:
		return ioapic->id;
	case IOAPICVER:
		return VERSION;
	}
	if (index >= 2 * IOAPIC_PINS)
		return 0;
	return ioapic->entry[index / 2] >> (index & 1 ? 32 : 0);
}

static void write_selected(struct ioapic *ioapic, u32 value)
{
	unsigned index = ioapic->select - IOREDTBL;

	if (ioapic->select == IOAPICID)
		ioapic->id = value & ID_MASK;
	else if (index < 2 * IOAPIC_PINS)
		write_entry(ioapic, index, value);
}

u32 ioapic_read(struct ioapic *ioapic, u32 offset)
{
	switch (offset) {
	case IOREGSEL:
		return ioapic->select;
	case IOWIN:
		return read_selected(ioapic);
	}
	return 0;
}

void ioapic_write(struct ioapic *ioapic, u32 offset, u32 value)
{
	switch (offset) {
	case IOREGSEL:
		ioapic->select = value;
		break;
	case IOWIN:
		write_selected(ioapic, value);
		break;
	case EOIR:
		ioapic_eoi(ioapic, value);
		break;
	}
}

void ioapic_reset(struct ioapic *ioapic)
{
	ioapic->lines = ioapic->id = ioapic->select = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->entry[pin] = ENTRY_MASKED;
}
