#include "machine/pit.h"

#include "machine/clock.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "mm/heap.h"

#define CONTROL	  3
#define READ_BACK 3 /* in place of a channel */

/* Read-back command: cleared bits latch. */
#define NO_COUNT  0x20
#define NO_STATUS 0x10

#define STATUS_OUT  0x80
#define STATUS_NULL 0x40 /* the count has not been loaded yet */

#define SPEAKER_GATE	0x01
#define SPEAKER_WRITE	0x0f
#define SPEAKER_REFRESH 0x10
#define SPEAKER_OUT	0x20
#define REFRESH_NS	15085 /* between two memory refreshes of an AT */

/* Shorter periods are lengthened. */
#define PERIOD_MIN (clock_ticks(CLOCK_PERIOD_MIN_NS, CLOCK_PIT_RATE) + 1)

#define CHANNEL_FIELDS(n)                                               \
	DEVICE_FIELD(struct pit, channel[n].start, 1, 1),               \
		DEVICE_FIELD(struct pit, channel[n].held, 1, 1),        \
		DEVICE_FIELD(struct pit, channel[n].count, 1, 1),       \
		DEVICE_FIELD(struct pit, channel[n].latch, 1, 1),       \
		DEVICE_FIELD(struct pit, channel[n].latched, 1, 1),     \
		DEVICE_FIELD(struct pit, channel[n].status, 1, 1),      \
		DEVICE_FIELD(struct pit, channel[n].status_latched, 1, 1), \
		DEVICE_FIELD(struct pit, channel[n].access, 1, 1),      \
		DEVICE_FIELD(struct pit, channel[n].mode, 1, 1),        \
		DEVICE_FIELD(struct pit, channel[n].bcd, 1, 1),         \
		DEVICE_FIELD(struct pit, channel[n].gate, 1, 1),        \
		DEVICE_FIELD(struct pit, channel[n].loaded, 1, 1),      \
		DEVICE_FIELD(struct pit, channel[n].started, 1, 1),     \
		DEVICE_FIELD(struct pit, channel[n].low, 1, 1),         \
		DEVICE_FIELD(struct pit, channel[n].write_high, 1, 1),  \
		DEVICE_FIELD(struct pit, channel[n].read_high, 1, 1)

static const struct device_field fields[] = {
	CHANNEL_FIELDS(0),
	CHANNEL_FIELDS(1),
	CHANNEL_FIELDS(2),
	DEVICE_FIELD(struct pit, due, 1, 1),
	DEVICE_FIELD(struct pit, speaker, 1, 1),
};

const struct device_description pit_description = {"pit", 1, ARRAY_LEN(fields),
						   fields};

/* --- what a channel would be at a tick */

static bool triggered_by_gate(const struct pit_channel *ch)
{
	return ch->mode == 1 || ch->mode == 5;
}

static bool is_periodic(const struct pit_channel *ch)
{
	return ch->mode == 2 || ch->mode == 3;
}

static bool runs(const struct pit_channel *ch)
{
	return ch->loaded && (ch->started || !triggered_by_gate(ch));
}

static u64 elapsed(const struct pit_channel *ch, u64 tick)
{
	return ch->held != CLOCK_NEVER ? ch->held : tick - ch->start;
}

/* OUT (data sheet, mode definitions). */
static bool out(const struct pit_channel *ch, u64 tick)
{
	u64 n = elapsed(ch, tick);

	if (!runs(ch))
		return ch->mode != 0;
	switch (ch->mode) {
	case 0:
	case 1:
		return n >= ch->count;
	case 2:
		return ch->held != CLOCK_NEVER || n % ch->count != ch->count - 1;
	case 3:
		return ch->held != CLOCK_NEVER ||
		       n % ch->count < (ch->count + 1) / 2;
	default:
		return n != ch->count;
	}
}

static u16 to_bcd(unsigned n)
{
	return n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 |
	       n / 1000 % 10 << 12;
}

static unsigned from_bcd(u16 n)
{
	return (n & 15) + (n >> 4 & 15) * 10 + (n >> 8 & 15) * 100 +
	       (n >> 12) * 1000;
}

