/*
 * The guest's network card (virtio 1.2, 5.1): a port of the host's switch.
 * Frames are sent from where they lie in the guest's memory, and received into
 * as many of its buffers as they take. What it sends may want a checksum, or
 * may be TCP that is longer than a frame: it costs the guest far less to leave
 * that to us. What it receives is whole frames: nothing of the kind is offered
 * there.
 *
 * All of it happens on the first CPU; a vCPU only says that there is something.
 */
#include "lib/string.h"
#include "cpu/time.h"
#include "machine/virtio.h"
#include "machine/virtio_pci.h"
#include "mm/heap.h"
#include "net/offload.h"
#include "net/switch.h"
#include "vm/vm.h"

enum { RECEIVE, TRANSMIT, QUEUES };

#define QUEUE_SIZE   256
#define BUDGET	     64 /* frames, then others have a turn */
#define BULK	     16 /* frames in a turn */
#define PATIENCE_NS  (2 * NS_PER_MS)
#define RUN_MAX	     128 /* frames of one run: 64 KiB, 536 at a time */
#define FRAME_HEADER 14
#define VLAN_TAG     4

/* Features (5.1.3). */
#define NET_F_CSUM	BIT(0)
#define NET_F_MTU	BIT(3)
#define NET_F_MAC	BIT(5)
#define NET_F_HOST_TSO4 BIT(11)
#define NET_F_MRG_RXBUF BIT(15)
#define NET_F_STATUS	BIT(16)

/* Before every frame (5.1.6); to the guest all but the last is 0. */
struct net_header {
	u8 flags, gso_type;
	u16 header_size, gso_size, checksum_start, checksum_offset;
	u16 buffers;
};

ASSERT_SIZE(struct net_header, 12);

#define HEADER_NEEDS_CSUM BIT(0) /* flags */
#define HEADER_GSO_TCPV4  1	 /* gso_type */

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

/* As the guest has put it into its ring. */
struct frame {
	struct net_header header;
	struct net_piece piece[NETDEV_PIECES];
	unsigned count;
	u32 size;
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

/* Fills what is to be known of the frame in net->sent; false: it is none. */
static bool read_frame(struct virtio_net *net, struct frame *f)
{
	const struct virtqueue *vq = &net->virtio.queue[TRANSMIT];
	const struct vq_chain *chain = &net->sent;
	const u64 start = sizeof(f->header);
	u64 size = chain->out_size - start;

	if (chain->out_size < start + FRAME_HEADER || size > sizeof(gathered))
		return false;
	vq_read(vq, chain, 0, &f->header, sizeof(f->header));
	f->size = (u32)size;
	/* One is left for the headers of frames that are made of it. */
	f->count = vq_pieces(vq, chain, start, f->piece, NETDEV_PIECES - 1);
	if (!f->count) {
		vq_read(vq, chain, start, gathered, size);
		f->piece[f->count++] = (struct net_piece){gathered, f->size, 0};
	}
	return true;
}

/* Only what was negotiated counts (5.1.6.2.1). */
static bool wants_help(const struct virtio_net *net, const struct frame *f)
{
	return (net->virtio.accepted & NET_F_CSUM) &&
	       ((f->header.flags & HEADER_NEEDS_CSUM) || f->header.gso_type);
}

/* A whole run of TCP has its checksums made too (5.1.6.2.1). */
static bool plan(const struct virtio_net *net, const struct frame *f,
		 struct offload *o)
{
	const struct net_header *h = &f->header;

	if (!(h->flags & HEADER_NEEDS_CSUM))
		return false;
	if (h->gso_type && (h->gso_type != HEADER_GSO_TCPV4 || !h->gso_size ||
			    !(net->virtio.accepted & NET_F_HOST_TSO4)))
		return false;
	*o = (struct offload){
		.piece = f->piece,
		.count = f->count,
		.size = f->size,
		.checksum_start = h->checksum_start,
		.checksum_offset = h->checksum_offset,
		.segment = h->gso_type ? h->gso_size : 0,
	};
	return offload_check(o) && !is_too_large(net, o->largest);
}

static unsigned send_whole(struct virtio_net *net, const struct frame *f)
{
	if (is_too_large(net, f->size))
		return 1;
	if (!switch_ready(&net->port, 1))
		return 0;
	switch_input(&net->port, f->piece, f->count, f->size);
	return 1;
}

static unsigned send_in_frames(struct virtio_net *net, const struct frame *f)
{
	static struct offload_frame cut;
	struct offload o;
	unsigned count;

	if (!plan(net, f, &o))
		return 1;
	count = MIN(o.frames, RUN_MAX);
	if (!switch_ready(&net->port, count))
		return 0;
	for (unsigned i = 0; i < count; i++) {
		offload_frame(&o, i, &cut);
		switch_input(&net->port, cut.piece, cut.count, cut.size);
	}
	return count;
}

/*
 * Sends what was taken; how many frames. 0: there is no room for all of them
 * now. What is no frame, or asks for what makes no sense, is lost as on a wire,
 * and so is what goes beyond the longest run.
 */
static unsigned send(struct virtio_net *net)
{
	struct frame f;

	if (!read_frame(net, &f))
		return 1;
	return wants_help(net, &f) ? send_in_frames(net, &f)
				   : send_whole(net, &f);
}

/*
 * A driver that sends much notifies of each piece, and each time is an exit. On
 * a CPU that it shares with us it notifies of every second one then; what it
 * leaves to us we find when it rests, at an interrupt, or a little later.
 */
static bool is_patient(const struct virtio_net *net, unsigned frames)
{
	struct vm *vm = net->virtio.vm;

	if (!net->virtio.queue[TRANSMIT].event_index)
		return false;
	if (frames >= BULK)
		vm_serve_unasked(vm, PATIENCE_NS);
	return vm->serve_by;
}

/* While the switch has no room the rest waits in the ring. */
static bool serve(struct virtio_device *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;
	struct virtqueue *vq = &dev->queue[TRANSMIT];
	unsigned frames = 0;
	bool more = true;

	vq_quiet(vq);
	while (frames < BUDGET && more) {
		unsigned now;

		more = virtio_take(dev, TRANSMIT, &net->sent);
		if (!more)
			break;
		now = send(net);
		if (!now) {
			vq_give_back(vq, 1);
			break;
		}
		vq_add(vq, &net->sent, 0);
		frames += now;
	}
	virtio_publish(dev, TRANSMIT);
	return more || vq_listen_for(vq, is_patient(net, frames));
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
			    NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_MTU |
				    NET_F_MAC | NET_F_MRG_RXBUF | NET_F_STATUS);
	if (!err)
		err = switch_add(&net->port);
	if (!err)
		vm->net = &net->port;
	return err;
}
