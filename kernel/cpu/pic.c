/* Command words by their names in the 8259A data sheet. */
#include "cpu/lapic.h"
#include "cpu/pic.h"
#include "cpu/regs.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xa0
#define SLAVE_DATA     0xa1

#define ICW1_INIT     0x11 /* edge triggered, cascaded, ICW4 follows */
#define ICW3_SLAVE_AT 0x04 /* a bit to the master, a number to the slave */
#define ICW3_SLAVE_ID 0x02
#define ICW4_8086     0x01
#define OCW2_EOI      0x20
#define OCW3_READ_ISR 0x0b

#define CASCADE	      2 /* the slave's line of the master */
#define SPURIOUS_LINE 7 /* of each chip: raised, but gone when asked for */

static u16 mask = 0xffff;

static void write_mask(void)
{
	outb(MASTER_DATA, (u8)mask);
	outb(SLAVE_DATA, (u8)(mask >> 8));
}

void pic_init(void)
{
	outb(MASTER_COMMAND, ICW1_INIT);
	outb(SLAVE_COMMAND, ICW1_INIT);
	outb(MASTER_DATA, VECTOR_PIC);
	outb(SLAVE_DATA, VECTOR_PIC + 8);
	outb(MASTER_DATA, ICW3_SLAVE_AT);
	outb(SLAVE_DATA, ICW3_SLAVE_ID);
	outb(MASTER_DATA, ICW4_8086);
	outb(SLAVE_DATA, ICW4_8086);
	write_mask();
}

void pic_unmask(unsigned line)
{
	mask &= (u16)~BIT(line);
	if (line >= 8)
		mask &= (u16)~BIT(CASCADE);
	write_mask();
}

void pic_mask(unsigned line)
{
	mask |= (u16)BIT(line);
	write_mask();
}

static bool in_service(u16 command, unsigned line)
{
	outb(command, OCW3_READ_ISR);
	return inb(command) >> line & 1;
}

void pic_acknowledge(unsigned line)
{
	if (line == SPURIOUS_LINE && !in_service(MASTER_COMMAND, line))
		return;
	/* The slave's spurious line is real to the master. */
	if (line >= 8 && (line != SPURIOUS_LINE + 8 ||
			  in_service(SLAVE_COMMAND, SPURIOUS_LINE)))
		outb(SLAVE_COMMAND, OCW2_EOI);
	outb(MASTER_COMMAND, OCW2_EOI);
}
