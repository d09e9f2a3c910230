/*
 * Registers by the names of the PC16550D data sheet, section 8. The emulators
 * differ in strictness: a byte may be written only when THRE says so.
 */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "drivers/serial.h"

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

static void reg_write(const struct serial *line, unsigned reg, u8 value)
{
	outb((u16)(line->port + reg), value);
}

static u8 reg_read(const struct serial *line, unsigned reg)
{
	return inb((u16)(line->port + reg));
}

static const struct {
	u16 port;
	u8 irq;
} lines[SERIAL_LINES] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

u16 serial_port(unsigned com)
{
	return com >= 1 && com <= SERIAL_LINES ? lines[com - 1].port : 0;
}

int serial_irq(const struct serial *line)
{
	for (unsigned i = 0; i < SERIAL_LINES; i++)
		if (line->port && lines[i].port == line->port)
			return lines[i].irq;
	return -1;
}

bool serial_open(struct serial *line, u16 port, char *queue, size_t size)
{
	*line = (struct serial){.port = port, .queue = queue, .size = size};
	reg_write(line, SCR, 0x5a);
	if (reg_read(line, SCR) != 0x5a) {
		line->port = 0;
		return false;
	}
	reg_write(line, IER, 0);
	reg_write(line, LCR, LCR_DLAB | LCR_8N1);
	reg_write(line, DLL, 1); /* 115200 baud */
	reg_write(line, DLM, 0);
	reg_write(line, LCR, LCR_8N1);
	reg_write(line, FCR, FCR_ENABLE | FCR_CLEAR);
	line->burst = 1;
	if ((reg_read(line, IIR) & IIR_FIFO) == IIR_FIFO)
		line->burst = FIFO_SIZE;
	reg_write(line, MCR, MCR_DTR_RTS | MCR_OUT2);
	reg_write(line, IER, IER_RECEIVED);
	return true;
}

static u64 hushed_until;

void serial_hush(u64 until_ns)
{
	__atomic_store_n(&hushed_until, until_ns, __ATOMIC_RELAXED);
}

static bool hushed(void)
{
	u64 until = __atomic_load_n(&hushed_until, __ATOMIC_RELAXED);

	return unlikely(until) && now_ns() < until;
}

/* The interrupt for room is on only while there is something to send. */
static void want_room(struct serial *line, bool wanted)
{
	if (wanted == line->room_wanted)
		return;
	line->room_wanted = wanted;
	reg_write(line, IER, IER_RECEIVED | (wanted ? IER_ROOM : 0));
}

/* Fills the FIFO once if it is empty; false when the line is busy. */
static bool send_burst(struct serial *line)
{
	if (!(reg_read(line, LSR) & LSR_THRE))
		return false;
	for (unsigned i = 0; i < line->burst && line->out != line->in; i++)
		reg_write(line, THR, (u8)line->queue[line->out++ % line->size]);
	return true;
}

void serial_poll(struct serial *line)
{
	if (hushed()) {
		want_room(line, false);
		return;
	}
	while (line->out != line->in && send_burst(line))
		;
	want_room(line, line->out != line->in);
}

/* A line that takes nothing for so long loses text, not the host. */
static void wait_for_room(struct serial *line)
{
	for (unsigned i = 0; i < STUCK_SPINS; i++) {
		if (send_burst(line))
			return;
	}
	line->out = line->in;
}

size_t serial_room(const struct serial *line)
{
	return line->size - (line->in - line->out);
}

static void enqueue(struct serial *line, char c)
{
	if (!serial_room(line))
		wait_for_room(line);
	line->queue[line->in++ % line->size] = c;
}

void serial_write(struct serial *line, const char *bytes, size_t n)
{
	while (n-- > 0)
		enqueue(line, *bytes++);
	serial_poll(line);
}

void serial_drain(struct serial *line)
{
	while (line->out != line->in)
		wait_for_room(line);
	for (unsigned i = 0; i < STUCK_SPINS; i++) {
		if (reg_read(line, LSR) & LSR_TEMT)
			break;
	}
	want_room(line, false);
}

int serial_read(struct serial *line)
{
	if (!line->port || !(reg_read(line, LSR) & LSR_DATA))
		return -1;
	return reg_read(line, RBR);
}

/* --- as a console */

static void console_text(void *line, const char *text, size_t len)
{
	for (; len > 0; len--, text++) {
		if (*text == '\n')
			enqueue(line, '\r');
		enqueue(line, *text);
	}
	serial_poll(line);
}

static void console_bytes(void *line, const char *bytes, size_t n)
{
	serial_write(line, bytes, n);
}

static size_t console_space(void *line)
{
	return serial_room(line);
}

static void console_send(void *line)
{
	serial_poll(line);
}

static void console_finish(void *line)
{
	serial_drain(line);
}

const struct console_device serial_console = {
	.write = console_text,
	.write_raw = console_bytes,
	.room = console_space,
	.poll = console_send,
	.drain = console_finish,
};
