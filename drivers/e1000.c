/*
 * Intel 82540EM, the network card that QEMU and Bochs both have, with legacy
 * descriptors and INTx. The rings are the card's own; it writes nothing but a
 * frame's size and status into them, which is what has to be checked.
 */
#include "drivers/e1000_regs.h"
#include "drivers/mmio.h"
#include "drivers/netdev_driver.h"
#include "drivers/pci.h"

#include "cpu/device_irq.h"
#include "cpu/lapic.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"

#define RING_NORMAL   256
#define RING_MAX      1024 /* the card's is 4096 */
#define FRAME_NORMAL  1514
#define FRAME_LONGEST 16380 /* 16,384 with the checksum, 13.4.22 */
#define BUFFER_SHORT  2048
#define BUFFER_LONG   16384
#define SPINS	      100000

#define INT_RX (INT_RXT0 | INT_RXO | INT_RXDMT0)

struct e1000 {
	struct netdev net;
	struct pci_device *pci;
	u8 *regs;
	volatile struct e1000_rx_desc *rx;
	volatile struct e1000_tx_desc *tx;
	struct frame_buffers buffers; /* one for each descriptor */
	void **cookie;		      /* by a frame's last descriptor */
	unsigned rx_next;	      /* the card fills this one next */
	unsigned tx_first, tx_next;   /* what the card has: first to next - 1 */
	unsigned tx_shown;	      /* TDT */
};

static struct e1000 *of(struct netdev *dev)
{
	return (struct e1000 *)dev; /* it is the first member */
}
_Static_assert(offsetof(struct e1000, net) == 0, "of()");

static u32 reg_read(const struct e1000 *e, unsigned reg)
{
	return mmio_read32(e->regs + reg);
}

static void reg_write(struct e1000 *e, unsigned reg, u64 value)
{
	mmio_write32(e->regs + reg, (u32)value);
}

/* --- sending */

static unsigned tx_after(const struct e1000 *e, unsigned i)
{
	return (i + 1) & (e->net.tx_ring - 1);
}

/* One stays empty: equal head and tail mean that there is nothing. */
static unsigned tx_room(const struct e1000 *e)
{
	return (e->tx_first - e->tx_next - 1) & (e->net.tx_ring - 1);
}

static err_t e1000_send(struct netdev *dev, const struct net_piece *piece,
			unsigned count, void *cookie)
{
	struct e1000 *e = of(dev);
	u32 size = netdev_frame_size(dev, piece, count);
	unsigned last = e->tx_next;

	if (!size)
		return dev->dead ? E_HARDWARE : E_INVALID;
	if (tx_room(e) < count) {
		dev->stats.tx_full++;
		return E_BUSY;
	}
	for (unsigned i = 0; i < count; i++) {
		volatile struct e1000_tx_desc *d = &e->tx[e->tx_next];
		bool end = i + 1 == count;

		d->address = virt_to_phys(piece[i].at);
		d->size = (u16)piece[i].size;
		d->checksum_offset = d->checksum_start = 0;
		d->status = 0;
		d->special = 0;
		d->command = TXD_IFCS | TXD_RS | (end ? TXD_EOP : 0);
		last = e->tx_next;
		e->tx_next = tx_after(e, e->tx_next);
	}
	e->cookie[last] = cookie;
	dev->stats.tx_frames++;
	dev->stats.tx_bytes += size;
	return E_OK;
}

static void e1000_flush(struct netdev *dev)
{
	struct e1000 *e = of(dev);

	if (e->tx_shown == e->tx_next || dev->dead)
		return;
	e->tx_shown = e->tx_next;
	dev->stats.kicks++;
	reg_write(e, REG_TDT, e->tx_shown);
}

/* In order, and none that the card was not shown. */
static void complete_sent(struct e1000 *e)
{
	while (e->tx_first != e->tx_shown &&
	       (e->tx[e->tx_first].status & TXD_DD)) {
		unsigned i = e->tx_first;
		void *cookie = e->cookie[i];

		e->cookie[i] = NULL;
		e->tx_first = tx_after(e, i);
		netdev_sent(&e->net, cookie);
	}
}

/* --- receiving */

/* A frame is in one buffer: each holds the longest that is let in. */
static err_t check_received(const struct e1000 *e, u8 status, u8 errors,
			    u16 size)
{
	if (!(status & RXD_EOP) || size > e->buffers.size)
		return E_HARDWARE;
	if (errors || size < NETDEV_FRAME_MIN || size > e->net.frame_max)
		return E_INVALID;
	return E_OK;
}

static err_t take_received(struct e1000 *e, unsigned budget, unsigned *frames)
{
	unsigned before = e->rx_next;
	err_t err = E_OK;

	for (*frames = 0; *frames < budget; ++*frames) {
		unsigned i = e->rx_next;
		volatile struct e1000_rx_desc *d = &e->rx[i];
		u8 status = d->status;
		u16 size;

		if (!(status & RXD_DD))
			break;
		size = d->size;
		err = check_received(e, status, d->errors, size);
		if (err == E_HARDWARE)
			return err;
		if (err)
			e->net.stats.rx_dropped++;
		else
			netdev_received(&e->net, e->buffers.at[i], size);
		d->status = 0;
		e->rx_next = (i + 1) & (e->net.rx_ring - 1);
	}
	/* All but the one at the tail are the card's (3.2.6). */
	if (before != e->rx_next)
		reg_write(e, REG_RDT, (e->rx_next - 1) & (e->net.rx_ring - 1));
	return E_OK;
}

