/*
 * The guest's network card (virtio 1.2, 5.1): one pair of queues on a port of
 * the host's switch. No offloads: a frame has passed no engine that would
 * compute checksums or cut segments, so none are offered.
 *
 * All work is the first CPU's. A guest sends while its frames find room: what
 * the switch cannot take now stays in the guest's ring. What arrives and finds
 * no buffer of the guest's is lost, as on any card.
 */
#include "lib/string.h"
#include "machine/virtio.h"
#include "machine/virtio_pci.h"
#include "mm/heap.h"
#include "net/switch.h"
#include "vm/vm.h"

#define F_MTU	    BIT(3)
#define F_MAC	    BIT(5)
#define F_MRG_RXBUF BIT(15)
#define F_STATUS    BIT(16)

enum { RECEIVE, TRANSMIT, QUEUES };

#define QUEUE_SIZE 256
#define BUDGET	   64 /* frames sent in one go, then others have a turn */
#define ETHERNET   14u
#define VLAN	   4u /* a tag, which no MTU counts */

/* Before each frame (5.1.6); without offloads only `buffers` says anything. */
struct PACKED header {
	u8 flags, gso_type;
	u16 header_size, gso_size, checksum_start, checksum_offset;
	u16 buffers;
};

ASSERT_SIZE(struct header, 12);

/* 5.1.4; what follows belongs to features that are not offered. */
struct PACKED net_config {
	u8 mac[6];
	u16 status, queue_pairs, mtu;
};

ASSERT_SIZE(struct net_config, 12);

#define STATUS_LINK_UP 1

/* Buffers of the guest's that one received frame may take. */
#define MERGED_MAX 64

struct filled {
	u16 head;
	u32 size;
};

struct virtio_net {
	struct virtio_device virtio; /* the first */
	struct net_port port;
	struct net_config config;
	struct vq_chain chain, first;
	struct filled filled[MERGED_MAX];
};

/* A frame that lies in more pieces than the switch takes. One at a time. */
static u8 gathered[NETDEV_FRAME_MAX];

static u32 config_read(struct virtio_device *dev, unsigned offset,
		       unsigned size)
{
	const struct virtio_net *net = (struct virtio_net *)dev;
	u32 value = 0;

	memcpy(&value, (const u8 *)&net->config + offset, size);
	return value;
}

/* --- sending */

/* The frame of net->chain, behind its header, to the switch. */
static void send(struct virtio_net *net)
{
	struct virtqueue *vq = &net->virtio.queue[TRANSMIT];
	struct net_piece piece[NETDEV_PIECES];
	u64 size = net->chain.out_size - sizeof(struct header);
	unsigned count = vq_pieces(vq, &net->chain, sizeof(struct header),
				   piece, ARRAY_LEN(piece));

	if (!count) {
		vq_read(vq, &net->chain, sizeof(struct header), gathered, size);
		piece[0] = (struct net_piece){gathered, size};
		count = 1;
	}
	switch_input(&net->port, piece, count, size);
}

static bool is_frame(const struct vq_chain *chain)
{
	return chain->out_size >= sizeof(struct header) + ETHERNET &&
	       chain->out_size <= sizeof(struct header) + NETDEV_FRAME_MAX;
}

/* True: there is more, and more room for it. */
static bool transmit(struct virtio_net *net)
{
	struct virtio_device *dev = &net->virtio;
	struct virtqueue *vq = &dev->queue[TRANSMIT];
	bool room = true;

	vq_quiet(vq);
	for (unsigned i = 0; i < BUDGET; i++) {
		room = switch_ready(&net->port);
		if (!room || !virtio_take(dev, TRANSMIT, &net->chain))
			break;
		if (is_frame(&net->chain))
			send(net);
		else
			net->port.stats.refused++;
		vq_add(vq, &net->chain, 0);
	}
	virtio_publish(dev, TRANSMIT);
	return vq_listen(vq) || (!room && vq->enabled);
}

static bool serve(struct virtio_device *dev)
{
	vq_quiet(&dev->queue[RECEIVE]);
	return transmit((struct virtio_net *)dev);
}

/* New buffers to receive into need no answer: the next frame finds them. */
static void notified(struct virtio_device *dev, unsigned queue)
{
	if (queue == TRANSMIT)
		vm_request_service(dev->vm);
}

/* --- receiving */

