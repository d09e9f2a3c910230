/*
 * The 8259A pair: initialization, priorities, both triggers, ends of interrupt,
 * the cascade, and all of it against a model that is as slow as it reads.
 *
 *	links: kernel/machine/pic.c kernel/vm/fields.c
 *	links: tests/unit/fake_vm.c kernel/vm/memory.c kernel/vm/state.c
 *	links: kernel/files.c
 */
#include "test.h"

#include "machine/pic.h"
#include "tests/unit/fake_vm.h"

static struct pic pic;

static void command(unsigned which, u8 value)
{
	pic_write(&pic, which ? PIC_SLAVE : PIC_MASTER, value);
}

static void data(unsigned which, u8 value)
{
	pic_write(&pic, (which ? PIC_SLAVE : PIC_MASTER) + 1, value);
}

static u8 read_reg(unsigned which, bool isr)
{
	command(which, isr ? 0x0b : 0x0a);
	return pic_read(&pic, which ? PIC_SLAVE : PIC_MASTER);
}

/* As every PC's software does: vectors 0x30 and 0x38, all lines open. */
static void start(u8 icw4)
{
	pic_reset(&pic);
	for (unsigned i = 0; i < 2; i++) {
		command(i, 0x11);
		data(i, i ? 0x38 : 0x30);
		data(i, i ? 2 : 4);
		data(i, icw4);
		data(i, 0);
	}
}

static void pulse(unsigned line)
{
	pic_line(&pic, line, true);
	pic_line(&pic, line, false);
}

static void take(int vector)
{
	CHECK_EQ(pic_pending(&pic), vector);
	pic_taken(&pic, vector);
}

TEST(nothing_comes_before_it_is_set_up)
{
	pic_reset(&pic);
	for (unsigned line = 0; line < 16; line++)
		if (line != 2)
			pulse(line);
	CHECK_EQ(pic_pending(&pic), -1);
	CHECK_EQ(pic_read(&pic, PIC_MASTER + 1), 0xfb);
}

TEST(the_lowest_line_first_and_one_at_a_time)
{
	start(1);
	pulse(5);
	pulse(3);
	take(0x33);
	CHECK_EQ(pic_pending(&pic), -1);
	pulse(1);
	take(0x31); /* nested */
	CHECK_EQ(read_reg(0, true), BIT(3) | BIT(1));
	command(0, 0x20);
	CHECK_EQ(read_reg(0, true), BIT(3));
	command(0, 0x20);
	take(0x35);
	command(0, 0x65); /* specific */
	CHECK_EQ(read_reg(0, true), 0);
}

TEST(an_edge_is_one_a_level_stays)
{
	start(1);
	pic_line(&pic, 4, true);
	take(0x34);
	command(0, 0x20);
	CHECK_EQ(pic_pending(&pic), -1); /* still high: no new edge */
	pic_line(&pic, 4, false);
	pic_write(&pic, PIC_ELCR, 0xff);
	CHECK_EQ(pic_read(&pic, PIC_ELCR), 0xf8);
	pic_line(&pic, 5, true);
	take(0x35);
	command(0, 0x20);
	take(0x35);
	pic_line(&pic, 5, false);
	command(0, 0x20);
	CHECK_EQ(pic_pending(&pic), -1);
}

TEST(the_slave_comes_through_line_2)
{
	start(1);
	pulse(12);
	pulse(8);
	pulse(7);
	take(0x38);
	CHECK_EQ(read_reg(0, true), BIT(2));
	CHECK_EQ(read_reg(1, true), BIT(0));
	CHECK_EQ(pic_pending(&pic), -1); /* 7 is below 2, 12 below 8 */
	command(1, 0x20);
	command(0, 0x20);
	take(0x3c);
	command(1, 0x20);
	command(0, 0x20);
	take(0x37);
}

TEST(masks)
{
	start(1);
	data(0, BIT(1));
	pulse(1);
	CHECK_EQ(pic_pending(&pic), -1);
	CHECK_EQ(read_reg(0, false), BIT(1));
	data(0, 0);
	take(0x31);
	data(0, BIT(2));
	pulse(9);
	command(0, 0x20);
	CHECK_EQ(pic_pending(&pic), -1);
}

