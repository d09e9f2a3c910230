#include "machine/pic.h"

#include "lib/string.h"

#define ICW1	    0x10 /* tells it from OCW2 and OCW3 */
#define ICW1_ICW4   0x01
#define ICW1_SINGLE 0x02
#define ICW4_AEOI   0x02
#define ICW4_SFNM   0x10 /* special fully nested mode */

#define OCW3		 0x08
#define OCW3_READ_ISR	 0x01
#define OCW3_READ	 0x02
#define OCW3_POLL	 0x04
#define OCW3_MASK	 0x20
#define OCW3_ENABLE_MASK 0x40

/* OCW2's upper three bits. */
enum {
	OCW2_ROTATE_CLEAR = 0,
	OCW2_EOI = 1,
	OCW2_EOI_SPECIFIC = 3,
	OCW2_ROTATE_SET = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_SPECIFIC = 7
};

/* Timer, keyboard, cascade; RTC, coprocessor: always by edge on a PC. */
static const u8 elcr_writable[2] = {0xf8, 0xde};

static const struct device_field fields[] = {
	DEVICE_FIELD(struct pic, chip[0].lines, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].irr, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].imr, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].isr, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].elcr, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].base, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].lowest, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].icw, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].icw4, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].ocw3, 1, 1),
	DEVICE_FIELD(struct pic, chip[0].rotate, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].lines, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].irr, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].imr, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].isr, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].elcr, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].base, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].lowest, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].icw, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].icw4, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].ocw3, 1, 1),
	DEVICE_FIELD(struct pic, chip[1].rotate, 1, 1),
};

const struct device_description vpic_description = {"pic", 1, ARRAY_LEN(fields),
						   fields};

/* --- priorities */

/* The input in the mask that goes first, or -1. */
static int first_of(const struct pic_chip *chip, u8 mask)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned irq = (chip->lowest + i) & 7;

		if (mask & BIT(irq))
			return irq;
	}
	return -1;
}

/* 0 is the most urgent; 8 is what no input has. */
static unsigned rank(const struct pic_chip *chip, int irq)
{
	return irq < 0 ? 8 : (irq - chip->lowest - 1) & 7;
}

/* What the chip asks for now, or -1. */
static int request(const struct pic *pic, unsigned which)
{
	const struct pic_chip *chip = &pic->chip[which];
	u8 busy = chip->isr;
	int irq = first_of(chip, chip->irr & ~chip->imr);

	if (chip->icw)
		return -1;
	if (chip->ocw3 & OCW3_MASK)
		busy &= ~chip->imr;
	/* The slave's more urgent ones may interrupt its less urgent ones. */
	if (which == 0 && (chip->icw4 & ICW4_SFNM))
		busy &= ~BIT(PIC_CASCADE);
	return rank(chip, irq) < rank(chip, first_of(chip, busy)) ? irq : -1;
}

/*
 * The cascade is by level: the slave takes its request back while it is served
 * and may repeat it at once, which its pulses on the wire come to.
 */
static void update(struct pic *pic)
{
	struct pic_chip *master = &pic->chip[0];

	if (request(pic, 1) >= 0)
		master->irr |= BIT(PIC_CASCADE);
	else
		master->irr &= ~BIT(PIC_CASCADE);
	__atomic_store_n(&pic->output, request(pic, 0) >= 0, __ATOMIC_SEQ_CST);
}

void vpic_line(struct pic *pic, unsigned irq, bool high)
{
	struct pic_chip *chip = &pic->chip[irq / 8];
	u8 bit = BIT(irq % 8);
	bool edge = high && !(chip->lines & bit);

	if (irq == PIC_CASCADE)
		return;
	if (!high) {
		/* A request must last until it is acknowledged. */
		chip->lines &= ~bit;
		chip->irr &= ~bit;
	} else {
		chip->lines |= bit;
		if (edge || (chip->elcr & bit))
			chip->irr |= bit;
	}
	update(pic);
}

/* --- the processor's side */

/*
 * The data sheet's spurious interrupts (a request that ends before it is
 * acknowledged is input 7's) do not happen: what is offered is taken back when
 * its request ends, or has been taken just before.
 */
int vpic_vector(struct pic *pic)
{
	int irq = request(pic, 0);

	if (irq < 0)
		return -1;
	pic->offered = irq;
	if (irq != PIC_CASCADE)
		return pic->chip[0].base + irq;
	irq = request(pic, 1);
	pic->offered = 8 + irq;
	return pic->chip[1].base + irq;
}

static void serve(struct pic_chip *chip, unsigned irq)
{
	u8 bit = BIT(irq);

	if (!(chip->elcr & bit))
		chip->irr &= ~bit;
	if (!(chip->icw4 & ICW4_AEOI))
		chip->isr |= bit;
	else if (chip->rotate)
		chip->lowest = irq;
}

