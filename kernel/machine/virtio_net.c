/*
 * The guest's network card (virtio 1.2, 5.1): a port of the host's switch. No
 * checksums and no segmentation are offered: nobody here would do them. Frames
 * are sent from where they lie in the guest's memory, and received into as many
 * of its buffers as they take.
 *
 * All of it happens on the first CPU; a vCPU only says that there is something.
 */
#include "lib/string.h"
#include "machine/virtio.h"
#include "machine/virtio_pci.h"
#include "mm/heap.h"
#include "net/switch.h"
#include "vm/vm.h"

enum { RECEIVE, TRANSMIT, QUEUES };

#define QUEUE_SIZE   256
#define BUDGET	     64 /* frames, then others have a turn */
#define FRAME_HEADER 14
#define VLAN_TAG     4

/* Features (5.1.3). */
#define NET_F_MTU	BIT(3)
#define NET_F_MAC	BIT(5)
#define NET_F_MRG_RXBUF BIT(15)
#define NET_F_STATUS	BIT(16)

/* Before every frame (5.1.6). All but the last is for what we do not offer. */
struct net_header {
	u8 flags, gso_type;
	u16 header_size, gso_size, checksum_start, checksum_offset;
	u16 buffers;
};

ASSERT_SIZE(struct net_header, 12);

/* 5.1.4 */
struct PACKED net_config {
	u8 mac[6];
	u16 status; /* bit 0: the link is up */
	u16 queue_pairs;
	u16 mtu;
};

ASSERT_SIZE(struct net_config, 12);

struct virtio_net {
	struct virtio_device virtio; /* the first */
	struct net_port port;
	struct net_config config;
	struct vq_chain sent, first, next;
};

/* A frame in more pieces than the switch takes; one at a time. */
static u8 gathered[FRAME_HEADER + VLAN_TAG + UINT16_MAX];

static struct virtio_net *of_port(struct net_port *port)
{
	return (struct virtio_net *)((u8 *)port -
				     offsetof(struct virtio_net, port));
}

static u32 config_read(struct virtio_device *dev, unsigned offset,
		       unsigned size)
{
	u32 value = 0;

	memcpy(&value, (u8 *)&((struct virtio_net *)dev)->config + offset,
	       size);
	return value;
}

/* The MTU binds both ways (5.1.4.1). A VLAN's tag does not count. */
static bool is_too_large(const struct virtio_net *net, u64 size)
{
	return size > FRAME_HEADER + VLAN_TAG + (u64)net->config.mtu;
}

/* --- from the guest */

/*
 * What is no frame is lost, as on a wire. Most drivers send one piece or two;
 * what is in more than a frame may have is put together first.
 */
static void send(struct virtio_net *net)
{
	const struct virtqueue *vq = &net->virtio.queue[TRANSMIT];
	const struct vq_chain *chain = &net->sent;
	const u64 header = sizeof(struct net_header);
	struct net_piece piece[NETDEV_PIECES];
	unsigned count;
	u64 size;

	if (chain->out_size < header + FRAME_HEADER)
		return;
	size = chain->out_size - header;
	if (is_too_large(net, size))
		return;
	count = vq_pieces(vq, chain, header, piece, ARRAY_LEN(piece));
	if (!count) {
		vq_read(vq, chain, header, gathered, size);
		piece[count++] = (struct net_piece){gathered, size};
	}
	switch_input(&net->port, piece, count, size);
}

/* While the switch has no room the rest waits in the ring. */
static bool serve(struct virtio_device *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;
	struct virtqueue *vq = &dev->queue[TRANSMIT];
	bool more = true;

	vq_quiet(vq);
	for (unsigned i = 0; i < BUDGET && more; i++) {
		if (!switch_ready(&net->port))
			break;
		more = virtio_take(dev, TRANSMIT, &net->sent);
		if (more) {
			send(net);
			vq_add(vq, &net->sent, 0);
		}
	}
	virtio_publish(dev, TRANSMIT);
	return more || vq_listen(vq);
}

/* --- to the guest */

/* Where in a frame's pieces we are. */
struct cursor {
	const struct net_piece *piece;
	unsigned count;
	u32 at;
};