/* --- the card's life */

static err_t reset(struct e1000 *e)
{
	reg_write(e, REG_IMC, UINT32_MAX);
	reg_write(e, REG_RCTL, 0);
	reg_write(e, REG_TCTL, 0);
	reg_write(e, REG_CTRL, CTRL_RST);
	for (unsigned i = 0; i < SPINS; i++) {
		if (reg_read(e, REG_CTRL) & CTRL_RST)
			continue;
		reg_write(e, REG_IMC, UINT32_MAX);
		reg_read(e, REG_ICR);
		return E_OK;
	}
	return E_TIMEOUT;
}

static void set_filter(struct e1000 *e)
{
	const u8 *mac = e->net.mac;

	/* Bochs forgets the address with the reset. */
	reg_write(e, REG_RAL,
		  mac[0] | mac[1] << 8 | mac[2] << 16 | (u32)mac[3] << 24);
	reg_write(e, REG_RAH, (u32)(mac[4] | mac[5] << 8) | RAH_AV);
	for (unsigned i = 0; i < MTA_WORDS; i++)
		reg_write(e, REG_MTA + i * 4, 0);
}

static void begin_rx(struct e1000 *e)
{
	u64 rx = virt_to_phys((const void *)e->rx);
	u64 control = RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC;

	for (unsigned i = 0; i < e->net.rx_ring; i++) {
		e->rx[i].address = virt_to_phys(e->buffers.at[i]);
		e->rx[i].status = 0;
	}
	e->rx_next = 0;
	reg_write(e, REG_RDBAL, rx);
	reg_write(e, REG_RDBAH, rx >> 32);
	reg_write(e, REG_RDLEN, e->net.rx_ring * sizeof(e->rx[0]));
	reg_write(e, REG_RDH, 0);
	reg_write(e, REG_RDT, e->net.rx_ring - 1);
	control |= e->buffers.size == BUFFER_LONG ? RCTL_16384 | RCTL_LPE
						  : RCTL_2048;
	reg_write(e, REG_RCTL, control);
}

static void begin_tx(struct e1000 *e)
{
	u64 tx = virt_to_phys((const void *)e->tx);

	e->tx_first = e->tx_next = e->tx_shown = 0;
	reg_write(e, REG_TDBAL, tx);
	reg_write(e, REG_TDBAH, tx >> 32);
	reg_write(e, REG_TDLEN, e->net.tx_ring * sizeof(e->tx[0]));
	reg_write(e, REG_TDH, 0);
	reg_write(e, REG_TDT, 0);
	reg_write(e, REG_TIPG, TIPG_DEFAULT);
	reg_write(e, REG_TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD);
}

/* What is sent is received, and nothing leads outside. */
static err_t loop_back(struct e1000 *e)
{
	reg_write(e, REG_CTRL,
		  CTRL_SLU | CTRL_FD | CTRL_SPD_1000 | CTRL_FRCSPD |
			  CTRL_FRCDPX);
	reg_write(e, REG_MDIC,
		  MDIC_WRITE | MDIC_PHY | PHY_CONTROL << MDIC_REG_SHIFT |
			  PHY_LOOPBACK | PHY_FD | PHY_SPEED_MSB);
	for (unsigned i = 0; i < SPINS; i++) {
		u32 answer = reg_read(e, REG_MDIC);

		if (answer & MDIC_ERROR)
			return E_HARDWARE;
		if (answer & MDIC_READY)
			return E_OK;
	}
	return E_TIMEOUT;
}

static err_t begin(struct e1000 *e)
{
	err_t err = E_OK;

	if (e->net.loopback)
		err = loop_back(e);
	else
		reg_write(e, REG_CTRL, CTRL_SLU | CTRL_ASDE);
	if (err)
		return err;
	set_filter(e);
	begin_tx(e);
	begin_rx(e);
	return E_OK;
}

static void restart(struct e1000 *e, const char *why)
{
	err_t err;

	netdev_broken(&e->net, why);
	e->net.dead = true; /* for whoever sends from sent() */
	err = reset(e);
	for (unsigned i = 0; i < e->net.tx_ring; i++) {
		void *cookie = e->cookie[i];

		e->cookie[i] = NULL;
		netdev_sent(&e->net, cookie);
	}
	if (!err)
		err = begin(e);
	if (err) {
		pci_disable_dma(e->pci);
		log_error("net: %s: does not come back: %s", e->net.name,
			  err_text(err));
		return;
	}
	e->net.dead = false;
}

static unsigned e1000_poll(struct netdev *dev, unsigned budget)
{
	struct e1000 *e = of(dev);
	unsigned frames;

	if (dev->dead)
		return 0;
	if (take_received(e, budget, &frames)) {
		restart(e, "the card's descriptors make no sense");
		return frames;
	}
	complete_sent(e);
	return frames;
}

