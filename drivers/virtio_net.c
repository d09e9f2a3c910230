/*
 * virtio-net, modern, one queue each way (Virtual I/O Device 1.2, 5.1). Without
 * offloads every frame's header is zeroes, so all that are sent share one, but
 * for those that have room for their own; and without mergeable buffers each
 * buffer holds a whole frame.
 */
#include "drivers/mmio.h"
#include "drivers/netdev_driver.h"
#include "drivers/virtio.h"
#include "drivers/virtio_net.h"

#include "cpu/device_irq.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"

#define RX 0 /* the queues' numbers, 5.1.2 */
#define TX 1

#define F_MTU	 BIT(3)
#define F_MAC	 BIT(5)
#define F_STATUS BIT(16)
#define WANTED \
	(F_MTU | F_MAC | F_STATUS | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

/* struct virtio_net_config, 5.1.4. */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10, CONFIG_SIZE = 12 };
#define STATUS_LINK_UP 1

#define FRAME_NORMAL 1514
#define RING_NORMAL  256
#define CHAIN_MAX    (NETDEV_PIECES + 1)

static const u8 zero_header[VNET_HEADER];

struct tx_slot {
	void *cookie;
	u16 descs; /* of the ring */
	u16 next;  /* in the list of free ones, or of the chain */
};

struct vnet {
	struct netdev net;
	struct virtio_device device;
	struct virtq rx, tx;
	struct frame_buffers buffers;
	struct tx_slot *slot; /* by descriptor */
	u16 free_first, free_count;
	u64 header;				  /* physical address */
	struct virtq_desc (*indirect)[CHAIN_MAX]; /* by descriptor, or NULL */
};

static struct vnet *of(struct netdev *dev)
{
	return (struct vnet *)dev; /* it is the first member */
}
_Static_assert(offsetof(struct vnet, net) == 0, "of()");

/* --- sending */

static u16 take_free(struct vnet *v)
{
	u16 id = v->free_first;

	v->free_first = v->slot[id].next;
	v->free_count--;
	return id;
}

static void give_free(struct vnet *v, u16 id)
{
	v->slot[id].next = v->free_first;
	v->free_first = id;
	v->free_count++;
}

static struct virtq_desc data_desc(u64 address, u32 size, u16 next)
{
	return (struct virtq_desc){address, size, VIRTQ_NEXT, next};
}

/* The header in front of the frame: one descriptor, and nothing to look up. */
static u16 fill_whole(struct vnet *v, const struct net_piece *piece)
{
	u8 *header = (u8 *)piece->at - VNET_HEADER;
	u16 id = take_free(v);

	__builtin_memset(header, 0, VNET_HEADER);
	v->tx.desc[id] =
		data_desc(virt_to_phys(header), VNET_HEADER + piece->size, 0);
	v->tx.desc[id].flags = 0;
	v->slot[id].descs = 1;
	return id;
}

/*
 * The whole frame as a table of its own: one descriptor of the ring. The
 * header's was written by prepare_tables().
 */
static u16 fill_indirect(struct vnet *v, const struct net_piece *piece,
			 unsigned count)
{
	u16 id = take_free(v);
	struct virtq_desc *table = v->indirect[id];

	for (unsigned i = 1; i <= count; i++)
		table[i] = data_desc(virt_to_phys(piece[i - 1].at),
				     piece[i - 1].size, (u16)(i + 1));
	table[count].flags = 0;
	v->tx.desc[id] = (struct virtq_desc){
		virt_to_phys(table), (u32)((count + 1) * sizeof(table[0])),
		VIRTQ_INDIRECT, 0};
	v->slot[id].descs = 1;
	return id;
}

static u16 fill_chain(struct vnet *v, const struct net_piece *piece,
		      unsigned count)
{
	u16 first = take_free(v), last = first;

	v->tx.desc[first] = data_desc(v->header, VNET_HEADER, 0);
	for (unsigned i = 0; i < count; i++) {
		u16 id = take_free(v);

		v->tx.desc[id] =
			data_desc(virt_to_phys(piece[i].at), piece[i].size, 0);
		v->tx.desc[last].next = id;
		v->slot[last].next = id;
		last = id;
	}
	v->tx.desc[last].flags = 0;
	v->slot[first].descs = (u16)(count + 1);
	return first;
}

static err_t vnet_send(struct netdev *dev, const struct net_piece *piece,
		       unsigned count, void *cookie)
{
	struct vnet *v = of(dev);
	u32 size = netdev_frame_size(dev, piece, count);
	bool whole;
	u16 id;

	if (!size)
		return dev->dead ? E_HARDWARE : E_INVALID;
	whole = count == 1 && piece->room >= VNET_HEADER;
	if (v->free_count < (v->indirect || whole ? 1 : count + 1)) {
		dev->stats.tx_full++;
		return E_BUSY;
	}
	id = whole	   ? fill_whole(v, piece)
	     : v->indirect ? fill_indirect(v, piece, count)
			   : fill_chain(v, piece, count);
	v->slot[id].cookie = cookie;
	/* What it claims to have written into a frame to be sent is nobody's
	 * business.
	 */
	virtq_post(&v->tx, id, UINT32_MAX);
	dev->stats.tx_frames++;
	dev->stats.tx_bytes += size;
	return E_OK;
}

