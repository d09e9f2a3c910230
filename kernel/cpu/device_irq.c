#include "cpu/device_irq.h"
#include "cpu/lapic.h"
#include "cpu/pic.h"

_Static_assert(VECTOR_DEVICE + DEVICE_IRQS <= VECTOR_SPURIOUS, "vectors");

#define FIRST VECTOR_PIC
#define COUNT (VECTOR_DEVICE + DEVICE_IRQS - FIRST)

static unsigned allocated;
static u64 came[COUNT];
static u16 once; /* legacy lines that are masked by their interrupt */

int device_irq_alloc(void)
{
	return allocated < DEVICE_IRQS ? (int)(VECTOR_DEVICE + allocated++)
				       : -1;
}

u64 device_irq_count(int vector)
{
	return vector < FIRST || vector >= FIRST + COUNT ? 0
							 : came[vector - FIRST];
}

void device_irq_open_line(unsigned line)
{
	once |= (u16)BIT(line);
	pic_unmask(line);
}

void device_irq_came(unsigned vector)
{
	unsigned line = vector - VECTOR_PIC;

	came[vector - FIRST]++;
	if (line >= PIC_LINES) {
		lapic_eoi();
		return;
	}
	/* A level would interrupt again before it can be looked after. */
	if (once & BIT(line))
		pic_mask(line);
	pic_acknowledge(line);
}
