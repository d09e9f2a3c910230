#include "machine/pm.h"

#include "lib/log.h"
#include "machine/clock.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "mm/heap.h"

#define PM_PORTS 12 /* from PORT_PM_EVENT on */
#define CONTROL	 (PORT_PM_CONTROL - PORT_PM_EVENT)
#define TIMER	 (PORT_PM_TIMER - PORT_PM_EVENT)

/* Events (4.8.3.1); only the timer's can happen here. */
#define EVENT_TIMER  BIT(0)
#define ENABLE_VALID 0x0721

/* Control (4.8.3.2). */
#define CONTROL_SCI   BIT(0) /* ACPI mode: always */
#define CONTROL_VALID 0x1c02
#define SLEEP_TYPE(c) ((c) >> 10 & 7)
#define SLEEP_ENABLE  BIT(13)

/* The timer's event is a change of its upper bit. */
#define CARRY_SHIFT 31

static const struct device_field fields[] = {
	DEVICE_FIELD(struct pm, status, 1, 1),
	DEVICE_FIELD(struct pm, enable, 1, 1),
	DEVICE_FIELD(struct pm, control, 1, 1),
	DEVICE_FIELD(struct pm, seen, 1, 1),
};

const struct device_description pm_description = {"pm", 1, ARRAY_LEN(fields),
						  fields};

static u64 carries(u64 ns)
{
	return clock_ticks(ns, CLOCK_PM_RATE) >> CARRY_SHIFT;
}

static void catch_up(struct pm *pm, u64 ns)
{
	if (carries(ns) != carries(pm->seen))
		pm->status |= EVENT_TIMER;
	pm->seen = ns;
	irq_line(pm->vm, GSI_SCI, pm->status & pm->enable);
}

u64 pm_poll(struct pm *pm, u64 ns)
{
	catch_up(pm, ns);
	if (!(pm->enable & EVENT_TIMER) || (pm->status & EVENT_TIMER))
		return CLOCK_NEVER;
	return clock_tick_ns((carries(ns) + 1) << CARRY_SHIFT, CLOCK_PM_RATE);
}

/* --- the ports: one byte after the other, whatever the access */

static u8 read_byte(const struct pm *pm, unsigned offset, u32 timer)
{
	unsigned shift = 8 * (offset & 1);

	switch (offset) {
	case 0 ... 1:
		return pm->status >> shift;
	case 2 ... 3:
		return pm->enable >> shift;
	case CONTROL ... CONTROL + 1:
		return (pm->control | CONTROL_SCI) >> shift;
	case TIMER ... TIMER + 3:
		return timer >> 8 * (offset - TIMER);
	}
	return 0;
}

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct pm *pm = device;
	u64 ns = clock_now(vcpu), value = 0;
	u32 timer = clock_ticks(ns, CLOCK_PM_RATE);

	catch_up(pm, ns);
	for (unsigned i = 0; i < size; i++)
		value |= (u64)read_byte(pm, offset + i, timer) << 8 * i;
	return value;
}

static void set_byte(u16 *reg, unsigned offset, u8 value)
{
	unsigned shift = 8 * (offset & 1);

	*reg = (*reg & ~(0xff << shift)) | value << shift;
}

static void write_byte(struct pm *pm, unsigned offset, u8 value)
{
	switch (offset) {
	case 0 ... 1: /* a written 1 clears */
		pm->status &= ~(value << 8 * offset);
		break;
	case 2 ... 3:
		set_byte(&pm->enable, offset, value);
		pm->enable &= ENABLE_VALID;
		break;
	case CONTROL ... CONTROL + 1:
		set_byte(&pm->control, offset, value);
		if ((pm->control & SLEEP_ENABLE) &&
		    SLEEP_TYPE(pm->control) == PM_SLEEP_OFF) {
			log_info("%s: powers off", pm->vm->config.name);
			vm_end(pm->vm, 0);
		}
		pm->control &= CONTROL_VALID; /* SLP_EN is not kept */
		break;
	}
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct pm *pm = device;
	u64 ns = clock_now(vcpu);

	catch_up(pm, ns);
	for (unsigned i = 0; i < size; i++)
		write_byte(pm, offset + i, value >> 8 * i);
	catch_up(pm, ns);
	clock_changed(pm->vm);
}

static const struct bus_ops ops = {port_read, port_write, NULL};

err_t pm_create(struct vm *vm)
{
	vm->pm = kzalloc(sizeof(*vm->pm));
	if (!vm->pm)
		return E_NOMEM;
	vm->pm->vm = vm;
	return bus_add(&vm->ports, "pm", PORT_PM_EVENT, PM_PORTS, &ops, vm->pm);
}

void pm_destroy(struct vm *vm)
{
	kfree(vm->pm);
	vm->pm = NULL;
}
