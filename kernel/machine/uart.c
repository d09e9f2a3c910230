#include "machine/uart.h"

#include "lib/string.h"
#include "machine/irq.h"
#include "machine/layout.h"
#include "mm/heap.h"
#include "vm/vm.h"

/* Registers; those at 0 and 1 are the divisor while LCR.DLAB is set. */
enum {
	REG_DATA,
	REG_IER,
	REG_IIR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR
};
#define REG_FCR REG_IIR /* when written */

#define IER_RX	  0x01
#define IER_THRE  0x02
#define IER_LINE  0x04
#define IER_MODEM 0x08
#define IER_VALID 0x0f

/* Interrupts, most urgent first (table 5). */
#define IIR_LINE    0x06
#define IIR_RX	    0x04
#define IIR_TIMEOUT 0x0c
#define IIR_THRE    0x02
#define IIR_MODEM   0x00
#define IIR_NONE    0x01
#define IIR_FIFOS   0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_KEPT     0xc9 /* enable, DMA mode, trigger level */

#define LCR_BREAK 0x40
#define LCR_DLAB  0x80

#define MCR_DTR	  0x01
#define MCR_RTS	  0x02
#define MCR_OUT1  0x04
#define MCR_OUT2  0x08 /* on a PC: lets the interrupt out */
#define MCR_LOOP  0x10
#define MCR_VALID 0x1f

#define LSR_DATA    0x01
#define LSR_OVERRUN 0x02
#define LSR_BREAK   0x10
#define LSR_IDLE    0x60 /* THRE, TEMT */
#define LSR_FIFO    0x80

#define MSR_DCTS 0x01
#define MSR_DDSR 0x02
#define MSR_TERI 0x04
#define MSR_DDCD 0x08
#define MSR_CTS	 0x10
#define MSR_DSR	 0x20
#define MSR_RI	 0x40
#define MSR_DCD	 0x80

static const struct device_field fields[] = {
	DEVICE_FIELD_MAX(struct uart, ier, 1, 1, IER_VALID),
	DEVICE_FIELD_MAX(struct uart, fcr, 1, 1, FCR_KEPT),
	DEVICE_FIELD(struct uart, lcr, 1, 1),
	DEVICE_FIELD_MAX(struct uart, mcr, 1, 1, MCR_VALID),
	DEVICE_FIELD(struct uart, scr, 1, 1),
	DEVICE_FIELD(struct uart, lsr, 1, 1),
	DEVICE_FIELD(struct uart, msr, 1, 1),
	DEVICE_FIELD(struct uart, divisor, 2, 1),
	DEVICE_FIELD_MAX(struct uart, thre_pending, 1, 1, 1),
	DEVICE_FIELD_MAX(struct uart, tx_full, 1, 1, 1),
	DEVICE_FIELD(struct uart, rx, UART_FIFO, 1),
	DEVICE_FIELD_MAX(struct uart, rx_head, 1, 1, UART_FIFO - 1),
	DEVICE_FIELD_MAX(struct uart, rx_count, 1, 1, UART_FIFO),
};

const struct device_description uart_description = {
	"uart", 1, ARRAY_LEN(fields), fields, NULL};

/* --- receiving */