/* Reading ICR silences the card; then its line may speak up again. */
static bool e1000_arm(struct netdev *dev)
{
	struct e1000 *e = of(dev);
	u32 wanted = INT_RX | INT_LSC;

	if (dev->dead)
		return true;
	if (dev->wakes) {
		if (e->tx_first != e->tx_shown)
			wanted |= INT_TXDW;
		reg_write(e, REG_IMC, ~wanted);
		reg_read(e, REG_ICR);
		reg_write(e, REG_IMS, wanted);
		device_irq_open_line(e->pci->line);
	}
	return !(e->rx[e->rx_next].status & RXD_DD) &&
	       !(e->tx_first != e->tx_shown &&
		 (e->tx[e->tx_first].status & TXD_DD));
}

static void e1000_look(struct netdev *dev)
{
	struct e1000 *e = of(dev);

	dev->link = !dev->dead && (reg_read(e, REG_STATUS) & STATUS_LU);
	if (!dev->dead)
		dev->stats.rx_dropped += reg_read(e, REG_MPC);
	if (dev->wakes)
		dev->stats.interrupts =
			device_irq_count(VECTOR_PIC + e->pci->line);
}

static const struct netdev_ops ops = {
	.send = e1000_send,
	.flush = e1000_flush,
	.poll = e1000_poll,
	.arm = e1000_arm,
	.look = e1000_look,
};

/* --- start-up */

static err_t read_eeprom(struct e1000 *e, unsigned word, u16 *value)
{
	reg_write(e, REG_EERD, EERD_START | word << EERD_ADDRESS_SHIFT);
	for (unsigned i = 0; i < SPINS; i++) {
		u32 answer = reg_read(e, REG_EERD);

		if (answer & EERD_DONE) {
			*value = (u16)(answer >> EERD_DATA_SHIFT);
			return E_OK;
		}
	}
	return E_TIMEOUT;
}

static err_t read_mac(struct e1000 *e)
{
	for (unsigned i = 0; i < 3; i++) {
		u16 word;
		err_t err = read_eeprom(e, i, &word);

		if (err)
			return err;
		e->net.mac[i * 2] = (u8)word;
		e->net.mac[i * 2 + 1] = (u8)(word >> 8);
	}
	return E_OK;
}

static err_t make_rings(struct e1000 *e)
{
	u64 rx =
		page_alloc_zeroed(order_for(e->net.rx_ring * sizeof(e->rx[0])));
	u64 tx =
		page_alloc_zeroed(order_for(e->net.tx_ring * sizeof(e->tx[0])));

	e->cookie = kzalloc(e->net.tx_ring * sizeof(e->cookie[0]));
	if (!rx || !tx || !e->cookie)
		return E_NOMEM;
	e->rx = phys_to_virt(rx);
	e->tx = phys_to_virt(tx);
	return E_OK;
}

/* Every descriptor has a buffer; fewer of them make a smaller ring. */
static err_t e1000_start(struct netdev *dev,
			 const struct netdev_options *options)
{
	struct e1000 *e = of(dev);
	unsigned asked = options->frame_max ? options->frame_max : FRAME_NORMAL;
	u32 room = asked > FRAME_NORMAL ? BUFFER_LONG : BUFFER_SHORT;
	unsigned ring;
	err_t err;

	if (asked > FRAME_LONGEST)
		log_warn("net: %s: frame-max is %u: the card takes no more",
			 dev->name, FRAME_LONGEST);
	dev->frame_max = MIN(asked, FRAME_LONGEST);
	ring = netdev_ring(options->rx_ring, RING_NORMAL, RING_MAX);
	dev->rx_ring = netdev_ring(netdev_rx_count(options, ring, room), ring,
				   RING_MAX);
	dev->tx_ring = netdev_ring(options->tx_ring, RING_NORMAL, RING_MAX);
	err = make_rings(e);
	if (!err)
		err = frame_buffers_make(&e->buffers, dev->rx_ring, room);
	if (!err && e->buffers.count < dev->rx_ring)
		err = E_NOMEM;
	if (err)
		return err;
	dev->rx_buffers = e->buffers.count;
	err = begin(e);
	if (!err)
		dev->wakes = pci_enable_line(e->pci);
	return err;
}

static err_t e1000_open(struct pci_device *pci, struct netdev **dev)
{
	struct e1000 *e = kzalloc(sizeof(*e));
	err_t err = E_HARDWARE;

	if (!e)
		return E_NOMEM;
	e->pci = pci;
	e->net.ops = &ops;
	pci_claim(pci);
	e->regs = pci_map(pci, 0, 0, E1000_REGISTERS);
	if (e->regs)
		err = reset(e);
	if (!err)
		err = read_mac(e);
	if (err) {
		kfree(e);
		return err;
	}
	pci_enable_dma(pci);
	*dev = &e->net;
	return E_OK;
}

const struct netdev_driver e1000_driver = {
	.name = "e1000",
	.vendor = 0x8086,
	.device = {0x100e},
	.loops = true,
	.open = e1000_open,
	.start = e1000_start,
};
