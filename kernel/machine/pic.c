#include "machine/pic.h"

#include "lib/string.h"

#define CASCADE 2

/* First words written to the command port. */
#define ICW1	   0x10
#define ICW1_ICW4  0x01
#define ICW1_ALONE 0x02
#define ICW4_AEOI  0x02
#define ICW4_SFNM  0x10
#define OCW3	   0x08
#define OCW3_POLL  0x04
#define OCW3_READ  0x02 /* with bit 0: which register */
#define OCW3_ESMM  0x40
#define OCW3_SMM   0x20

/* Lines that cannot be level triggered: timer, keyboard, cascade; RTC, FPU. */
static const u8 level_possible[2] = {0xf8, 0xde};

#define CHIP(which, member, most)                                              \
	DEVICE_FIELD_AS(#which "." #member, struct pic, chip[which].member, 1, \
			most)
#define CHIP_FIELDS(which)                                                 \
	CHIP(which, irr, 0), CHIP(which, isr, 0), CHIP(which, imr, 0),     \
		CHIP(which, lines, 0), CHIP(which, levels, 0),             \
		CHIP(which, base, 0xf8), CHIP(which, lowest, 7),           \
		CHIP(which, init, 4), CHIP(which, wants_icw4, 1),          \
		CHIP(which, alone, 1), CHIP(which, auto_eoi, 1),           \
		CHIP(which, auto_rotate, 1), CHIP(which, fully_nested, 1), \
		CHIP(which, special_mask, 1), CHIP(which, read_isr, 1),    \
		CHIP(which, poll, 1)

static const struct device_field fields[] = {CHIP_FIELDS(0), CHIP_FIELDS(1)};

const struct device_description pic_description = {"pic", 1, ARRAY_LEN(fields),
						   fields, NULL};

/* --- priorities: the line after the lowest is the highest */

/* How far down a line is: 0 is the highest. */
static unsigned rank(const struct pic_chip *chip, unsigned line)
{
	return (line - chip->lowest - 1) & 7;
}

/* The most urgent of these lines, -1: none. */
static int highest(const struct pic_chip *chip, u8 lines)
{
	for (unsigned i = 1; i <= 8; i++)
		if (lines & BIT((chip->lowest + i) & 7))
			return (chip->lowest + i) & 7;
	return -1;
}

/*
 * The line to be served now. What is in service holds back its equals and
 * those below; special mask: only itself; fully nested: the cascade not even
 * itself, for what is more urgent within the slave.
 */
static int wanted(const struct pic *pic, unsigned which)
{
	const struct pic_chip *chip = &pic->chip[which];
	u8 serving = chip->isr;
	int line = highest(chip, chip->irr & ~chip->imr), busy;

	if (chip->init)
		return -1; /* it does not know its vectors yet */
	if (chip->special_mask)
		serving &= ~chip->imr;
	if (!which && chip->fully_nested)
		serving &= ~BIT(CASCADE);
	busy = highest(chip, serving);
	if (line < 0 || (busy >= 0 && rank(chip, busy) <= rank(chip, line)))
		return -1;
	return line;
}

/* --- lines */

static void set_line(struct pic_chip *chip, unsigned line, bool high)
{
	u8 bit = BIT(line), old = chip->lines;

	chip->lines = high ? old | bit : old & ~bit;
	if (chip->levels & bit)
		chip->irr = high ? chip->irr | bit : chip->irr & ~bit;
	else if (high && !(old & bit))
		chip->irr |= bit;
}

/* The slave's output is a line of the master, and follows what it wants. */
static void cascade(struct pic *pic)
{
	struct pic_chip *master = &pic->chip[0];

	if (wanted(pic, 1) >= 0)
		master->irr |= BIT(CASCADE);
	else
		master->irr &= ~BIT(CASCADE);
}

void pic_line(struct pic *pic, unsigned line, bool high)
{
	set_line(&pic->chip[line >> 3], line & 7, high);
	cascade(pic);
}

int pic_pending(const struct pic *pic)
{
	int line = wanted(pic, 0), inner;

	if (line != CASCADE)
		return line < 0 ? -1 : pic->chip[0].base + line;
	inner = wanted(pic, 1);
	return pic->chip[1].base + (inner < 0 ? 7 : inner);
}

/* --- acknowledging and ending */

static void rotate_to(struct pic_chip *chip, unsigned line)
{
	chip->lowest = line;
}

static void acknowledge(struct pic_chip *chip, unsigned line)
{
	u8 bit = BIT(line);

	if (!(chip->levels & bit))
		chip->irr &= ~bit;
	if (!chip->auto_eoi)
		chip->isr |= bit;
	else if (chip->auto_rotate)
		rotate_to(chip, line);
}

/*
 * By the vector, since what was offered is what has been taken, whatever has
 * happened to the lines in between.
 */