/* Without FIFOs there is one holding register. */
static unsigned rx_size(const struct uart *uart)
{
	return uart->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

static void rx_push(struct uart *uart, u8 byte)
{
	if (uart->rx_count == rx_size(uart)) {
		uart->lsr |= LSR_OVERRUN;
		/* The holding register is overwritten, a FIFO keeps what it
		 * has (8.4.3, LSR bit 1). */
		if (rx_size(uart) == 1)
			uart->rx[uart->rx_head] = byte;
		return;
	}
	uart->rx[(uart->rx_head + uart->rx_count++) % UART_FIFO] = byte;
}

static void rx_clear(struct uart *uart)
{
	uart->rx_head = uart->rx_count = 0;
}

/* Takes what has been typed for it, as far as there is room. */
static void rx_fill(struct uart *uart)
{
	if ((uart->mcr & MCR_LOOP) || uart->vm->config.console != CONSOLE_UART)
		return;
	while (uart->rx_count < rx_size(uart)) {
		int byte = vm_console_read(uart->vm);

		if (byte < 0)
			break;
		rx_push(uart, byte);
	}
}

/* --- sending: takes no time while the console has room for a FIFO's bytes */

static void tx_drain(struct uart *uart)
{
	if (!uart->tx_full || vm_console_room(uart->vm) < UART_FIFO)
		return;
	uart->tx_full = 0;
	uart->thre_pending = 1;
}

static u8 read_data(struct uart *uart)
{
	u8 byte = uart->rx[uart->rx_head];

	if (!uart->rx_count)
		return 0;
	uart->rx_head = (uart->rx_head + 1) % UART_FIFO;
	uart->rx_count--;
	return byte;
}

/* --- interrupts */

static unsigned rx_trigger(const struct uart *uart)
{
	static const u8 levels[] = {1, 4, 8, 14};

	return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/*
 * What IIR names. Bytes below the trigger level are a time-out: four
 * characters' time has passed as soon as nothing more has been typed.
 */
static u8 cause(struct uart *uart)
{
	if ((uart->ier & IER_LINE) && uart->lsr)
		return IIR_LINE;
	if ((uart->ier & IER_RX) && uart->rx_count)
		return uart->rx_count >= rx_trigger(uart) ? IIR_RX
							  : IIR_TIMEOUT;
	if ((uart->ier & IER_THRE) && uart->thre_pending)
		return IIR_THRE;
	if ((uart->ier & IER_MODEM) && (uart->msr & 0x0f))
		return IIR_MODEM;
	return IIR_NONE;
}

bool uart_irq_level(struct uart *uart)
{
	rx_fill(uart);
	tx_drain(uart);
	/* Looped back, OUT2's pin is inactive (8.6). */
	return cause(uart) != IIR_NONE &&
	       (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

void uart_interrupt(struct uart *uart)
{
	irq_line(uart->vm, GSI_UART, uart_irq_level(uart));
}

static u8 read_iir(struct uart *uart)
{
	u8 iir = cause(uart);

	if (iir == IIR_THRE)
		uart->thre_pending = 0;
	return iir | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

/* --- the other registers */

/* The modem's lines: a ready peer, or our own outputs looped back (8.6). */
static u8 modem_lines(const struct uart *uart)
{
	u8 lines = 0;

	if (!(uart->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (uart->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (uart->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (uart->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (uart->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void write_mcr(struct uart *uart, u8 value)
{
	u8 old = modem_lines(uart), changed;

	uart->mcr = value & MCR_VALID;
	changed = old ^ modem_lines(uart);
	/* RI counts when it ends (8.8, bit 2). */
	if (!(old & MSR_RI))
		changed &= ~MSR_RI;
	uart->msr |= changed >> 4;
}

static u8 read_msr(struct uart *uart)
{
	u8 value = uart->msr | modem_lines(uart);

	uart->msr = 0;
	return value;
}

static u8 read_lsr(struct uart *uart)
{
	u8 value = uart->lsr | (uart->tx_full ? 0 : LSR_IDLE);

	if (uart->rx_count)
		value |= LSR_DATA;
	if ((uart->fcr & FCR_ENABLE) && (uart->lsr & LSR_BREAK))
		value |= LSR_FIFO;
	uart->lsr = 0;
	return value;
}

static void write_fcr(struct uart *uart, u8 value)
{
	/* Changing the mode empties the FIFOs; so does asking for it. */
	if (((value ^ uart->fcr) & FCR_ENABLE) ||
	    ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)))
		rx_clear(uart);
	/* Other bits are programmed only while FCR0 is written 1 (8.5). */
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void write_lcr(struct uart *uart, u8 value)
{
	u8 begins = value & ~uart->lcr;

	uart->lcr = value;
	if ((begins & LCR_BREAK) && (uart->mcr & MCR_LOOP)) {
		rx_push(uart, 0);
		uart->lsr |= LSR_BREAK;
	}
}

static void write_ier(struct uart *uart, u8 value)
{
	/* An empty transmitter interrupts as soon as it is allowed to. */
	if ((value & ~uart->ier & IER_THRE) && !uart->tx_full)
		uart->thre_pending = 1;
	uart->ier = value & IER_VALID;
}

/* Is it the data register that a write to this one reaches, and the line? */
static bool sends(const struct uart *uart, unsigned reg)
{
	return reg == REG_DATA && !(uart->lcr & LCR_DLAB) &&
	       !(uart->mcr & MCR_LOOP);
}

static void write_data(struct uart *uart, char byte)
{
	if (uart->mcr & MCR_LOOP) {
		rx_push(uart, byte);
	} else {
		vm_console_write(uart->vm, &byte, 1);
		uart->tx_full = vm_console_room(uart->vm) < UART_FIFO;
	}
	/* Sent at once, but the line goes down for it: an edge. */
	uart->thre_pending = 0;
	uart_interrupt(uart);
	uart->thre_pending = !uart->tx_full;
}

static u8 read_register(struct uart *uart, unsigned reg)
{
	rx_fill(uart);
	tx_drain(uart);
	if ((uart->lcr & LCR_DLAB) && reg <= REG_IER)
		return uart->divisor[reg];
	switch (reg) {
	case REG_DATA:
		return read_data(uart);
	case REG_IER:
		return uart->ier;
	case REG_IIR:
		return read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}

static void write_register(struct uart *uart, unsigned reg, u8 value)
{
	if ((uart->lcr & LCR_DLAB) && reg <= REG_IER) {
		uart->divisor[reg] = value;
		return;
	}
	switch (reg) {
	case REG_DATA:
		write_data(uart, value);
		break;
	case REG_IER:
		write_ier(uart, value);
		break;
	case REG_FCR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		write_lcr(uart, value);
		break;
	case REG_MCR:
		write_mcr(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	} /* LSR and MSR are the factory's to write */
}

/* --- the bus: wider accesses are several of a byte, as on ISA */

static u64 port_read(void *device, struct vcpu *vcpu, u64 offset, unsigned size)
{
	struct uart *uart = device;
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)read_register(uart, offset + i) << (8 * i);
	uart_interrupt(uart);
	return value;
}

/* A guest that writes without asking LSR loses nothing either: it waits. */
static void port_write(void *device, struct vcpu *vcpu, u64 offset,
		       unsigned size, u64 value)
{
	struct uart *uart = device;

	if (sends(uart, offset) && !vm_console_room(uart->vm)) {
		vcpu_hold(vcpu);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		write_register(uart, offset + i, value >> (8 * i));
	uart_interrupt(uart);
}

static const struct bus_ops ops = {.read = port_read, .write = port_write};

void uart_reset(struct uart *uart)
{
	struct vm *vm = uart->vm;

	memset(uart, 0, sizeof(*uart));
	uart->vm = vm;
	uart->divisor[0] = 12; /* 9600 baud, as a PC's firmware leaves it */
}

err_t uart_create(struct vm *vm)
{
	vm->uart = kzalloc(sizeof(*vm->uart));
	if (!vm->uart)
		return E_NOMEM;
	vm->uart->vm = vm;
	uart_reset(vm->uart);
	return bus_add(&vm->ports, "uart", UART_PORT, UART_PORTS, &ops,
		       vm->uart);
}

void uart_destroy(struct vm *vm)
{
	kfree(vm->uart);
	vm->uart = NULL;
}