struct source {
	const struct net_piece *piece;
	u32 done; /* of its first piece */
};

/* As much of the frame as the chain takes, from `offset` on; how much. */
static u64 pour(struct virtqueue *vq, const struct vq_chain *chain, u64 offset,
		struct source *from, u64 left)
{
	u64 start = offset;

	while (left && offset < chain->in_size) {
		u64 n = MIN(left, from->piece->size - from->done);

		n = MIN(n, chain->in_size - offset);
		vq_write(vq, chain, offset,
			 (const u8 *)from->piece->at + from->done, n);
		offset += n;
		left -= n;
		from->done += n;
		if (from->done == from->piece->size)
			*from = (struct source){from->piece + 1, 0};
	}
	return offset - start;
}

/*
 * The next buffer: its header's room if it is the first, then the frame. NULL:
 * there is none, or none that this frame may have.
 */
static struct vq_chain *next_buffer(struct virtio_net *net, unsigned n)
{
	struct vq_chain *chain = n ? &net->chain : &net->first;
	u64 least = n ? 1 : sizeof(struct header);

	if (n == MERGED_MAX || (n && !(net->virtio.accepted & F_MRG_RXBUF)) ||
	    !virtio_take(&net->virtio, RECEIVE, chain))
		return NULL;
	if (chain->in_size >= least)
		return chain;
	virtio_broken(&net->virtio, "a receive buffer", "it is too small");
	return NULL;
}

/* Into as many buffers as it takes; how many, 0: no room. */
static unsigned fill(struct virtio_net *net, struct source from, u64 left)
{
	struct virtqueue *vq = &net->virtio.queue[RECEIVE];
	struct header header = {0};
	unsigned n = 0;

	do {
		struct vq_chain *chain = next_buffer(net, n);
		u64 offset = n ? 0 : sizeof(header), size;

		if (!chain) {
			vq_give_back(vq, n);
			return 0;
		}
		size = pour(vq, chain, offset, &from, left);
		left -= size;
		net->filled[n++] = (struct filled){chain->head, offset + size};
	} while (left);
	header.buffers = n;
	vq_write(vq, &net->first, 0, &header, sizeof(header));
	return n;
}

static bool receive(struct virtio_net *net, const struct net_piece *piece,
		    u32 size)
{
	struct virtqueue *vq = &net->virtio.queue[RECEIVE];
	unsigned n;

	if (!virtio_is_live(&net->virtio) ||
	    size > net->config.mtu + ETHERNET + VLAN)
		return false;
	n = fill(net, (struct source){piece, 0}, size);
	for (unsigned i = 0; i < n; i++) {
		net->first.head = net->filled[i].head;
		vq_add(vq, &net->first, net->filled[i].size);
	}
	return n;
}

static struct virtio_net *of(struct net_port *port)
{
	return (struct virtio_net *)((u8 *)port -
				     offsetof(struct virtio_net, port));
}

static bool deliver(struct net_port *port, const struct net_piece *piece,
		    unsigned count, u32 size)
{
	struct virtio_net *net = of(port);
	bool taken;

	/* A VM that stands still is not written to. */
	if (__atomic_load_n(&net->virtio.vm->life, __ATOMIC_ACQUIRE) !=
	    VM_RUNNING)
		return false;
	spin_lock(&net->virtio.lock);
	taken = receive(net, piece, size);
	spin_unlock(&net->virtio.lock);
	return taken;
}

static void flush(struct net_port *port)
{
	struct virtio_net *net = of(port);

	spin_lock(&net->virtio.lock);
	virtio_publish(&net->virtio, RECEIVE);
	spin_unlock(&net->virtio.lock);
}

/* --- life */

static void destroy(struct virtio_device *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;

	switch_remove(&net->port);
	kfree(net);
}

static const struct virtio_kind kind = {
	.name = "virtio-net",
	.type = VIRTIO_NET,
	.class = 0x020000, /* network, Ethernet */
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
	net->config.status = STATUS_LINK_UP;
	net->config.mtu = vm->config.mtu;
	net->port = (struct net_port){
		.name = vm->config.name,
		.deliver = deliver,
		.flush = flush,
	};
	err = virtio_create(&net->virtio, vm, &kind,
			    F_MTU | F_MAC | F_MRG_RXBUF | F_STATUS);
	if (!err)
		err = switch_add(&net->port);
	return err;
}
