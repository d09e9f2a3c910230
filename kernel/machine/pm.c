#include "machine/pm.h"

#include "cpu/time.h"
#include "lib/log.h"
#include "machine/chipset.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "vm/vm.h"

/* PM1 status and enable (tables 4.11 and 4.12), control (4.13). */
#define GLOBAL_LOCK	    BIT(5)
#define POWER_BUTTON	    BIT(8)
#define RTC_ALARM	    BIT(10) /* may be enabled; it comes by its own line only */
#define EVENTS		    (GLOBAL_LOCK | POWER_BUTTON | RTC_ALARM)
#define SCI_EN		    BIT(0)
#define BM_RLD		    BIT(1)
#define SLEEP_TYPE(control) ((control) >> 10 & 7)
#define SLEEP_TYPE_BITS	    (7u << 10)
#define SLEEP_EN	    BIT(13)

static const struct device_field fields[] = {
	DEVICE_FIELD_MAX(struct pm, status, 1, 1, EVENTS),
	DEVICE_FIELD_MAX(struct pm, enable, 1, 1, EVENTS),
	DEVICE_FIELD_MAX(struct pm, control, 1, 1,
			 SCI_EN | BM_RLD | SLEEP_TYPE_BITS),
};

const struct device_description pm_description = {"pm", 1, ARRAY_LEN(fields),
						  fields, NULL};

static void update_sci(struct vm *vm)
{
	const struct pm *pm = &vm->chipset->pm;

	irq_line(vm, GSI_SCI, pm->status & pm->enable & EVENTS);
}

void pm_press_button(struct vm *vm)
{
	spin_lock(&vm->lock);
	vm->chipset->pm.status |= POWER_BUTTON;
	update_sci(vm);
	spin_unlock(&vm->lock);
}

/* --- registers: each of 16 bits, reached by byte, word or both at once */

static u8 read_byte(const struct pm *pm, unsigned offset)
{
	const u16 reg[] = {pm->status, pm->enable, pm->control};

	return reg[offset / 2] >> (offset & 1 ? 8 : 0);
}

static void write_byte(struct pm *pm, unsigned offset, u8 value)
{
	unsigned shift = offset & 1 ? 8 : 0;
	u16 bits = (u16)value << shift, mask = 0xff << shift;

	switch (offset / 2) {
	case 0: /* written ones are cleared */
		pm->status &= ~bits;
		break;
	case 1:
		pm->enable = (pm->enable & ~mask) | (bits & EVENTS);
		break;
	case 2:
		pm->control = (pm->control & ~mask) |
			      (bits & (BM_RLD | SLEEP_TYPE_BITS | SLEEP_EN)) |
			      SCI_EN;
		break;
	}
}

/* SLP_EN reads as zero; of the states there is only off. */
static void sleep_if_asked(struct vm *vm)
{
	struct pm *pm = &vm->chipset->pm;

	if (!(pm->control & SLEEP_EN))
		return;
	pm->control &= ~SLEEP_EN;
	if (SLEEP_TYPE(pm->control) != PM_SLEEP_S5) {
		log_warn("%s: asks for sleep type %u; there is only off",
			 vm->config.name, SLEEP_TYPE(pm->control));
		return;
	}
	log_info("%s: powered off", vm->config.name);
	vm_notice(vm, "powered-off");
	vm_end(vm, 0);
}

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)read_byte(device, offset + i) << (8 * i);
	return value;
}

static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(device, offset + i, value >> (8 * i));
	update_sci(vcpu->vm);
	sleep_if_asked(vcpu->vm);
}

/* All 32 bits of it; whole seconds apart, so that nothing overflows. */
static u64 timer_read(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size)
{
	u64 ns = machine_ns(vcpu->vm);
	u32 ticks = ns / NS_PER_S * PM_TIMER_HZ +
		    ns % NS_PER_S * PM_TIMER_HZ / NS_PER_S;

	return ticks >> (8 * offset);
}

err_t pm_create(struct vm *vm)
{
	static const struct bus_ops ops = {.read = port_read,
					   .write = port_write};
	static const struct bus_ops timer = {.read = timer_read};
	struct pm *pm = &vm->chipset->pm;
	err_t err;

	*pm = (struct pm){.control = SCI_EN};
	err = bus_add(&vm->ports, "pm", PORT_PM_EVENT, 6, &ops, pm);
	return err ? err
		   : bus_add(&vm->ports, "pm timer", PORT_PM_TIMER, 4, &timer,
			     pm);
}
