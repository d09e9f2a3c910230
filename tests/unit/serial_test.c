/*
 * The host's serial lines, in front of a UART that counts what it is told.
 */
#define CPU_REGS_H
#define CPU_TIME_H

#include "lib/types.h"
#include "tests/unit/test.h"

#include <string.h>

#define PORT 0x3f8
#define SIZE 64

static u8 scratch, interrupts;
static char sent[256];
static size_t sent_count;
static u64 time_ns;

static void outb(u16 port, u8 value)
{
	switch (port - PORT) {
	case 0:
		if (sent_count < sizeof(sent))
			sent[sent_count++] = (char)value;
		break;
	case 1:
		interrupts = value;
		break;
	case 7:
		scratch = value;
		break;
	default:
		break;
	}
}

/* Always empty, so that it takes a FIFO's bytes each time. */
static u8 inb(u16 port)
{
	switch (port - PORT) {
	case 2:
		return 0xc0;
	case 5:
		return 0x60;
	case 7:
		return scratch;
	default:
		return 0;
	}
}

static u64 now_ns(void)
{
	return time_ns;
}

#include "drivers/serial.c"

static struct serial uart;
static char queue[SIZE];

static void begin(void)
{
	CHECK(serial_open(&uart, PORT, queue, sizeof(queue)));
	sent_count = 0; /* the divisor */
	time_ns = 1000;
	serial_hush(0);
}

static void check_sent(const char *text)
{
	CHECK_EQ(sent_count, strlen(text));
	CHECK(!memcmp(sent, text, sent_count));
}

TEST(a_line_is_sent_at_once)
{
	begin();
	serial_write(&uart, "more than sixteen bytes", 23);
	check_sent("more than sixteen bytes");
}

TEST(a_hushed_line_queues)
{
	begin();
	serial_hush(2000);
	serial_write(&uart, "later", 5);
	serial_poll(&uart);
	CHECK_EQ(sent_count, 0);
	CHECK_EQ(serial_room(&uart), SIZE - 5);
	CHECK(!(interrupts & 2)); /* it would come again and again */
}

TEST(a_hush_ends_by_itself)
{
	begin();
	serial_hush(2000);
	serial_write(&uart, "later", 5);
	time_ns = 2000;
	serial_poll(&uart);
	check_sent("later");
}

TEST(a_hush_can_be_ended)
{
	begin();
	serial_hush(2000);
	serial_write(&uart, "later", 5);
	serial_hush(0);
	serial_write(&uart, " now", 4);
	check_sent("later now");
}

/* A panic does not wait for a guest. */
TEST(draining_sends_in_any_case)
{
	begin();
	serial_hush(2000);
	serial_write(&uart, "panic", 5);
	serial_drain(&uart);
	check_sent("panic");
}

TEST(a_full_queue_loses_nothing)
{
	char text[SIZE + 10];

	begin();
	memset(text, 'x', sizeof(text));
	serial_hush(2000);
	serial_write(&uart, text, sizeof(text));
	CHECK(sent_count >= 10);
	time_ns = 2000;
	serial_poll(&uart);
	CHECK_EQ(sent_count, sizeof(text));
}
