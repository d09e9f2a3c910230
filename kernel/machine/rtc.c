#include "machine/rtc.h"

#include "cpu/time.h"
#include "cpu/wall.h"
#include "lib/date.h"
#include "machine/clock.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "machine/load.h"
#include "mm/heap.h"

/* Registers, and what a PC's firmware keeps behind them. */
enum {
	SECOND = 0,
	SECOND_ALARM = 1,
	MINUTE = 2,
	MINUTE_ALARM = 3,
	HOUR = 4,
	HOUR_ALARM = 5,
	WEEKDAY = 6,
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_C = 12,
	REG_D = 13,
	EQUIPMENT = 0x14,
	BASE_MEMORY = 0x15,	/* KiB */
	EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB, at 0x30 again */
	EXTENDED_AGAIN = 0x30,
	CENTURY = 0x32,
	ABOVE_16M = 0x34, /* in 64 KiB */
	ABOVE_4G = 0x5b	  /* three bytes, in 64 KiB */
};

#define A_UPDATING   0x80
#define A_DIVIDER    0x70
#define A_NORMAL     0x20 /* 32 kHz; 6 and 7 hold the divider in reset */
#define A_HELD	     0x60
#define A_RATE	     0x0f
#define B_SET	     0x80 /* time stands, to be set */
#define B_INTERRUPTS 0x70 /* as C's flags */
#define B_BINARY     0x04
#define B_24H	     0x02
#define C_IRQ	     0x80
#define C_PERIODIC   0x40
#define C_ALARM	     0x20
#define C_UPDATE     0x10
#define D_VALID	     0x80

#define HOUR_PM	       0x80
#define ALARM_ANY      0xc0
#define UPDATE_WARNING ((u64)244000) /* ns from UIP to the update */

static const struct device_field fields[] = {
	DEVICE_FIELD(struct rtc, byte, RTC_BYTES, 1),
	DEVICE_FIELD(struct rtc, index, 1, 1),
	DEVICE_FIELD(struct rtc, base, 1, 1),
	DEVICE_FIELD(struct rtc, seen, 1, 1),
};

const struct device_description rtc_description = {"rtc", 1, ARRAY_LEN(fields),
						   fields};

/* --- the date in its registers */

