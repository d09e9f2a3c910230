#include "machine/rtc.h"

#include "cpu/calendar.h"
#include "cpu/time.h"
#include "lib/string.h"
#include "machine/chipset.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "vm/vm.h"

#define NEVER (~0ULL)

enum {
	SECONDS,
	SECONDS_ALARM,
	MINUTES,
	MINUTES_ALARM,
	HOURS,
	HOURS_ALARM,
	DAY_OF_WEEK,
	DAY,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,
	CENTURY = 0x32
};

#define A_UIP	 0x80 /* an update is near: do not read the time */
#define A_RATE	 0x0f
#define A_NORMAL 0x20 /* the divider of a 32,768 Hz crystal */
#define B_SET	 0x80 /* the time stands, to be set */
#define B_PIE	 0x40
#define B_AIE	 0x20
#define B_UIE	 0x10
#define B_BINARY 0x04
#define B_24H	 0x02
#define C_IRQ	 0x80
#define C_FLAGS	 0x70 /* as B's enables */
#define D_VALID	 0x80
#define HOUR_PM	 0x80
#define ANY	 0xc0 /* in an alarm byte: every */

#define UIP_NS 244000 /* before the update (table 4) */

/* Gaps longer than this (a paused VM) find an alarm only in their last day. */
#define ALARM_SPAN 86400

static const struct device_field fields[] = {
	DEVICE_FIELD(struct rtc, offset, 1, 1),
	DEVICE_FIELD(struct rtc, updates, 1, 1),
	DEVICE_FIELD(struct rtc, periods, 1, 1),
	DEVICE_FIELD_MAX(struct rtc, index, 1, 1, RTC_BYTES - 1),
	DEVICE_FIELD(struct rtc, memory, RTC_BYTES, 1),
};

const struct device_description rtc_description = {"rtc", 1, ARRAY_LEN(fields),
						   fields, NULL};

/* --- numbers as register B wants them */

