#include "machine/ioapic.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "machine/chipset.h"
#include "machine/lapic_regs.h"
#include "vm/vm.h"

/* In the page: which register, its value, the end of an interrupt. */
#define SELECT 0x00
#define WINDOW 0x10
#define EOI    0x40

/* Registers behind the window; from ENTRIES on two each. */
#define REG_ID	    0x00
#define REG_VERSION 0x01
#define REG_ARB	    0x02
#define ENTRIES	    0x10

#define VERSION 0x20

/* A redirection entry: its lower word is as an ICR's, but for these. */
#define ENTRY_SENT     BIT(12) /* delivery status: it is never on the way */
#define ENTRY_ACTIVE_0 BIT(13) /* polarity: our lines are active or not */
#define ENTRY_REMOTE   BIT(14) /* level: accepted, and not ended yet */
#define ENTRY_LEVEL    BIT(15)
#define ENTRY_MASKED   BIT(16)
#define ENTRY_WRITABLE 0xff0000000001afffULL

static const struct device_field fields[] = {
	DEVICE_FIELD(struct ioapic, select, 1, 1),
	DEVICE_FIELD_MAX(struct ioapic, id, 1, 1, 15),
	DEVICE_FIELD_MAX(struct ioapic, pins, 1, 1, BIT(IOAPIC_PINS) - 1),
	DEVICE_FIELD(struct ioapic, entry, IOAPIC_PINS, 1),
};

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct ioapic *ioapic = device;

	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		if (ioapic->entry[i] & ~(ENTRY_WRITABLE | ENTRY_REMOTE)) {
			snprintf(why, size, "entry %u: %lx: reserved bits", i,
				 ioapic->entry[i]);
			return false;
		}
	return true;
}

const struct device_description ioapic_description = {
	"ioapic", 1, ARRAY_LEN(fields), fields, check};

void ioapic_reset(struct ioapic *ioapic)
{
	memset(ioapic, 0, sizeof(*ioapic));
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		ioapic->entry[i] = ENTRY_MASKED;
}

static void send(struct vm *vm, u64 *entry)
{
	const struct vlapic_message message = {
		.destination = *entry >> 56,
		.logical = *entry & ICR_LOGICAL,
		.delivery = DELIVERY(*entry),
		.vector = *entry,
		.level = *entry & ENTRY_LEVEL,
	};

	/* A level that nobody took would have nobody to end it. */
	if (vlapic_deliver(vm, &message) && message.level)
		*entry |= ENTRY_REMOTE;
}

/* A level that holds is sent when nobody works on it. */
static void serve_level(struct vm *vm, unsigned pin)
{
	struct ioapic *ioapic = &vm->chipset->ioapic;
	u64 *entry = &ioapic->entry[pin];

	if ((*entry & ENTRY_LEVEL) &&
	    !(*entry & (ENTRY_MASKED | ENTRY_REMOTE)) &&
	    (ioapic->pins & BIT(pin)))
		send(vm, entry);
}

/* An edge at a masked pin is ignored, not kept (3.2.4, bit 16). */
void ioapic_pin(struct vm *vm, unsigned pin, bool high)
{
	struct ioapic *ioapic = &vm->chipset->ioapic;
	bool rises = high && !(ioapic->pins & BIT(pin));
	u64 *entry = &ioapic->entry[pin];

	ioapic->pins &= ~BIT(pin);
	if (high)
		ioapic->pins |= BIT(pin);
	if (*entry & ENTRY_LEVEL)
		serve_level(vm, pin);
	else if (rises && !(*entry & ENTRY_MASKED))
		send(vm, entry);
}

void ioapic_eoi(struct vm *vm, u8 vector)
{
	struct ioapic *ioapic = &vm->chipset->ioapic;

	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &ioapic->entry[pin];

		if (!(*entry & ENTRY_REMOTE) || (u8)*entry != vector)
			continue;
		*entry &= ~ENTRY_REMOTE;
		serve_level(vm, pin);
	}
}

/* --- registers */

static u32 read_window(const struct ioapic *ioapic)
{
	unsigned reg = ioapic->select, pin = (reg - ENTRIES) / 2;

	switch (reg) {
	case REG_ID:
	case REG_ARB:
		return (u32)ioapic->id << 24;
	case REG_VERSION:
		return VERSION | (IOAPIC_PINS - 1) << 16;
	}
	if (reg < ENTRIES || pin >= IOAPIC_PINS)
		return 0;
	return ioapic->entry[pin] >> (reg & 1 ? 32 : 0);
}

static void write_entry(struct vm *vm, unsigned pin, bool upper, u32 value)
{
	u64 *entry = &vm->chipset->ioapic.entry[pin];
	unsigned shift = upper ? 32 : 0;
	u64 mask = ENTRY_WRITABLE & 0xffffffffULL << shift;

	*entry = (*entry & ~mask) | ((u64)value << shift & mask);
	/* Turned into an edge it has nothing to be ended. */
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE;
	serve_level(vm, pin);
}

static void write_window(struct vm *vm, u32 value)
{
	struct ioapic *ioapic = &vm->chipset->ioapic;
	unsigned reg = ioapic->select, pin = (reg - ENTRIES) / 2;

	if (reg == REG_ID)
		ioapic->id = value >> 24 & 15;
	else if (reg >= ENTRIES && pin < IOAPIC_PINS)
		write_entry(vm, pin, reg & 1, value);
}

u32 ioapic_read(struct ioapic *ioapic, u64 offset)
{
	switch (offset) {
	case SELECT:
		return ioapic->select;
	case WINDOW:
		return read_window(ioapic);
	}
	return 0;
}

void ioapic_write(struct vm *vm, u64 offset, u32 value)
{
	switch (offset) {
	case SELECT:
		vm->chipset->ioapic.select = value;
		break;
	case WINDOW:
		write_window(vm, value);
		break;
	case EOI:
		ioapic_eoi(vm, value);
		break;
	}
}
