/*
 * The interrupt controllers together: lines go to both kinds, as on a PC, and
 * software masks all but one. Also where the processor meets them: the PIC's
 * INTR comes to vCPU 0 through its local APIC's LINT0 (virtual wire).
 */
#include "machine/irq.h"

#include "machine/chipset.h"
#include "machine/lapic_regs.h"
#include "machine/layout.h"
#include "machine/pc.h"
#include "vm/vm.h"

/* Address and data of a message (11.11.1, 11.11.2). */
#define MESSAGE_ADDRESS	     0xfee00000
#define MESSAGE_ADDRESS_BITS 0xfff00000
#define MESSAGE_LOGICAL	     BIT(2)
#define MESSAGE_LEVEL	     BIT(15)

/* After every change, with the lock held. */
static void update_intr(struct vm *vm)
{
	struct chipset *chipset = vm->chipset;
	bool intr = pic_pending(&chipset->pic) >= 0;

	if (intr == chipset->intr)
		return;
	__atomic_store_n(&chipset->intr, intr, __ATOMIC_SEQ_CST);
	vcpu_kick(vm->vcpu[0], REQUEST_INTERRUPT);
}

void irq_line(struct vm *vm, unsigned gsi, bool high)
{
	struct chipset *chipset = vm->chipset;
	u32 bit = BIT(gsi);

	spin_lock(&chipset->irq_lock);
	if (!!(chipset->lines & bit) != high) {
		chipset->lines ^= bit;
		if (gsi < 16)
			pic_line(&chipset->pic, gsi, high);
		ioapic_pin(vm, gsi == GSI_TIMER ? 2 : gsi, high);
		update_intr(vm);
	}
	spin_unlock(&chipset->irq_lock);
}

void irq_message(struct vm *vm, u64 address, u32 data)
{
	const struct vlapic_message message = {
		.destination = address >> 12 & 0xff,
		.logical = address & MESSAGE_LOGICAL,
		.delivery = DELIVERY(data),
		.vector = data,
		.level = data & MESSAGE_LEVEL,
	};

	if ((address & MESSAGE_ADDRESS_BITS) == MESSAGE_ADDRESS &&
	    !(address >> 32))
		(void)vlapic_deliver(vm, &message);
}

void irq_eoi(struct vm *vm, u8 vector)
{
	spin_lock(&vm->chipset->irq_lock);
	ioapic_eoi(vm, vector);
	spin_unlock(&vm->chipset->irq_lock);
}

/* --- what the processor is offered, and what it has taken */

int irq_pending(struct vcpu *vcpu)
{
	struct chipset *chipset = vcpu->vm->chipset;
	int vector = -1;

	if (vcpu->id)
		return vlapic_pending(vcpu);
	if (__atomic_load_n(&chipset->intr, __ATOMIC_SEQ_CST) &&
	    vlapic_takes_extint(vcpu->lapic)) {
		spin_lock(&chipset->irq_lock);
		vector = pic_pending(&chipset->pic);
		spin_unlock(&chipset->irq_lock);
	}
	chipset->from_pic = vector >= 0;
	return vector >= 0 ? vector : vlapic_pending(vcpu);
}

void irq_taken(struct vcpu *vcpu, u8 vector)
{
	struct chipset *chipset = vcpu->vm->chipset;

	if (vcpu->id || !chipset->from_pic) {
		vlapic_taken(vcpu, vector);
		return;
	}
	spin_lock(&chipset->irq_lock);
	pic_taken(&chipset->pic, vector);
	update_intr(vcpu->vm);
	spin_unlock(&chipset->irq_lock);
	chipset->from_pic = false;
}

/* --- on the buses */

static u64 pic_port_read(void *device, struct vcpu *vcpu, u64 port,
			 unsigned size)
{
	struct chipset *chipset = device;
	u64 value = 0;

	spin_lock(&chipset->irq_lock);
	for (unsigned i = 0; i < size; i++)
		value |= (u64)pic_read(&chipset->pic, port + i) << (8 * i);
	update_intr(vcpu->vm); /* a poll acknowledges */
	spin_unlock(&chipset->irq_lock);
	return value;
}

static void pic_port_write(void *device, struct vcpu *vcpu, u64 port,
			   unsigned size, u64 value)
{
	struct chipset *chipset = device;

	spin_lock(&chipset->irq_lock);
	for (unsigned i = 0; i < size; i++)
		pic_write(&chipset->pic, port + i, value >> (8 * i));
	update_intr(vcpu->vm);
	/* Still up, it may be another line's by now. */
	vcpu_kick(vcpu->vm->vcpu[0], REQUEST_INTERRUPT);
	spin_unlock(&chipset->irq_lock);
}

/* The bus gives offsets within a range; pic.c goes by ports. */
#define PIC_OPS(base)                                                  \
	static u64 read_##base(void *d, struct vcpu *v, u64 offset,    \
			       unsigned size)                          \
	{                                                              \
		return pic_port_read(d, v, base + offset, size);       \
	}                                                              \
	static void write_##base(void *d, struct vcpu *v, u64 offset,  \
				 unsigned size, u64 value)             \
	{                                                              \
		pic_port_write(d, v, base + offset, size, value);      \
	}                                                              \
	static const struct bus_ops ops_##base = {.read = read_##base, \
						  .write = write_##base};
PIC_OPS(PIC_MASTER)
PIC_OPS(PIC_SLAVE)
PIC_OPS(PIC_ELCR)

static u64 ioapic_mmio_read(void *device, struct vcpu *vcpu, u64 offset,
			    unsigned size)
{
	struct chipset *chipset = device;
	u32 value;

	spin_lock(&chipset->irq_lock);
	value = ioapic_read(&chipset->ioapic, offset & ~(u64)15);
	spin_unlock(&chipset->irq_lock);
	return offset & 15 ? value >> (offset & 3) * 8 : value;
}

static void ioapic_mmio_write(void *device, struct vcpu *vcpu, u64 offset,
			      unsigned size, u64 value)
{
	struct chipset *chipset = device;

	if (offset & 15)
		return;
	spin_lock(&chipset->irq_lock);
	ioapic_write(vcpu->vm, offset, value);
	spin_unlock(&chipset->irq_lock);
}

static const struct bus_ops ioapic_ops = {.read = ioapic_mmio_read,
					  .write = ioapic_mmio_write};

err_t irq_create(struct vm *vm)
{
	struct chipset *chipset = vm->chipset;
	err_t err;

	pic_reset(&chipset->pic);
	ioapic_reset(&chipset->ioapic);
	err = bus_add(&vm->ports, "pic", PIC_MASTER, 2, &ops_PIC_MASTER,
		      chipset);
	if (!err)
		err = bus_add(&vm->ports, "pic", PIC_SLAVE, 2, &ops_PIC_SLAVE,
			      chipset);
	if (!err)
		err = bus_add(&vm->ports, "elcr", PIC_ELCR, 2, &ops_PIC_ELCR,
			      chipset);
	if (!err)
		err = bus_add(&vm->mmio, "ioapic", IOAPIC_ADDRESS, PAGE_SIZE,
			      &ioapic_ops, chipset);
	return err;
}