static u16 count_now(const struct pit_channel *ch, u64 tick)
{
	u64 n = elapsed(ch, tick);
	unsigned all = ch->bcd ? 10000 : 0x10000, count = ch->count;

	if (!runs(ch))
		return ch->bcd ? to_bcd(count) : count;
	if (ch->mode == 2) {
		count -= n % ch->count;
	} else if (ch->mode == 3) { /* down by two, twice a period */
		n %= ch->count;
		n -= n < (ch->count + 1) / 2 ? 0 : (ch->count + 1) / 2;
		count = (ch->count & ~1u) - 2 * n;
	} else { /* goes on below 0 */
		count = (ch->count + all - n % all) % all;
	}
	return ch->bcd ? to_bcd(count) : count;
}

/* The first rising edge of OUT after the tick, not too soon after. */
static u64 next_edge(const struct pit_channel *ch, u64 tick)
{
	u64 n = elapsed(ch, tick);

	if (!runs(ch) || triggered_by_gate(ch))
		return CLOCK_NEVER;
	if (is_periodic(ch)) {
		if (ch->count < PERIOD_MIN)
			n += PERIOD_MIN - ch->count;
		return ch->start + (n / ch->count + 1) * ch->count;
	}
	if (ch->mode == 0)
		return n < ch->count ? ch->start + ch->count : CLOCK_NEVER;
	return n <= ch->count ? ch->start + ch->count + 1 : CLOCK_NEVER;
}

/* --- programming it */

static void load(struct pit_channel *ch, u16 value, u64 tick)
{
	u32 count = ch->bcd ? from_bcd(value) : value;

	ch->count = count ? count : ch->bcd ? 10000 : 0x10000;
	ch->loaded = true;
	if (triggered_by_gate(ch))
		return;
	ch->start = tick;
	ch->held = ch->gate ? CLOCK_NEVER : 0;
}

static void write_count(struct pit_channel *ch, u8 value, u64 tick)
{
	if (ch->access == 1) {
		load(ch, value, tick);
	} else if (ch->access == 2) {
		load(ch, value << 8, tick);
	} else if (ch->write_high) {
		ch->write_high = false;
		load(ch, ch->low | value << 8, tick);
	} else {
		ch->write_high = true;
		ch->low = value;
		if (ch->mode == 0) /* the first byte stops it */
			ch->loaded = false;
	}
}

static void latch_count(struct pit_channel *ch, u64 tick)
{
	if (ch->latched)
		return;
	ch->latch = count_now(ch, tick);
	ch->latched = true;
}

static void latch_status(struct pit_channel *ch, u64 tick)
{
	if (ch->status_latched)
		return;
	ch->status = (out(ch, tick) ? STATUS_OUT : 0) |
		     (ch->loaded ? 0 : STATUS_NULL) | ch->access << 4 |
		     ch->mode << 1 | ch->bcd;
	ch->status_latched = true;
}

static void read_back(struct pit *pit, u8 command, u64 tick)
{
	for (unsigned i = 0; i < 3; i++) {
		if (!(command & BIT(i + 1)))
			continue;
		if (!(command & NO_COUNT))
			latch_count(&pit->channel[i], tick);
		if (!(command & NO_STATUS))
			latch_status(&pit->channel[i], tick);
	}
}

static void write_control(struct pit *pit, u8 value, u64 tick)
{
	struct pit_channel *ch = &pit->channel[value >> 6];
	u8 access = value >> 4 & 3;

	if (value >> 6 == READ_BACK) {
		read_back(pit, value, tick);
		return;
	}
	if (!access) {
		latch_count(ch, tick);
		return;
	}
	ch->access = access;
	ch->mode = value >> 1 & 7;
	if (ch->mode > 5)
		ch->mode -= 4;
	ch->bcd = value & 1;
	ch->loaded = ch->started = false;
	ch->write_high = ch->read_high = ch->latched = false;
	ch->status_latched = false;
	ch->held = CLOCK_NEVER;
}

static u8 read_count(struct pit_channel *ch, u64 tick)
{
	u16 value;

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	value = ch->latched ? ch->latch : count_now(ch, tick);
	if (ch->access == 3 && !ch->read_high) {
		ch->read_high = true;
		return value;
	}
	ch->read_high = ch->latched = false;
	return ch->access == 1 ? value : value >> 8;
}

