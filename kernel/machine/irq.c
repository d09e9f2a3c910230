/*
 * The interrupt controllers of one VM, their lock, and the ways in and out.
 * The lock is not vm->lock: a local APIC's EOI may be a WRMSR, which takes
 * none, and lines are raised from the first CPU too.
 */
#include "machine/irq.h"

#include "machine/ioapic.h"
#include "machine/lapic.h"
#include "machine/layout.h"
#include "machine/pic.h"
#include "mm/heap.h"
#include "vm/vm.h"

/* Message address and data (SDM vol. 3A 11.11.1 and 11.11.2). */
#define MESSAGE_ADDRESS(a) ((a) >> 20 == 0xfee)
#define MESSAGE_DEST(a)	   ((u8)((a) >> 12))
#define MESSAGE_LOGICAL	   BIT(2)
#define MESSAGE_WORD	   0x7ffu
#define WORD_LOGICAL	   BIT(11) /* where vlapic_bus_send() looks */

struct irq_chips {
	struct spinlock lock;
	struct pic pic;
	struct ioapic ioapic;
	bool extint; /* vCPU 0's: what was offered last is the PIC's */
};

/* The processor that has the PIC's INTR is to look again. */
static void unlock_pic(struct vm *vm, u8 before)
{
	u8 now = vm->irq->pic.output;

	spin_unlock(&vm->irq->lock);
	if (now || before)
		vcpu_kick(vm->vcpu[0], REQUEST_INTERRUPT);
}

/* --- devices */

static unsigned ioapic_pin(unsigned gsi)
{
	return gsi == GSI_TIMER ? GSI_CASCADE : gsi;
}

void irq_line(struct vm *vm, unsigned gsi, bool high)
{
	struct irq_chips *irq = vm->irq;
	u8 before;

	if (gsi >= GSI_COUNT || gsi == GSI_CASCADE)
		return;
	spin_lock(&irq->lock);
	before = irq->pic.output;
	if (gsi < PIC_IRQS)
		vpic_line(&irq->pic, gsi, high);
	ioapic_line(&irq->ioapic, ioapic_pin(gsi), high);
	if (before == irq->pic.output)
		spin_unlock(&irq->lock);
	else
		unlock_pic(vm, before);
}

/* Always an edge: there is no line whose level a message could tell of. */
void irq_message(struct vm *vm, u64 address, u32 data)
{
	u32 word = data & MESSAGE_WORD;

	if (!MESSAGE_ADDRESS(address))
		return;
	if (address & MESSAGE_LOGICAL)
		word |= WORD_LOGICAL;
	(void)vlapic_bus_send(vm, MESSAGE_DEST(address), word, false);
}

/* --- the processors */

void irq_eoi(struct vm *vm, u8 vector)
{
	spin_lock(&vm->irq->lock);
	ioapic_eoi(&vm->irq->ioapic, vector);
	spin_unlock(&vm->irq->lock);
}

/* Only the first vCPU's LINT0 is wired. */
static int pic_pending(struct vcpu *vcpu)
{
	struct irq_chips *irq = vcpu->vm->irq;
	int vector;

	if (!__atomic_load_n(&irq->pic.output, __ATOMIC_SEQ_CST) ||
	    !vlapic_takes_extint(vcpu))
		return -1;
	spin_lock(&irq->lock);
	vector = vpic_vector(&irq->pic);
	spin_unlock(&irq->lock);
	return vector;
}

int irq_pending(struct vcpu *vcpu)
{
	int vector;

	if (vcpu->id)
		return vlapic_pending(vcpu);
	vector = pic_pending(vcpu);
	vcpu->vm->irq->extint = vector >= 0;
	return vector >= 0 ? vector : vlapic_pending(vcpu);
}

/* Of several offers the last one stood. */
void irq_taken(struct vcpu *vcpu, u8 vector)
{
	struct irq_chips *irq = vcpu->vm->irq;

	if (vcpu->id || !irq->extint) {
		vlapic_taken(vcpu, vector);
		return;
	}
	irq->extint = false;
	spin_lock(&irq->lock);
	vpic_acknowledge(&irq->pic);
	spin_unlock(&irq->lock);
}

/* --- the buses: what is wider than a register is several of them */

