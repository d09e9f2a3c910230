/*
 * Two 8259A interrupt controllers as a PC has them (Intel 8259A data sheet):
 * the second one at line 2 of the first, and the registers that make a line
 * level triggered (ELCR). Pure: it is told of lines, and asked what is pending.
 */
#ifndef MACHINE_PIC_H
#define MACHINE_PIC_H

#include "lib/types.h"
#include "vm/fields.h"

#define PIC_MASTER 0x20 /* two ports each */
#define PIC_SLAVE  0xa0
#define PIC_ELCR   0x4d0

struct pic_chip {
	u8 irr, isr, imr;
	u8 lines;  /* as they are */
	u8 levels; /* ELCR: level triggered */
	u8 base;   /* vector of line 0 */
	u8 lowest; /* the line with the lowest priority */
	u8 init;   /* the next initialization word, 0: none */
	u8 wants_icw4, alone;
	u8 auto_eoi, auto_rotate, fully_nested, special_mask;
	u8 read_isr, poll;
};

struct pic {
	struct pic_chip chip[2];
};

extern const struct device_description pic_description;

void pic_reset(struct pic *pic);

/* One of 16 lines, but 2, has this level now. */
void pic_line(struct pic *pic, unsigned line, bool high);

/* The vector that INTA would give now; -1: INTR is low. */
int pic_pending(const struct pic *pic);

/* The processor has taken that vector. */
void pic_taken(struct pic *pic, u8 vector);

u8 pic_read(struct pic *pic, u16 port);
void pic_write(struct pic *pic, u16 port, u8 value);

#endif