static void kick(struct vnet *v, unsigned queue)
{
	if (!virtq_publish(queue == RX ? &v->rx : &v->tx))
		return;
	v->net.stats.kicks++;
	virtio_notify(&v->device, queue);
}

static void vnet_flush(struct netdev *dev)
{
	if (!dev->dead)
		kick(of(dev), TX);
}

static void finish(struct vnet *v, u16 id)
{
	void *cookie = v->slot[id].cookie;

	for (unsigned left = v->slot[id].descs; left > 0; left--) {
		u16 next = v->slot[id].next;

		give_free(v, id);
		id = next;
	}
	netdev_sent(&v->net, cookie);
}

static err_t complete_sent(struct vnet *v)
{
	u32 written;
	err_t err;
	u16 id;

	while (!(err = virtq_take(&v->tx, &id, &written)))
		finish(v, id);
	return err == E_NOTFOUND ? E_OK : err;
}

/* --- receiving */

static void post_buffer(struct vnet *v, u16 id)
{
	virtq_post(&v->rx, id, v->rx.desc[id].size);
}

static err_t take_received(struct vnet *v, unsigned budget, unsigned *frames)
{
	u32 written;
	err_t err = E_OK;
	u16 id;

	for (*frames = 0; *frames < budget; ++*frames) {
		err = virtq_take(&v->rx, &id, &written);
		if (err)
			break;
		if (written < VNET_HEADER + NETDEV_FRAME_MIN)
			return E_HARDWARE;
		netdev_received(&v->net, v->buffers.at[id] + VNET_HEADER,
				written - VNET_HEADER);
		post_buffer(v, id);
	}
	kick(v, RX);
	return err == E_NOTFOUND ? E_OK : err;
}

/* --- the device's life */

static void prepare_tables(struct vnet *v)
{
	for (u16 id = 0; v->indirect && id < v->tx.size; id++)
		v->indirect[id][0] = data_desc(v->header, VNET_HEADER, 1);
}

static void reset_rings(struct vnet *v)
{
	virtq_reset(&v->rx);
	virtq_reset(&v->tx);
	prepare_tables(v);
	v->free_count = 0;
	for (unsigned i = v->tx.size; i > 0; i--)
		give_free(v, (u16)(i - 1));
	for (unsigned i = 0; i < v->buffers.count; i++) {
		v->rx.desc[i] = (struct virtq_desc){
			.address = virt_to_phys(v->buffers.at[i]),
			.size = VNET_HEADER + v->net.frame_max,
			.flags = VIRTQ_WRITE,
		};
		post_buffer(v, (u16)i);
	}
}

/* From its reset to its running; the rings' sizes are fixed by now. */
static err_t begin(struct vnet *v)
{
	err_t err;

	reset_rings(v);
	err = virtio_queue_enable(&v->device, RX, &v->rx);
	if (!err)
		err = virtio_queue_enable(&v->device, TX, &v->tx);
	if (err)
		return err;
	virtio_start(&v->device);
	v->net.wakes = v->device.vector >= 0;
	kick(v, RX);
	return E_OK;
}

/* Whatever was on its way out is lost, as frames are; nobody waits for it. */
static void forget_sent(struct vnet *v)
{
	for (u16 id = 0; id < v->tx.size; id++) {
		if (!v->tx.head[id].posted)
			continue;
		v->tx.head[id].posted = false;
		netdev_sent(&v->net, v->slot[id].cookie);
	}
}

/* Until the reset it may still write into the buffers; afterwards not. */
static void restart(struct vnet *v, const char *why)
{
	u64 features = v->device.features;
	err_t err;

	netdev_broken(&v->net, why);
	v->net.dead = true; /* for whoever sends from sent() */
	err = virtio_reset(&v->device);
	forget_sent(v);
	if (!err)
		err = virtio_negotiate(&v->device, features);
	if (!err && v->device.features != features)
		err = E_HARDWARE;
	if (!err)
		err = begin(v);
	v->net.dead = err != E_OK;
	if (err)
		pci_disable_dma(v->device.pci);
	if (err)
		log_error("net: %s: does not come back: %s", v->net.name,
			  err_text(err));
}

static unsigned vnet_poll(struct netdev *dev, unsigned budget)
{
	struct vnet *v = of(dev);
	unsigned frames;
	err_t err;

	if (dev->dead)
		return 0;
	err = take_received(v, budget, &frames);
	if (!err)
		err = complete_sent(v);
	if (err)
		restart(v, "the device's rings make no sense");
	return frames;
}

/* Halfway, so that there is work again before the device runs out of it. */
static bool arm_tx(struct vnet *v)
{
	unsigned out = virtq_out(&v->tx);

	return out == 0 || virtq_arm(&v->tx, (u16)((out + 1) / 2));
}