static u8 encode(const struct rtc *rtc, unsigned n)
{
	return rtc->byte[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10;
}

static unsigned decode(const struct rtc *rtc, u8 value)
{
	return rtc->byte[REG_B] & B_BINARY ? value
					   : (value >> 4) * 10 + (value & 15);
}

static u8 encode_hour(const struct rtc *rtc, unsigned hour)
{
	if (rtc->byte[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour < 12 ? 0 : HOUR_PM);
}

static unsigned decode_hour(const struct rtc *rtc, u8 value)
{
	if (rtc->byte[REG_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & ~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static void show(struct rtc *rtc, u64 seconds)
{
	struct date date = date_of(seconds);

	rtc->byte[SECOND] = encode(rtc, date.second);
	rtc->byte[MINUTE] = encode(rtc, date.minute);
	rtc->byte[HOUR] = encode_hour(rtc, date.hour);
	rtc->byte[WEEKDAY] = encode(rtc, date.weekday + 1);
	rtc->byte[DAY] = encode(rtc, date.day);
	rtc->byte[MONTH] = encode(rtc, date.month);
	rtc->byte[YEAR] = encode(rtc, date.year % 100);
	rtc->byte[CENTURY] = encode(rtc, date.year / 100 % 100);
}

/* What cannot be a date was not written by anyone who wants to know one. */
static u64 shown(const struct rtc *rtc)
{
	unsigned year = decode(rtc, rtc->byte[CENTURY]) * 100 +
			decode(rtc, rtc->byte[YEAR]);
	struct date date = {
		.second = decode(rtc, rtc->byte[SECOND]),
		.minute = decode(rtc, rtc->byte[MINUTE]),
		.hour = decode_hour(rtc, rtc->byte[HOUR]),
		.day = MAX(decode(rtc, rtc->byte[DAY]), 1),
		.month = MAX(decode(rtc, rtc->byte[MONTH]), 1),
		.year = MIN(MAX(year, 1970), 2399),
	};

	return date_seconds(&date);
}

static bool stands(const struct rtc *rtc)
{
	return (rtc->byte[REG_B] & B_SET) ||
	       (rtc->byte[REG_A] & A_HELD) == A_HELD;
}

/* The date that has been set is the one at this moment. */
static void begin_at(struct rtc *rtc, u64 ns)
{
	rtc->base = shown(rtc) * NS_PER_S - ns;
}

/* --- what happens, and when */

static u64 period(const struct rtc *rtc)
{
	unsigned rate = rtc->byte[REG_A] & A_RATE;

	if (!rate || (rtc->byte[REG_A] & A_DIVIDER) != A_NORMAL)
		return 0;
	/* The two fastest are others once more (table 5). */
	if (rate < 3)
		rate += 7;
	return (NS_PER_S << (rate - 1)) / 32768;
}

static bool matches(const struct rtc *rtc, unsigned reg, unsigned n)
{
	u8 value = rtc->byte[reg];

	if (value >= ALARM_ANY)
		return true;
	return (reg == HOUR_ALARM ? decode_hour(rtc, value)
				  : decode(rtc, value)) == n;
}

static bool can_match(const struct rtc *rtc, unsigned reg, unsigned limit)
{
	return rtc->byte[reg] >= ALARM_ANY ||
	       (reg == HOUR_ALARM ? decode_hour : decode)(
		       rtc, rtc->byte[reg]) < limit;
}

/*
 * The first second after this one that the alarm matches, within a day. Each
 * step leads to the next one that can be: at most 24, 60 and 60.
 */
static u64 next_alarm(const struct rtc *rtc, u64 second)
{
	u64 at = second + 1, end = at + 86400;

	if (!can_match(rtc, HOUR_ALARM, 24) ||
	    !can_match(rtc, MINUTE_ALARM, 60) ||
	    !can_match(rtc, SECOND_ALARM, 60))
		return CLOCK_NEVER;
	while (at < end) {
		if (!matches(rtc, HOUR_ALARM, at / 3600 % 24))
			at = (at / 3600 + 1) * 3600;
		else if (!matches(rtc, MINUTE_ALARM, at / 60 % 60))
			at = (at / 60 + 1) * 60;
		else if (!matches(rtc, SECOND_ALARM, at % 60))
			at++;
		else
			return at;
	}
	return CLOCK_NEVER;
}

/* When each flag of C is set next after `ns`, or CLOCK_NEVER. */
static u64 next_event(const struct rtc *rtc, u8 flag, u64 ns)
{
	u64 wall = rtc->base + ns, every = period(rtc), at;

	if (flag == C_PERIODIC)
		return every ? (ns / every + 1) * every : CLOCK_NEVER;
	if (stands(rtc))
		return CLOCK_NEVER;
	if (flag == C_UPDATE)
		return (wall / NS_PER_S + 1) * NS_PER_S - rtc->base;
	at = next_alarm(rtc, wall / NS_PER_S);
	return at == CLOCK_NEVER ? at : at * NS_PER_S - rtc->base;
}

static void set_line(struct rtc *rtc)
{
	u8 *c = &rtc->byte[REG_C];

	*c &= ~C_IRQ;
	if (*c & rtc->byte[REG_B] & B_INTERRUPTS)
		*c |= C_IRQ;
	irq_line(rtc->vm, GSI_RTC, *c & C_IRQ);
}

/* Up to date: flags, line, and the date unless it stands. */
static void catch_up(struct rtc *rtc, u64 ns)
{
	u8 before = rtc->byte[REG_C];

	for (u8 flag = C_UPDATE; flag <= C_PERIODIC; flag <<= 1)
		if (!(before & flag) &&
		    next_event(rtc, flag, rtc->seen) <= ns)
			rtc->byte[REG_C] |= flag;
	rtc->seen = ns;
	if (!stands(rtc))
		show(rtc, (rtc->base + ns) / NS_PER_S);
	if (rtc->byte[REG_C] != before)
		set_line(rtc);
}

/* Events that are not read away in time are one. */
u64 rtc_poll(struct rtc *rtc, u64 ns)
{
	u8 wanted = rtc->byte[REG_B] & B_INTERRUPTS;
	u64 next = CLOCK_NEVER;

	if (!wanted)
		return CLOCK_NEVER;
	catch_up(rtc, ns);
	if (rtc->byte[REG_C] & C_IRQ)
		return CLOCK_NEVER; /* until C has been read */
	for (u8 flag = C_UPDATE; flag <= C_PERIODIC; flag <<= 1)
		if (wanted & flag)
			next = MIN(next, next_event(rtc, flag, ns));
	return next;
}

/* --- the ports */

static u8 read_byte(struct rtc *rtc, u64 ns)
{
	u8 value;

	catch_up(rtc, ns);
	value = rtc->byte[rtc->index];
	switch (rtc->index) {
	case REG_A:
		if (!stands(rtc) && (rtc->base + ns) % NS_PER_S >=
					    NS_PER_S - UPDATE_WARNING)
			value |= A_UPDATING;
		break;
	case REG_C: /* reading clears it */
		rtc->byte[REG_C] = 0;
		set_line(rtc);
		clock_changed(rtc->vm);
		break;
	}
	return value;
}

/* A, B: the date is kept over what they change. */
static void write_control(struct rtc *rtc, u8 value, u64 ns)
{
	u64 seconds = shown(rtc);
	bool stood = stands(rtc);

	if (rtc->index == REG_A)
		value &= ~A_UPDATING;
	else if (value & B_SET)
		value &= ~C_UPDATE; /* SET clears UIE */
	rtc->byte[rtc->index] = value;
	if (!stood)
		show(rtc, seconds);
	else if (!stands(rtc))
		begin_at(rtc, ns);
	set_line(rtc);
}

static bool is_date(unsigned index)
{
	return index == CENTURY ||
	       (index <= YEAR && (index >= WEEKDAY || !(index & 1)));
}

static void write_byte(struct rtc *rtc, u8 value, u64 ns)
{
	catch_up(rtc, ns);
	switch (rtc->index) {
	case REG_A:
	case REG_B:
		write_control(rtc, value, ns);
		break;
	case REG_C:
	case REG_D:
		return;
	default:
		rtc->byte[rtc->index] = value;
		if (is_date(rtc->index) && !stands(rtc))
			begin_at(rtc, ns);
	}
	clock_changed(rtc->vm);
}

/* The index cannot be read back; its upper bit would mask NMIs. */
static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	u64 ns = clock_now(vcpu), value = ~0ULL;

	if (offset + size == 2)
		value = read_byte(device, ns);
	return size == 1 ? value : value << 8 | 0xff;
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct rtc *rtc = device;

	if (offset == 0)
		rtc->index = value % RTC_BYTES;
	if (offset + size == 2)
		write_byte(rtc, value >> 8 * (size - 1), clock_now(vcpu));
}

static const struct bus_ops ops = {port_read, port_write, NULL};

static void set_word(struct rtc *rtc, unsigned index, u64 value)
{
	value = MIN(value, 0xffff);
	rtc->byte[index] = value;
	rtc->byte[index + 1] = value >> 8;
}

static void tell_memory(struct rtc *rtc)
{
	const struct guest_memory *memory = &rtc->vm->memory;
	u64 low = memory->low_size, high = (memory->size - low) >> 16;

	set_word(rtc, BASE_MEMORY, MIN(low, LOW_RAM_END) >> 10);
	set_word(rtc, EXTENDED_MEMORY,
		 low > MIB(1) ? (low - MIB(1)) >> 10 : 0);
	set_word(rtc, EXTENDED_AGAIN, low > MIB(1) ? (low - MIB(1)) >> 10 : 0);
	set_word(rtc, ABOVE_16M, low > MIB(16) ? (low - MIB(16)) >> 16 : 0);
	for (unsigned i = 0; i < 3; i++)
		rtc->byte[ABOVE_4G + i] = high >> 8 * i;
}

err_t rtc_create(struct vm *vm)
{
	struct rtc *rtc = kzalloc(sizeof(*rtc));

	vm->rtc = rtc;
	if (!rtc)
		return E_NOMEM;
	rtc->vm = vm;
	rtc->base = wall_ns();
	rtc->byte[REG_A] = A_NORMAL | 6; /* 1024 Hz, as firmware leaves it */
	rtc->byte[REG_B] = B_24H;
	rtc->byte[REG_D] = D_VALID;
	rtc->byte[EQUIPMENT] = 0x02; /* a coprocessor */
	tell_memory(rtc);
	show(rtc, rtc->base / NS_PER_S);
	return bus_add(&vm->ports, "rtc", RTC_PORT, 2, &ops, rtc);
}

void rtc_destroy(struct vm *vm)
{
	kfree(vm->rtc);
	vm->rtc = NULL;
}