static u8 encode(const struct rtc *rtc, u8 n)
{
	return rtc->memory[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10;
}

static u8 decode(const struct rtc *rtc, u8 n)
{
	return rtc->memory[REG_B] & B_BINARY ? n : (n >> 4) * 10 + (n & 15);
}

static u8 encode_hour(const struct rtc *rtc, u8 hour)
{
	if (rtc->memory[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) |
	       (hour >= 12 ? HOUR_PM : 0);
}

static u8 decode_hour(const struct rtc *rtc, u8 value)
{
	u8 hour;

	if (rtc->memory[REG_B] & B_24H)
		return decode(rtc, value);
	hour = decode(rtc, value & ~HOUR_PM) % 12;
	return value & HOUR_PM ? hour + 12 : hour;
}

/* --- time: shown from the clock, unless it stands */

static void show_time(struct rtc *rtc, u64 seconds)
{
	struct calendar c = calendar_of(seconds);

	rtc->memory[SECONDS] = encode(rtc, c.second);
	rtc->memory[MINUTES] = encode(rtc, c.minute);
	rtc->memory[HOURS] = encode_hour(rtc, c.hour);
	rtc->memory[DAY_OF_WEEK] = encode(rtc, c.weekday + 1);
	rtc->memory[DAY] = encode(rtc, c.day);
	rtc->memory[MONTH] = encode(rtc, c.month);
	rtc->memory[YEAR] = encode(rtc, c.year % 100);
	rtc->memory[CENTURY] = encode(rtc, c.year / 100);
}

static u64 set_time(const struct rtc *rtc)
{
	const struct calendar c = {
		.year = decode(rtc, rtc->memory[CENTURY]) * 100 +
			decode(rtc, rtc->memory[YEAR]),
		.month = decode(rtc, rtc->memory[MONTH]),
		.day = decode(rtc, rtc->memory[DAY]),
		.hour = decode_hour(rtc, rtc->memory[HOURS]),
		.minute = decode(rtc, rtc->memory[MINUTES]),
		.second = decode(rtc, rtc->memory[SECONDS]),
	};

	return calendar_seconds(&c);
}

static bool is_time(u8 index)
{
	return index == CENTURY ||
	       (index <= YEAR && index != SECONDS_ALARM &&
		index != MINUTES_ALARM && index != HOURS_ALARM);
}

/* --- interrupts */

static bool alarm_matches(const struct rtc *rtc, u64 seconds)
{
	struct calendar c = calendar_of(seconds);
	const u8 now[] = {encode(rtc, c.second), encode(rtc, c.minute),
			  encode_hour(rtc, c.hour)};
	const u8 at[] = {rtc->memory[SECONDS_ALARM], rtc->memory[MINUTES_ALARM],
			 rtc->memory[HOURS_ALARM]};

	for (unsigned i = 0; i < ARRAY_LEN(now); i++)
		if (at[i] < ANY && at[i] != now[i])
			return false;
	return true;
}

/* In ticks of 32,768 Hz (table 5); 0: none. */
static u64 period(const struct rtc *rtc)
{
	unsigned rate = rtc->memory[REG_A] & A_RATE;

	if (!rate)
		return 0;
	return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

static u64 crystal(u64 ns)
{
	return ns / NS_PER_S * 32768 + ns % NS_PER_S * 32768 / NS_PER_S;
}

static void advance_updates(struct rtc *rtc, u64 ns)
{
	u64 now = ns / NS_PER_S, second = rtc->updates;

	if (now <= second) /* another CPU's clock may be a little behind */
		return;
	rtc->updates = now;
	if (rtc->memory[REG_B] & B_SET)
		return;
	rtc->memory[REG_C] |= B_UIE;
	if (now - second > ALARM_SPAN)
		second = now - ALARM_SPAN;
	while (second++ < now)
		if (alarm_matches(rtc, rtc->offset + second)) {
			rtc->memory[REG_C] |= B_AIE;
			break;
		}
}

bool rtc_advance(struct rtc *rtc, u64 ns)
{
	u64 each = period(rtc), periods = each ? crystal(ns) / each : 0;
	u8 *c = &rtc->memory[REG_C];

	advance_updates(rtc, ns);
	if (each && periods != rtc->periods)
		*c |= B_PIE;
	rtc->periods = periods;
	/* Flags and enables make it, whichever changes. */
	*c &= ~C_IRQ;
	if (*c & rtc->memory[REG_B] & C_FLAGS)
		*c |= C_IRQ;
	return *c & C_IRQ;
}

/* The next second, if anybody waits for one; the next period likewise. */
u64 rtc_poll(struct vm *vm, u64 ns)
{
	struct rtc *rtc = &vm->chipset->rtc;
	u64 next = NEVER, each = period(rtc), at;

	irq_line(vm, GSI_RTC, rtc_advance(rtc, ns));
	if (rtc->memory[REG_C] & C_IRQ)
		return NEVER; /* nothing more until this is read */
	if (rtc->memory[REG_B] & (B_AIE | B_UIE))
		next = (ns / NS_PER_S + 1) * NS_PER_S;
	if (each && (rtc->memory[REG_B] & B_PIE)) {
		at = (rtc->periods + 1) * each;
		at = at / 32768 * NS_PER_S +
		     (at % 32768 * NS_PER_S + 32767) / 32768;
		next = MIN(next, at);
	}
	return next;
}

/* --- registers */

u8 rtc_read(struct rtc *rtc, u64 ns)
{
	u8 value;

	rtc_advance(rtc, ns);
	if (is_time(rtc->index) && !(rtc->memory[REG_B] & B_SET))
		show_time(rtc, rtc->offset + ns / NS_PER_S);
	value = rtc->memory[rtc->index];
	if (rtc->index == REG_A && !(rtc->memory[REG_B] & B_SET) &&
	    ns % NS_PER_S >= NS_PER_S - UIP_NS)
		value |= A_UIP;
	if (rtc->index == REG_C)
		rtc->memory[REG_C] = 0;
	return value;
}

static void write_b(struct rtc *rtc, u8 value, u64 ns)
{
	bool was_set = rtc->memory[REG_B] & B_SET;

	if (!was_set && (value & B_SET))
		show_time(rtc, rtc->offset + ns / NS_PER_S);
	rtc->memory[REG_B] = value;
	if (was_set && !(value & B_SET))
		rtc->offset = set_time(rtc) - ns / NS_PER_S;
}

static void write_time(struct rtc *rtc, u8 value, u64 ns)
{
	bool stands = rtc->memory[REG_B] & B_SET;

	if (!stands)
		show_time(rtc, rtc->offset + ns / NS_PER_S);
	rtc->memory[rtc->index] = value;
	if (!stands)
		rtc->offset = set_time(rtc) - ns / NS_PER_S;
}

void rtc_write(struct rtc *rtc, u8 value, u64 ns)
{
	rtc_advance(rtc, ns);
	switch (rtc->index) {
	case REG_A:
		rtc->memory[REG_A] = value & ~A_UIP;
		rtc->periods = period(rtc) ? crystal(ns) / period(rtc) : 0;
		break;
	case REG_B:
		write_b(rtc, value, ns);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_time(rtc->index))
			write_time(rtc, value, ns);
		else
			rtc->memory[rtc->index] = value;
	}
}

/* --- the memory's size, in the places where PC software looks */

static void put_word(struct rtc *rtc, u8 index, u64 value)
{
	rtc->memory[index] = value;
	rtc->memory[index + 1] = value >> 8;
}

static void describe_memory(struct rtc *rtc, u64 ram)
{
	u64 low = MIN(ram, RAM_HOLE_START), high = ram - low;
	u64 extended = low > MIB(1) ? low - MIB(1) : 0;
	u64 above_16 = low > MIB(16) ? low - MIB(16) : 0;

	put_word(rtc, 0x15, 640);
	put_word(rtc, 0x17, MIN(extended >> 10, 0xffff));
	put_word(rtc, 0x30, MIN(extended >> 10, 0xffff));
	put_word(rtc, 0x34, above_16 >> 16);
	put_word(rtc, 0x5b, high >> 16);
	rtc->memory[0x5d] = high >> 32;
}

void rtc_reset(struct rtc *rtc, u64 now, u64 ram)
{
	memset(rtc, 0, sizeof(*rtc));
	rtc->offset = now;
	rtc->memory[REG_A] = A_NORMAL | 6;
	rtc->memory[REG_B] = B_24H;
	rtc->memory[REG_D] = D_VALID;
	rtc->memory[0x14] = 0x02; /* equipment: a coprocessor, no drives */
	describe_memory(rtc, ram);
}

/* --- on the bus */

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct rtc *rtc = device;
	u8 value;

	if (!offset)
		return 0xff; /* the index is only written */
	value = rtc_read(rtc, machine_ns(vcpu->vm));
	irq_line(vcpu->vm, GSI_RTC, rtc->memory[REG_C] & C_IRQ);
	chipset_moved(vcpu->vm);
	return value;
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct rtc *rtc = device;

	if (!offset) {
		rtc->index = value & (RTC_BYTES - 1); /* bit 7 masks NMIs */
		return;
	}
	rtc_write(rtc, value, machine_ns(vcpu->vm));
	chipset_moved(vcpu->vm);
}

err_t rtc_create(struct vm *vm, u64 now)
{
	static const struct bus_ops ops = {.read = port_read,
					   .write = port_write};
	struct rtc *rtc = &vm->chipset->rtc;

	rtc_reset(rtc, now, vm->memory.size);
	return bus_add(&vm->ports, "rtc", RTC_PORT, 2, &ops, rtc);
}