void pic_taken(struct pic *pic, u8 vector)
{
	if (pic_pending(pic) == vector ? wanted(pic, 0) != CASCADE
				       : (vector & 0xf8) == pic->chip[0].base) {
		acknowledge(&pic->chip[0], vector & 7);
	} else {
		acknowledge(&pic->chip[0], CASCADE);
		acknowledge(&pic->chip[1], vector & 7);
	}
	cascade(pic);
}

static void end(struct pic_chip *chip, int line, bool rotate)
{
	if (line < 0)
		return;
	chip->isr &= ~BIT(line);
	if (rotate)
		rotate_to(chip, line);
}

/* OCW2: R, SL, EOI in the upper bits. */
static void write_ocw2(struct pic_chip *chip, u8 value)
{
	bool rotate = value & 0x80, specific = value & 0x40;
	u8 serving = chip->isr;

	if (chip->special_mask)
		serving &= ~chip->imr; /* a masked one is not the latest */
	if (value & 0x20)
		end(chip, specific ? value & 7 : highest(chip, serving),
		    rotate);
	else if (rotate && specific)
		rotate_to(chip, value & 7);
	else if (!specific)
		chip->auto_rotate = rotate;
}

static void write_ocw3(struct pic_chip *chip, u8 value)
{
	chip->poll = !!(value & OCW3_POLL);
	if (value & OCW3_READ)
		chip->read_isr = value & 1;
	if (value & OCW3_ESMM)
		chip->special_mask = !!(value & OCW3_SMM);
}

/* What is a level from now on shows it; what is an edge has to come anew. */
static void write_elcr(struct pic_chip *chip, u8 levels)
{
	u8 changed = chip->levels ^ levels;

	chip->levels = levels;
	chip->irr = (chip->irr & ~changed) | (chip->lines & levels & changed);
}

/* --- initialization: ICW1 at the command port, the others at the data port */

static void begin_init(struct pic_chip *chip, u8 value)
{
	u8 lines = chip->lines, levels = chip->levels;

	memset(chip, 0, sizeof(*chip));
	chip->lines = lines;
	chip->levels = levels;
	chip->irr = lines & levels; /* an edge must come anew */
	chip->lowest = 7;
	chip->init = 2;
	chip->alone = !!(value & ICW1_ALONE);
	chip->wants_icw4 = value & ICW1_ICW4;
}

static void write_data(struct pic_chip *chip, u8 value)
{
	switch (chip->init) {
	case 0:
		chip->imr = value;
		break;
	case 2:
		chip->base = value & 0xf8;
		chip->init = 3;
		if (!chip->alone)
			break;
		/* fall through */
	case 3: /* who is where: it cannot be otherwise */
		chip->init = chip->wants_icw4 ? 4 : 0;
		break;
	case 4:
		chip->auto_eoi = !!(value & ICW4_AEOI);
		chip->fully_nested = !!(value & ICW4_SFNM);
		chip->init = 0;
		break;
	}
}

static void write_command(struct pic_chip *chip, u8 value)
{
	if (value & ICW1)
		begin_init(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

/* --- ports */

/* Poll: a read that acknowledges, in place of the processor. */
static u8 read_poll(struct pic *pic, unsigned which)
{
	struct pic_chip *chip = &pic->chip[which];
	int line = wanted(pic, which);

	chip->poll = 0;
	if (line < 0)
		return 0;
	acknowledge(chip, line);
	return 0x80 | line;
}

u8 pic_read(struct pic *pic, u16 port)
{
	unsigned which = port >= PIC_SLAVE;
	const struct pic_chip *chip;
	u8 value;

	if ((port & ~1) == PIC_ELCR)
		return pic->chip[port & 1].levels;
	chip = &pic->chip[which];
	if (chip->poll)
		value = read_poll(pic, which);
	else if (port & 1)
		value = chip->imr;
	else
		value = chip->read_isr ? chip->isr : chip->irr;
	cascade(pic);
	return value;
}

void pic_write(struct pic *pic, u16 port, u8 value)
{
	struct pic_chip *chip = &pic->chip[port >= PIC_SLAVE];

	if ((port & ~1) == PIC_ELCR)
		write_elcr(&pic->chip[port & 1],
			   value & level_possible[port & 1]);
	else if (port & 1)
		write_data(chip, value);
	else
		write_command(chip, value);
	cascade(pic);
}

/*
 * As a PC's firmware leaves them: vectors 8 and 0x70, everything masked but the
 * cascade.
 */
void pic_reset(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	for (unsigned i = 0; i < 2; i++) {
		pic->chip[i].lowest = 7;
		pic->chip[i].imr = i ? 0xff : 0xff & ~BIT(CASCADE);
		pic->chip[i].base = i ? 0x70 : 0x08;
	}
}