static void set_gate(struct pit_channel *ch, bool gate, u64 tick)
{
	u64 n = elapsed(ch, tick);

	if (gate == ch->gate)
		return;
	ch->gate = gate;
	if (triggered_by_gate(ch)) {
		if (gate && ch->loaded) {
			ch->start = tick;
			ch->started = true;
		}
	} else if (gate) {
		/* Rate generators begin anew, the others go on. */
		ch->start = tick - (is_periodic(ch) ? 0 : n);
		ch->held = CLOCK_NEVER;
	} else {
		ch->held = n;
	}
}

/* Channel 0 has been programmed: what its line will do is new. */
static void reschedule(struct pit *pit, u64 tick)
{
	pit->due = next_edge(&pit->channel[0], tick);
	irq_line(pit->vm, GSI_TIMER, out(&pit->channel[0], tick));
	clock_changed(pit->vm);
}

/* Periods that nobody was there for are one interrupt. */
u64 pit_poll(struct pit *pit, u64 ns)
{
	u64 tick = clock_ticks(ns, CLOCK_PIT_RATE);

	if (pit->due <= tick) {
		irq_line(pit->vm, GSI_TIMER, false);
		irq_line(pit->vm, GSI_TIMER, true);
		pit->due = next_edge(&pit->channel[0], tick);
	}
	return pit->due == CLOCK_NEVER
		       ? CLOCK_NEVER
		       : clock_tick_ns(pit->due, CLOCK_PIT_RATE);
}

/* --- the ports */

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct pit *pit = device;
	u64 tick = clock_ticks(clock_now(vcpu), CLOCK_PIT_RATE), value = 0;

	for (unsigned i = 0; i < size; i++) {
		u8 byte = 0xff; /* the control word cannot be read */

		if (offset + i < CONTROL)
			byte = read_count(&pit->channel[offset + i], tick);
		value |= (u64)byte << 8 * i;
	}
	return value;
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct pit *pit = device;
	u64 tick = clock_ticks(clock_now(vcpu), CLOCK_PIT_RATE);

	for (unsigned i = 0; i < size; i++) {
		u8 byte = value >> 8 * i;
		unsigned reg = offset + i;

		if (reg == CONTROL)
			write_control(pit, byte, tick);
		else
			write_count(&pit->channel[reg], byte, tick);
		if (reg == 0 || (reg == CONTROL && byte >> 6 == 0 && byte >> 4))
			reschedule(pit, tick);
	}
}

static u64 speaker_read(void *device, struct vcpu *vcpu, u64 offset,
			unsigned size)
{
	struct pit *pit = device;
	u64 ns = clock_now(vcpu);
	u8 value = pit->speaker;

	if (ns / REFRESH_NS & 1)
		value |= SPEAKER_REFRESH;
	if (out(&pit->channel[2], clock_ticks(ns, CLOCK_PIT_RATE)))
		value |= SPEAKER_OUT;
	return value;
}

static void speaker_write(void *device, struct vcpu *vcpu, u64 offset,
			  unsigned size, u64 value)
{
	struct pit *pit = device;
	u64 tick = clock_ticks(clock_now(vcpu), CLOCK_PIT_RATE);

	pit->speaker = value & SPEAKER_WRITE;
	set_gate(&pit->channel[2], value & SPEAKER_GATE, tick);
}

static const struct bus_ops pit_ops = {port_read, port_write, NULL};
static const struct bus_ops speaker_ops = {speaker_read, speaker_write, NULL};

err_t pit_create(struct vm *vm)
{
	err_t err;

	vm->pit = kzalloc(sizeof(*vm->pit));
	if (!vm->pit)
		return E_NOMEM;
	vm->pit->vm = vm;
	vm->pit->due = CLOCK_NEVER;
	for (unsigned i = 0; i < 3; i++) {
		vm->pit->channel[i].access = 3;
		vm->pit->channel[i].count = 0x10000;
		vm->pit->channel[i].held = CLOCK_NEVER;
		vm->pit->channel[i].gate = i < 2;
	}
	err = bus_add(&vm->ports, "pit", PIT_PORT, PIT_PORTS, &pit_ops,
		      vm->pit);
	if (!err)
		err = bus_add(&vm->ports, "speaker", PIT_SPEAKER_PORT, 1,
			      &speaker_ops, vm->pit);
	return err;
}

void pit_destroy(struct vm *vm)
{
	kfree(vm->pit);
	vm->pit = NULL;
}