static bool vnet_arm(struct netdev *dev)
{
	struct vnet *v = of(dev);

	if (dev->dead)
		return true;
	if (!virtio_is_running(&v->device)) {
		restart(v, "the device has stopped");
		return false;
	}
	return virtq_arm(&v->rx, 1) & arm_tx(v);
}

static void vnet_look(struct netdev *dev)
{
	struct vnet *v = of(dev);

	dev->link =
		!dev->dead && (!(v->device.features & F_STATUS) ||
			       (mmio_read16(v->device.config + CONFIG_STATUS) &
				STATUS_LINK_UP));
	dev->stats.interrupts = device_irq_count(v->device.vector);
}

static const struct netdev_ops ops = {
	.send = vnet_send,
	.flush = vnet_flush,
	.poll = vnet_poll,
	.arm = vnet_arm,
	.look = vnet_look,
};

/* --- start-up */

static err_t make_queue(struct vnet *v, struct virtq *q, unsigned index,
			unsigned asked)
{
	unsigned max = virtio_queue_max(&v->device, index);
	unsigned size = netdev_ring(asked, RING_NORMAL, max);
	struct virtq_head *head;
	u64 memory;

	if (max < NETDEV_RING_MIN)
		return E_UNSUPPORTED;
	head = kmalloc(size * sizeof(*head));
	memory = page_alloc_zeroed(order_for(virtq_bytes((u16)size)));
	if (!head || !memory)
		return E_NOMEM;
	virtq_init(q, (u16)size, v->device.features & VIRTIO_F_EVENT_IDX,
		   phys_to_virt(memory), head);
	return E_OK;
}

/* Tables are read by the device: contiguous, and no part of the heap. */
static err_t make_slots(struct vnet *v)
{
	u64 bytes = v->tx.size * sizeof(v->indirect[0]);
	u64 memory;

	v->slot = kzalloc(v->tx.size * sizeof(v->slot[0]));
	if (!v->slot)
		return E_NOMEM;
	v->header = virt_to_phys(zero_header);
	if (!(v->device.features & VIRTIO_F_INDIRECT_DESC))
		return E_OK;
	memory = page_alloc_zeroed(order_for(bytes));
	if (!memory)
		return E_NOMEM;
	v->indirect = phys_to_virt(memory);
	return E_OK;
}

/* What is asked for, within what the link is said to pass. */
static u32 choose_frame_max(const struct vnet *v, unsigned asked)
{
	u32 most = NETDEV_FRAME_MAX, normal = FRAME_NORMAL;

	if (v->device.features & F_MTU) {
		most = mmio_read16(v->device.config + CONFIG_MTU) +
		       NETDEV_FRAME_MIN;
		normal = most;
	}
	if (asked > most)
		log_warn("net: %s: frame-max is %u: no more passes",
			 v->net.name, most);
	return MIN(asked ? asked : normal, most);
}

static err_t vnet_start(struct netdev *dev,
			const struct netdev_options *options)
{
	struct vnet *v = of(dev);
	u32 room;
	err_t err;

	dev->frame_max = choose_frame_max(v, options->frame_max);
	room = VNET_HEADER + dev->frame_max;
	err = make_queue(v, &v->rx, RX, options->rx_ring);
	if (!err)
		err = make_queue(v, &v->tx, TX, options->tx_ring);
	if (!err)
		err = make_slots(v);
	if (!err)
		err = frame_buffers_make(
			&v->buffers, netdev_rx_count(options, v->rx.size, room),
			room);
	if (!err)
		err = begin(v);
	dev->rx_ring = v->rx.size;
	dev->tx_ring = v->tx.size;
	dev->rx_buffers = v->buffers.count;
	return err;
}

static err_t vnet_open(struct pci_device *pci, struct netdev **dev)
{
	struct vnet *v = kzalloc(sizeof(*v));
	err_t err;

	if (!v)
		return E_NOMEM;
	v->net.ops = &ops;
	err = virtio_open(&v->device, pci);
	if (!err)
		err = virtio_negotiate(&v->device, WANTED);
	if (!err && (!(v->device.features & F_MAC) || !v->device.config ||
		     v->device.config_size < CONFIG_SIZE))
		err = E_UNSUPPORTED;
	if (err) {
		kfree(v);
		return err;
	}
	for (unsigned i = 0; i < sizeof(v->net.mac); i++)
		v->net.mac[i] = mmio_read8(v->device.config + CONFIG_MAC + i);
	*dev = &v->net;
	return E_OK;
}

struct virtio_device *virtio_net_device(struct netdev *dev)
{
	return dev->ops == &ops ? &of(dev)->device : NULL;
}

const struct netdev_driver virtio_net_driver = {
	.name = "virtio-net",
	.vendor = 0x1af4,
	.device = {0x1041, 0x1000}, /* the latter speaks legacy too */
	.open = vnet_open,
	.start = vnet_start,
};