void vpic_acknowledge(struct pic *pic)
{
	if (pic->offered >= 8)
		serve(&pic->chip[1], pic->offered - 8);
	serve(&pic->chip[0], pic->offered < 8 ? pic->offered : PIC_CASCADE);
	update(pic);
}

/* --- the ports */

static void begin(struct pic_chip *chip, u8 icw1)
{
	/* Only edges are forgotten (data sheet, ICW1); levels stand. */
	chip->irr = chip->lines & chip->elcr;
	chip->imr = chip->isr = chip->ocw3 = chip->rotate = 0;
	chip->lowest = 7;
	chip->icw4 = icw1;
	chip->icw = 2;
}

static void go_on(struct pic_chip *chip, u8 value)
{
	u8 icw1 = chip->icw4;

	switch (chip->icw) {
	case 2:
		chip->base = value & 0xf8;
		chip->icw = icw1 & ICW1_SINGLE ? 4 : 3;
		break;
	case 3: /* which input the slave is at: it cannot be rewired */
		chip->icw = 4;
		break;
	default:
		chip->icw4 = value;
		chip->icw = 0;
		return;
	}
	if (chip->icw == 4 && !(icw1 & ICW1_ICW4))
		chip->icw = chip->icw4 = 0;
}

/* Masked ones that special mask mode lets through are not ended. */
static int end_of_interrupt(struct pic_chip *chip)
{
	u8 busy = chip->isr;
	int irq;

	if (chip->ocw3 & OCW3_MASK)
		busy &= ~chip->imr;
	irq = first_of(chip, busy);
	if (irq >= 0)
		chip->isr &= ~BIT(irq);
	return irq;
}

static void write_ocw2(struct pic_chip *chip, u8 value)
{
	unsigned level = value & 7;
	int irq;

	switch (value >> 5) {
	case OCW2_EOI:
		end_of_interrupt(chip);
		break;
	case OCW2_ROTATE_EOI:
		irq = end_of_interrupt(chip);
		if (irq >= 0)
			chip->lowest = irq;
		break;
	case OCW2_ROTATE_SPECIFIC:
		chip->lowest = level;
		chip->isr &= ~BIT(level);
		break;
	case OCW2_EOI_SPECIFIC:
		chip->isr &= ~BIT(level);
		break;
	case OCW2_SET_PRIORITY:
		chip->lowest = level;
		break;
	case OCW2_ROTATE_SET:
	case OCW2_ROTATE_CLEAR:
		chip->rotate = value >> 5 == OCW2_ROTATE_SET;
		break;
	}
}

static void write_ocw3(struct pic_chip *chip, u8 value)
{
	u8 kept = chip->ocw3;

	if (value & OCW3_ENABLE_MASK)
		kept = (kept & ~OCW3_MASK) | (value & OCW3_MASK);
	if (value & OCW3_READ)
		kept = (kept & ~OCW3_READ_ISR) | (value & OCW3_READ_ISR);
	chip->ocw3 = (kept & ~OCW3_POLL) | (value & OCW3_POLL);
}

void vpic_write(struct pic *pic, unsigned which, unsigned reg, u8 value)
{
	struct pic_chip *chip = &pic->chip[which];

	if (reg == 0 && (value & ICW1))
		begin(chip, value);
	else if (reg == 0 && (value & OCW3))
		write_ocw3(chip, value);
	else if (reg == 0)
		write_ocw2(chip, value);
	else if (chip->icw)
		go_on(chip, value);
	else
		chip->imr = value;
	update(pic);
}

/* A poll is an acknowledgement by reading. */
static u8 poll(struct pic *pic, unsigned which)
{
	int irq = request(pic, which);

	pic->chip[which].ocw3 &= ~OCW3_POLL;
	if (irq < 0)
		return 0;
	serve(&pic->chip[which], irq);
	update(pic);
	return 0x80 | irq;
}

u8 vpic_read(struct pic *pic, unsigned which, unsigned reg)
{
	const struct pic_chip *chip = &pic->chip[which];

	if (chip->ocw3 & OCW3_POLL)
		return poll(pic, which);
	if (reg == 1)
		return chip->imr;
	return chip->ocw3 & OCW3_READ_ISR ? chip->isr : chip->irr;
}

void vpic_write_elcr(struct pic *pic, unsigned which, u8 value)
{
	struct pic_chip *chip = &pic->chip[which];
	u8 to_level;

	value &= elcr_writable[which];
	to_level = value & ~chip->elcr;
	chip->elcr = value;
	chip->irr = (chip->irr & ~to_level) | (chip->lines & to_level);
	update(pic);
}

void vpic_reset(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	for (unsigned i = 0; i < 2; i++) {
		pic->chip[i].imr = 0xff;
		pic->chip[i].lowest = 7;
		pic->chip[i].base = i ? 0x70 : 0x08;
	}
}