static u64 chip_read(struct vm *vm, unsigned chip, u64 reg, unsigned size)
{
	u8 before;
	u64 value = 0;

	spin_lock(&vm->irq->lock);
	before = vm->irq->pic.output;
	for (unsigned i = 0; i < size; i++)
		value |= (u64)vpic_read(&vm->irq->pic, chip, reg + i) << 8 * i;
	unlock_pic(vm, before);
	return value;
}

static void chip_write(struct vm *vm, unsigned chip, u64 reg, unsigned size,
		       u64 value)
{
	u8 before;

	spin_lock(&vm->irq->lock);
	before = vm->irq->pic.output;
	for (unsigned i = 0; i < size; i++)
		vpic_write(&vm->irq->pic, chip, reg + i, value >> 8 * i);
	unlock_pic(vm, before);
}

static u64 master_read(void *vm, struct vcpu *vcpu, u64 reg, unsigned size)
{
	return chip_read(vm, 0, reg, size);
}

static void master_write(void *vm, struct vcpu *vcpu, u64 reg, unsigned size,
			 u64 value)
{
	chip_write(vm, 0, reg, size, value);
}

static u64 slave_read(void *vm, struct vcpu *vcpu, u64 reg, unsigned size)
{
	return chip_read(vm, 1, reg, size);
}

static void slave_write(void *vm, struct vcpu *vcpu, u64 reg, unsigned size,
			u64 value)
{
	chip_write(vm, 1, reg, size, value);
}

static u64 elcr_read(void *device, struct vcpu *vcpu, u64 reg, unsigned size)
{
	const struct vm *vm = device;
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)vm->irq->pic.chip[reg + i].elcr << 8 * i;
	return value;
}

static void elcr_write(void *device, struct vcpu *vcpu, u64 reg, unsigned size,
		       u64 value)
{
	struct vm *vm = device;
	u8 before;

	spin_lock(&vm->irq->lock);
	before = vm->irq->pic.output;
	for (unsigned i = 0; i < size; i++)
		vpic_write_elcr(&vm->irq->pic, reg + i, value >> 8 * i);
	unlock_pic(vm, before);
}

/* Registers are 32 bits wide; other accesses are undefined (3.0). */
static u64 page_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct vm *vm = device;
	u32 value;

	spin_lock(&vm->irq->lock);
	value = ioapic_read(&vm->irq->ioapic, offset & ~3ULL);
	spin_unlock(&vm->irq->lock);
	return (offset & 3) + size <= 4 ? value >> 8 * (offset & 3) : value;
}

static void page_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct vm *vm = device;

	spin_lock(&vm->irq->lock);
	ioapic_write(&vm->irq->ioapic, offset, value);
	spin_unlock(&vm->irq->lock);
}

static const struct bus_ops master_ops = {master_read, master_write, NULL};
static const struct bus_ops slave_ops = {slave_read, slave_write, NULL};
static const struct bus_ops elcr_ops = {elcr_read, elcr_write, NULL};
static const struct bus_ops page_ops = {page_read, page_write, NULL};

err_t irq_create(struct vm *vm)
{
	const struct {
		struct bus *bus;
		const char *name;
		u64 base, size;
		const struct bus_ops *ops;
	} ranges[] = {
		{&vm->ports, "pic", PIC_PORT, 2, &master_ops},
		{&vm->ports, "pic 2", PIC_SLAVE_PORT, 2, &slave_ops},
		{&vm->ports, "elcr", PIC_ELCR_PORT, 2, &elcr_ops},
		{&vm->mmio, "ioapic", IOAPIC_ADDRESS, IOAPIC_SIZE, &page_ops},
	};
	err_t err = E_OK;

	vm->irq = kzalloc(sizeof(*vm->irq));
	if (!vm->irq)
		return E_NOMEM;
	vpic_reset(&vm->irq->pic);
	vm->irq->ioapic.vm = vm;
	ioapic_reset(&vm->irq->ioapic);
	for (unsigned i = 0; !err && i < ARRAY_LEN(ranges); i++)
		err = bus_add(ranges[i].bus, ranges[i].name, ranges[i].base,
			      ranges[i].size, ranges[i].ops, vm);
	return err;
}

void irq_destroy(struct vm *vm)
{
	kfree(vm->irq);
	vm->irq = NULL;
}

void irq_dump(const struct vm *vm)
{
	device_dump(&vpic_description, 0, &vm->irq->pic);
	device_dump(&ioapic_description, 0, &vm->irq->ioapic);
}
