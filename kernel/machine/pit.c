#include "machine/pit.h"

#include "cpu/time.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "machine/chipset.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "vm/vm.h"

#define NEVER (~0ULL)

/* A faster channel 0 would leave nobody any time. */
#define PERIOD_MIN 60 /* ticks: 50 us */

/* The command (figure 7), and its read-back form (figure 11). */
#define COMMAND	  3
#define READ_BACK 3 /* in the place of the channel */
#define NO_COUNT  0x20
#define NO_STATUS 0x10

#define GATE_ON	     0x01 /* port 0x61 */
#define GATE_KEPT    0x0e
#define GATE_REFRESH 0x10
#define GATE_OUT     0x20
#define REFRESH_NS   15085

#define CHANNEL(n, member, most) \
	DEVICE_FIELD_AS(#n "." #member, struct pit, channel[n].member, 1, most)
#define CHANNEL_FIELDS(n)                                                      \
	CHANNEL(n, started, 0), CHANNEL(n, fired, 0),                          \
		CHANNEL(n, count, 0x10000), CHANNEL(n, latched, 0),            \
		CHANNEL(n, latch, 2), CHANNEL(n, status, 0),                   \
		CHANNEL(n, status_latched, 1), CHANNEL(n, mode, 5),            \
		CHANNEL(n, access, 3), CHANNEL(n, bcd, 1), CHANNEL(n, low, 0), \
		CHANNEL(n, half_written, 1), CHANNEL(n, half_read, 1),         \
		CHANNEL(n, gate, 1), CHANNEL(n, loaded, 1)

static const struct device_field fields[] = {
	CHANNEL_FIELDS(0), CHANNEL_FIELDS(1), CHANNEL_FIELDS(2),
	DEVICE_FIELD_MAX(struct pit, speaker, 1, 1, GATE_KEPT)};

/* It is divided by what a channel counts. */
static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct pit *pit = device;

	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		if (!pit->channel[i].count || !pit->channel[i].access) {
			snprintf(why, size, "%u.%s: 0", i,
				 pit->channel[i].count ? "access" : "count");
			return false;
		}
	return true;
}

const struct device_description pit_description = {"pit", 1, ARRAY_LEN(fields),
						   fields, check};

/* --- the clock: whole seconds apart, so that nothing overflows */

