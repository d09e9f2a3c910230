/*
 * The two 8259A interrupt controllers of a PC (8259A data sheet; ELCR by the
 * 82371SB's, 4.1.9), the second one at the first one's input 2. No clock, no
 * lock, no VM: irq.c has these, and calls from any CPU under its lock.
 */
#ifndef MACHINE_PIC_H
#define MACHINE_PIC_H

#include "lib/types.h"
#include "machine/fields.h"

#define PIC_PORT	0x20 /* command, data */
#define PIC_SLAVE_PORT	0xa0
#define PIC_ELCR_PORT	0x4d0 /* one for each */
#define PIC_IRQS	16
#define PIC_CASCADE	2

struct pic_chip {
	u8 lines; /* as they are now */
	u8 irr, imr, isr;
	u8 elcr;   /* a set bit: level-triggered */
	u8 base;   /* vector of input 0 */
	u8 lowest; /* the input of lowest priority; the next one is highest */
	u8 icw;	   /* the initialisation word that comes next; 0: none */
	u8 icw4;   /* as written; ICW1 in the same place until then */
	u8 ocw3;   /* which register is read, poll, special mask */
	u8 rotate; /* on automatic EOI */
};

struct pic {
	struct pic_chip chip[2];
	u8 output;  /* INTR to the processor; atomic */
	u8 offered; /* what vpic_vector() has spoken of */
};

extern const struct device_description vpic_description;

/* As firmware leaves it: vectors 0x08 and 0x70, all masked. */
void vpic_reset(struct pic *pic);

void vpic_line(struct pic *pic, unsigned irq, bool high);

/* The vector of what is most urgent, or -1: may be asked more than once. */
int vpic_vector(struct pic *pic);
/* The processor has taken what was asked for last. */
void vpic_acknowledge(struct pic *pic);

/* Ports: chip 0 or 1, its command (0) or data (1); ELCR. */
u8 vpic_read(struct pic *pic, unsigned chip, unsigned reg);
void vpic_write(struct pic *pic, unsigned chip, unsigned reg, u8 value);
void vpic_write_elcr(struct pic *pic, unsigned chip, u8 value);

#endif