TEST(special_mask_lets_lower_ones_through)
{
	start(1);
	pulse(3);
	take(0x33);
	pulse(6);
	CHECK_EQ(pic_pending(&pic), -1);
	data(0, BIT(3));
	command(0, 0x68);
	take(0x36);
	command(0, 0x20); /* not the masked one */
	CHECK_EQ(read_reg(0, true), BIT(3));
}

TEST(automatic_end_and_rotation)
{
	start(3);
	pulse(4);
	pulse(6);
	take(0x34);
	CHECK_EQ(read_reg(0, true), 0);
	take(0x36);
	command(0, 0x80); /* rotate in automatic end */
	pulse(4);
	take(0x34);
	pulse(4);
	pulse(5);
	take(0x35);	  /* 4 is the lowest now */
	command(0, 0xc1); /* 1 the lowest: 2 is first */
	pulse(0);
	pulse(2 + 1);
	take(0x33);
}

TEST(polling_acknowledges)
{
	start(1);
	pulse(6);
	command(0, 0x0c);
	CHECK_EQ(pic_read(&pic, PIC_MASTER), 0x86);
	CHECK_EQ(read_reg(0, true), BIT(6));
	command(0, 0x0c);
	CHECK_EQ(pic_read(&pic, PIC_MASTER), 0);
}

/* What was offered was taken, though its line has been masked since. */
TEST(taken_by_its_vector)
{
	start(1);
	pulse(10);
	CHECK_EQ(pic_pending(&pic), 0x3a);
	data(1, 0xff);
	pic_taken(&pic, 0x3a);
	CHECK_EQ(read_reg(1, true), BIT(2));
	CHECK_EQ(read_reg(1, false), 0);
}

/* --- one chip, edges, plain ends: again, by the book */

TEST(nothing_comes_while_it_is_being_set_up)
{
	start(1);
	pic_write(&pic, PIC_ELCR, 0x20);
	pic_line(&pic, 5, true);
	CHECK_EQ(pic_pending(&pic), 0x35);
	command(0, 0x11);
	CHECK_EQ(pic_pending(&pic), -1);
	data(0, 0x50);
	data(0, 4);
	CHECK_EQ(pic_pending(&pic), -1);
	data(0, 1);
	CHECK_EQ(pic_pending(&pic), 0x55);
}

/* ICW3 comes only where there are several (data sheet, figure 6). */
TEST(alone_it_takes_three_words)
{
	start(1);
	command(0, 0x13);
	data(0, 0x50);
	data(0, 1);
	data(0, 0xf0); /* so this is the mask */
	CHECK_EQ(pic_read(&pic, PIC_MASTER + 1), 0xf0);
	pulse(3);
	CHECK_EQ(pic_pending(&pic), 0x53);
}

TEST(a_line_becomes_a_level_as_it_is)
{
	start(1);
	pic_line(&pic, 5, true);
	take(0x35);
	command(0, 0x20);
	CHECK_EQ(pic_pending(&pic), -1);
	pic_write(&pic, PIC_ELCR, 0x20);
	CHECK_EQ(pic_pending(&pic), 0x35);
	pic_write(&pic, PIC_ELCR, 0);
	CHECK_EQ(pic_pending(&pic), -1);
}

TEST(random_lines_against_a_slow_model)
{
	bool irr[8] = {0}, isr[8] = {0};
	u8 imr = 0;
	u64 seed = 7;

	start(1);
	for (unsigned i = 0; i < 100000; i++) {
		u64 r = fake_random(&seed) >> 20;
		unsigned line = r >> 8 & 7;
		int want = -1;

		switch (r & 7) {
		case 0 ... 2:
			if (line != 2) {
				pulse(line);
				irr[line] = true;
			}
			break;
		case 3:
			imr = r >> 16;
			data(0, imr);
			break;
		case 4 ... 5:
			command(0, 0x20);
			for (unsigned n = 0; n < 8; n++)
				if (isr[n]) {
					isr[n] = false;
					break;
				}
			break;
		default:
			if (pic_pending(&pic) >= 0) {
				line = pic_pending(&pic) & 7;
				pic_taken(&pic, pic_pending(&pic));
				irr[line] = false;
				isr[line] = true;
			}
		}
		for (unsigned n = 0; n < 8 && want < 0 && !isr[n]; n++)
			if (irr[n] && !(imr & BIT(n)))
				want = 0x30 + n;
		CHECK_EQ(pic_pending(&pic), want);
	}
}