static u64 ticks_of(u64 ns)
{
	return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* The first nanosecond of a tick. */
static u64 ns_of(u64 ticks)
{
	u64 rest = ticks % PIT_HZ;

	return ticks / PIT_HZ * NS_PER_S +
	       (rest * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

/* --- what a channel shows */

/* Modes 2 and 3 begin anew by themselves. */
static bool is_periodic(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Ticks counted; a gate that is low holds modes 0 and 4 (and 2 and 3). */
static u64 elapsed(const struct pit_channel *c, u64 now)
{
	return c->gate && c->loaded && now > c->started ? now - c->started : 0;
}

static u16 current(const struct pit_channel *c, u64 now)
{
	u64 done = elapsed(c, now);

	switch (c->mode) {
	case 2:
		return c->count - done % c->count;
	case 3: /* twice as fast, twice in a period; always even */
		return (c->count - 2 * done % c->count) & ~1;
	default:
		return c->count - done; /* goes on through 0 */
	}
}

static bool output(const struct pit_channel *c, u64 now)
{
	u64 done = elapsed(c, now);

	switch (c->mode) {
	case 0:
		return c->loaded && done >= c->count;
	case 1:
		return !c->loaded || done >= c->count;
	case 2:
		return done % c->count != c->count - 1;
	case 3:
		return !c->gate || done % c->count < (c->count + 1) / 2;
	default: /* low for one tick */
		return done != c->count;
	}
}

static u16 to_bcd(u16 n)
{
	return n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 |
	       n / 1000 % 10 << 12;
}

static u16 from_bcd(u16 n)
{
	return (n & 15) + (n >> 4 & 15) * 10 + (n >> 8 & 15) * 100 +
	       (n >> 12) * 1000;
}

/* --- latching */

static u16 shown_count(const struct pit_channel *c, u64 now)
{
	u16 count = current(c, now);

	return c->bcd ? to_bcd(count) : count;
}

/* Until it has been read, a latched count stays (3.5.2). */
static void latch_count(struct pit_channel *c, u64 now)
{
	if (c->latch)
		return;
	c->latched = shown_count(c, now);
	c->latch = c->access == 3 ? 2 : 1;
}

static void latch_status(struct pit_channel *c, u64 now)
{
	if (c->status_latched)
		return;
	c->status = (output(c, now) ? 0x80 : 0) | (c->loaded ? 0 : 0x40) |
		    c->access << 4 | c->mode << 1 | c->bcd;
	c->status_latched = 1;
}

static void read_back(struct pit *pit, u8 value, u64 now)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		struct pit_channel *c = &pit->channel[i];

		if (!(value & 2 << i))
			continue;
		if (!(value & NO_COUNT))
			latch_count(c, now);
		if (!(value & NO_STATUS))
			latch_status(c, now);
	}
}

static u8 half_of(const struct pit_channel *c, u16 count, bool second)
{
	return c->access == 2 || second ? count >> 8 : count;
}

static u8 read_channel(struct pit_channel *c, u64 now)
{
	bool second;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->latch) {
		second = c->access == 3 && c->latch == 1;
		c->latch--;
		return half_of(c, c->latched, second);
	}
	second = c->half_read;
	c->half_read = c->access == 3 && !second;
	return half_of(c, shown_count(c, now), second);
}

/* --- programming */

static void load(struct pit_channel *c, u16 value, u64 now)
{
	if (c->bcd)
		value = from_bcd(value);
	c->count = value ? value : c->bcd ? 10000 : 0x10000;
	c->loaded = 1;
	c->started = c->fired = now;
}

static void write_channel(struct pit_channel *c, u8 value, u64 now)
{
	if (c->access == 1) {
		load(c, value, now);
	} else if (c->access == 2) {
		load(c, value << 8, now);
	} else if (!c->half_written) {
		c->low = value;
		c->half_written = 1;
	} else {
		c->half_written = 0;
		load(c, c->low | value << 8, now);
	}
}

static void write_command(struct pit *pit, u8 value, u64 now)
{
	struct pit_channel *c = &pit->channel[value >> 6];
	u8 access = value >> 4 & 3, mode = value >> 1 & 7;

	if (value >> 6 == READ_BACK) {
		read_back(pit, value, now);
		return;
	}
	if (!access) {
		latch_count(c, now);
		return;
	}
	*c = (struct pit_channel){
		.access = access,
		.mode = mode > 5 ? mode - 4 : mode, /* 6 and 7 are 2 and 3 */
		.bcd = value & 1,
		.gate = c->gate,
		.count = 0x10000,
	};
}

u8 pit_read(struct pit *pit, unsigned port, u64 ns)
{
	return port == COMMAND
		       ? 0xff
		       : read_channel(&pit->channel[port], ticks_of(ns));
}

void pit_write(struct pit *pit, unsigned port, u8 value, u64 ns)
{
	if (port == COMMAND)
		write_command(pit, value, ticks_of(ns));
	else
		write_channel(&pit->channel[port], value, ticks_of(ns));
}

u8 pit_gate_read(const struct pit *pit, u64 ns)
{
	const struct pit_channel *c = &pit->channel[2];

	return (c->gate ? GATE_ON : 0) | pit->speaker |
	       (ns / REFRESH_NS & 1 ? GATE_REFRESH : 0) |
	       (output(c, ticks_of(ns)) ? GATE_OUT : 0);
}

/* Rising, the gate starts the count anew; only modes 0 and 4 go on. */
void pit_gate_write(struct pit *pit, u8 value, u64 ns)
{
	struct pit_channel *c = &pit->channel[2];
	bool on = value & GATE_ON;
	u64 now = ticks_of(ns), done;

	pit->speaker = value & GATE_KEPT;
	if (on == c->gate)
		return;
	if (!on && (c->mode == 0 || c->mode == 4)) {
		/* What is left is the count from which it will go on. */
		done = elapsed(c, now);
		c->count -= MIN(done, c->count - 1);
	}
	c->gate = on;
	c->started = now;
}

/* --- channel 0's interrupt: each time its output rises */

/* The tick of the next one after `fired`; NEVER: none comes. */
static u64 next_rise(const struct pit_channel *c)
{
	u64 period = MAX(c->count, PERIOD_MIN), first = c->started + c->count;

	if (!c->loaded)
		return NEVER;
	if (is_periodic(c))
		return c->fired + period;
	if (c->mode == 1 || c->mode == 5) /* nobody triggers it */
		return NEVER;
	return c->fired < first ? first : NEVER;
}

u64 pit_poll(struct vm *vm, u64 ns)
{
	struct pit_channel *c = &vm->chipset->pit.channel[0];
	u64 now = ticks_of(ns), due = next_rise(c), period;

	if (due <= now) {
		period = MAX(c->count, PERIOD_MIN);
		c->fired = due;
		if (is_periodic(c))
			c->fired += (now - due) / period * period;
		irq_line(vm, GSI_TIMER, false);
		irq_line(vm, GSI_TIMER, true);
		due = next_rise(c);
	}
	return due == NEVER ? NEVER : ns_of(due);
}

void pit_reset(struct pit *pit)
{
	memset(pit, 0, sizeof(*pit));
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		pit->channel[i].count = 0x10000;
		pit->channel[i].access = 3;
		pit->channel[i].gate = i != 2;
	}
}

/* --- on the bus */

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	return pit_read(device, offset, machine_ns(vcpu->vm));
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	pit_write(device, offset, value, machine_ns(vcpu->vm));
	chipset_moved(vcpu->vm);
}

static u64 gate_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	return pit_gate_read(device, machine_ns(vcpu->vm));
}

static void gate_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	pit_gate_write(device, value, machine_ns(vcpu->vm));
}

err_t pit_create(struct vm *vm)
{
	static const struct bus_ops ops = {.read = port_read,
					   .write = port_write};
	static const struct bus_ops gate = {.read = gate_read,
					    .write = gate_write};
	struct pit *pit = &vm->chipset->pit;
	err_t err;

	pit_reset(pit);
	err = bus_add(&vm->ports, "pit", PIT_PORT, 4, &ops, pit);
	return err ? err
		   : bus_add(&vm->ports, "gate", PORT_GATE, 1, &gate, pit);
}
