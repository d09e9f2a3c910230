/*
 * Registers by the names of the PC16550D data sheet, section 8. The emulators
 * differ in strictness: a byte may be written only when THRE says so.
 */
#include "cpu/regs.h"
#include "drivers/serial.h"

#define COM1	    0x3f8
#define QUEUE_SIZE  16384
#define STUCK_SPINS 1000000 /* of 1 us, about: the line is dead */

enum {
	RBR = 0, /* receive buffer; transmit holding when written */
	THR = 0,
	DLL = 0, /* divisor, while LCR_DLAB */
	IER = 1,
	DLM = 1,
	FCR = 2,
	IIR = 2, /* when read */
	LCR = 3,
	MCR = 4,
	LSR = 5,
	SCR = 7,
};

#define IER_RECEIVED 0x01
#define IER_ROOM     0x02
#define IIR_FIFO     0xc0 /* both set: a working FIFO, 16550A */
#define FCR_ENABLE   0x01 /* receive trigger at one byte */
#define FCR_CLEAR    0x06
#define LCR_8N1	     0x03
#define LCR_DLAB     0x80
#define MCR_DTR_RTS  0x03
#define MCR_OUT2     0x08 /* gates the interrupt line on a PC */
#define LSR_DATA     0x01
#define LSR_THRE     0x20
#define LSR_TEMT     0x40
#define FIFO_SIZE    16

static u16 base;
static unsigned burst; /* bytes that may follow one THRE */
static bool room_wanted;

static char queue[QUEUE_SIZE];
static u64 queue_in, queue_out;

static void reg_write(unsigned reg, u8 value)
{
	outb((u16)(base + reg), value);
}

static u8 reg_read(unsigned reg)
{
	return inb((u16)(base + reg));
}

bool serial_init(u16 port)
{
	base = port != 0 ? port : COM1;
	reg_write(SCR, 0x5a);
	if (reg_read(SCR) != 0x5a) {
		base = 0;
		return false;
	}
	reg_write(IER, 0);
	reg_write(LCR, LCR_DLAB | LCR_8N1);
	reg_write(DLL, 1); /* 115200 baud */
	reg_write(DLM, 0);
	reg_write(LCR, LCR_8N1);
	reg_write(FCR, FCR_ENABLE | FCR_CLEAR);
	burst = (reg_read(IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
	reg_write(MCR, MCR_DTR_RTS | MCR_OUT2);
	reg_write(IER, IER_RECEIVED);
	return true;
}

int serial_irq(void)
{
	switch (base) {
	case 0x3f8:
	case 0x3e8:
		return 4;
	case 0x2f8:
	case 0x2e8:
		return 3;
	default:
		return -1;
	}
}

/* The interrupt for room is on only while there is something to send. */
static void want_room(bool wanted)
{
	if (wanted == room_wanted)
		return;
	room_wanted = wanted;
	reg_write(IER, IER_RECEIVED | (wanted ? IER_ROOM : 0));
}

/* Fills the FIFO once if it is empty; false when the line is busy. */
static bool send_burst(void)
{
	if (!(reg_read(LSR) & LSR_THRE))
		return false;
	for (unsigned i = 0; i < burst && queue_out != queue_in; i++)
		reg_write(THR, (u8)queue[queue_out++ % QUEUE_SIZE]);
	return true;
}

static void serial_poll(void)
{
	while (queue_out != queue_in && send_burst())
		;
	want_room(queue_out != queue_in);
}

/* A line that takes nothing for so long loses text, not the host. */
static void wait_for_room(void)
{
	for (unsigned i = 0; i < STUCK_SPINS; i++) {
		if (send_burst())
			return;
	}
	queue_out = queue_in;
}

static void enqueue(char c)
{
	if (queue_in - queue_out == QUEUE_SIZE)
		wait_for_room();
	queue[queue_in++ % QUEUE_SIZE] = c;
}

static void serial_write(const char *text, size_t len)
{
	for (; len > 0; len--, text++) {
		if (*text == '\n')
			enqueue('\r');
		enqueue(*text);
	}
	serial_poll();
}

static void serial_drain(void)
{
	while (queue_out != queue_in)
		wait_for_room();
	for (unsigned i = 0; i < STUCK_SPINS; i++) {
		if (reg_read(LSR) & LSR_TEMT)
			break;
	}
	want_room(false);
}

int serial_read(void)
{
	if (base == 0 || !(reg_read(LSR) & LSR_DATA))
		return -1;
	return reg_read(RBR);
}

const struct console_device serial_console = {
	.write = serial_write,
	.poll = serial_poll,
	.drain = serial_drain,
};