/* Fills a buffer from `offset` on; how far it is filled. */
static u64 fill(const struct virtqueue *vq, const struct vq_chain *chain,
		u64 offset, struct cursor *from)
{
	while (from->count && offset < chain->in_size) {
		u64 n = vq_write(vq, chain, offset,
				 (const u8 *)from->piece->at + from->at,
				 from->piece->size - from->at);

		offset += n;
		from->at += n;
		if (from->at == from->piece->size) {
			from->piece++;
			from->count--;
			from->at = 0;
		}
	}
	return offset;
}

/*
 * Puts a frame into buffers, not yet published. Without MRG_RXBUF it has to fit
 * into one. False: it does not, or there are no more; then none is used.
 */
static bool put(struct virtio_net *net, struct cursor frame)
{
	struct virtio_device *dev = &net->virtio;
	struct virtqueue *vq = &dev->queue[RECEIVE];
	struct net_header header = {.buffers = 0};
	bool merge = dev->accepted & NET_F_MRG_RXBUF;
	struct vq_chain *chain = &net->first;
	u64 filled = sizeof(header);

	do {
		if (!virtio_take(dev, RECEIVE, chain))
			break;
		if (!header.buffers && chain->in_size < sizeof(header)) {
			virtio_broken(dev, "a receive buffer",
				      "smaller than a header");
			vq_give_back(vq, 1);
			break;
		}
		filled = fill(vq, chain, header.buffers ? 0 : filled, &frame);
		vq_add(vq, chain, filled);
		header.buffers++;
		chain = &net->next;
	} while (frame.count && merge);
	if (frame.count || !header.buffers) {
		vq_undo(vq, header.buffers);
		return false;
	}
	vq_write(vq, &net->first, 0, &header, sizeof(header));
	return true;
}

/* A machine that stands still has its memory left alone. */
static bool deliver(struct net_port *port, const struct net_piece *piece,
		    unsigned count, u32 size)
{
	struct virtio_net *net = of_port(port);
	struct virtio_device *dev = &net->virtio;
	bool done;

	spin_lock(&dev->lock);
	done = dev->vm->life == VM_RUNNING && virtio_is_live(dev) &&
	       !is_too_large(net, size) &&
	       put(net, (struct cursor){piece, count, 0});
	spin_unlock(&dev->lock);
	return done;
}

static void flush(struct net_port *port)
{
	struct virtio_device *dev = &of_port(port)->virtio;

	spin_lock(&dev->lock);
	virtio_publish(dev, RECEIVE);
	spin_unlock(&dev->lock);
}

/* New buffers need no word: the next frame finds them. */
static void notified(struct virtio_device *dev, unsigned queue)
{
	if (queue == TRANSMIT)
		vm_request_service(dev->vm);
	else
		vq_quiet(&dev->queue[RECEIVE]);
}

/* --- life */

static void destroy(struct virtio_device *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;

	dev->vm->net = NULL;
	switch_remove(&net->port);
	kfree(net);
}

static const struct virtio_kind kind = {
	.name = "virtio-net",
	.type = VIRTIO_NET,
	.class = 0x020000,
	.queues = QUEUES,
	.queue_size = {QUEUE_SIZE, QUEUE_SIZE},
	.config_size = sizeof(struct net_config),
	.config_read = config_read,
	.notified = notified,
	.serve = serve,
	.destroy = destroy,
};

err_t virtio_net_create(struct vm *vm)
{
	struct virtio_net *net;
	err_t err;

	if (!vm->config.net)
		return E_OK;
	net = kzalloc(sizeof(*net));
	if (!net)
		return E_NOMEM;
	memcpy(net->config.mac, vm->config.mac, sizeof(net->config.mac));
	net->config.status = 1;
	net->config.queue_pairs = 1;
	net->config.mtu = vm->config.mtu;
	net->port = (struct net_port){
		.name = vm->config.name, .deliver = deliver, .flush = flush};
	err = virtio_create(&net->virtio, vm, &kind,
			    NET_F_MTU | NET_F_MAC | NET_F_MRG_RXBUF |
				    NET_F_STATUS);
	if (!err)
		err = switch_add(&net->port);
	if (!err)
		vm->net = &net->port;
	return err;
}
