/*
 * The measuring rod: the shortest loop that moves frames through a virtio-net
 * device. It trusts the device, has one descriptor a frame with its header in
 * front, and no use but to show what the real driver costs.
 */
#include "shell/net_bench.h"

#include "drivers/virtio.h"
#include "drivers/virtio_net.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"

#define SIZE 256
#define MASK (SIZE - 1)

enum { RX, TX };

static struct virtio_device device;
static struct virtq queue[2];
static struct virtq_head heads[2][SIZE];
static u64 ring_memory[2], rx_memory;
static unsigned rx_order;
static u32 stride;

static volatile u16 *event_of_avail(struct virtq *q)
{
	return (volatile u16 *)&q->used->ring[SIZE];
}

static void publish(unsigned i)
{
	struct virtq *q = &queue[i];
	u16 before = q->published, now = q->avail_idx;

	if (before == now)
		return;
	__atomic_store_n(&q->avail->idx, now, __ATOMIC_RELEASE);
	q->published = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((u16)(now - *event_of_avail(q) - 1) < (u16)(now - before))
		virtio_notify(&device, i);
}

static void post(struct virtq *q, u16 id)
{
	q->avail->ring[q->avail_idx++ & MASK] = id;
}

static u8 *rx_buffer(unsigned id)
{
	return (u8 *)phys_to_virt(rx_memory) + (u64)id * stride;
}

static err_t make_rings(void)
{
	for (unsigned i = 0; i < 2; i++) {
		ring_memory[i] =
			page_alloc_zeroed(order_for(virtq_bytes(SIZE)));
		if (!ring_memory[i])
			return E_NOMEM;
		virtq_init(&queue[i], SIZE, true, phys_to_virt(ring_memory[i]),
			   heads[i]);
	}
	for (u16 id = 0; id < SIZE; id++) {
		queue[RX].desc[id] = (struct virtq_desc){
			virt_to_phys(rx_buffer(id)), stride, VIRTQ_WRITE, 0};
		post(&queue[RX], id);
	}
	return E_OK;
}

/* Takes the device away from its driver, which will find it stopped. */
static err_t plain_open(struct netdev *dev, u32 frame_max)
{
	err_t err;

	if (!virtio_net_device(dev))
		return E_UNSUPPORTED;
	device = *virtio_net_device(dev);
	device.vector = -1;
	stride = (u32)ALIGN_UP(VNET_HEADER + frame_max, 64);
	rx_order = order_for((u64)SIZE * stride);
	rx_memory = page_alloc_zeroed(rx_order);
	err = rx_memory ? virtio_reset(&device) : E_NOMEM;
	if (!err)
		err = virtio_negotiate(&device, VIRTIO_F_EVENT_IDX);
	if (!err)
		err = make_rings();
	for (unsigned i = 0; i < 2 && !err; i++)
		err = virtio_queue_enable(&device, i, &queue[i]);
	if (err)
		return err;
	virtio_start(&device);
	publish(RX);
	return E_OK;
}

static void plain_close(struct netdev *dev)
{
	virtio_reset(&device);
	for (unsigned i = 0; i < 2; i++)
		page_free(ring_memory[i], order_for(virtq_bytes(SIZE)));
	page_free(rx_memory, rx_order);
}

static bool plain_send(struct netdev *dev, const void *frame, u32 size)
{
	struct virtq *q = &queue[TX];
	u16 id = q->avail_idx & MASK;

	if ((u16)(q->avail_idx - q->used->idx) == SIZE)
		return false;
	q->desc[id] = (struct virtq_desc){
		virt_to_phys((const u8 *)frame - VNET_HEADER),
		size + VNET_HEADER, 0, 0};
	post(q, id);
	return true;
}

static void plain_flush(struct netdev *dev)
{
	publish(TX);
}

static unsigned plain_poll(struct netdev *dev)
{
	struct virtq *q = &queue[RX];
	u16 now = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
	unsigned frames = 0;

	for (; q->used_idx != now; q->used_idx++, frames++) {
		u16 id = (u16)q->used->ring[q->used_idx & MASK].id;

		bench_received(rx_buffer(id) + VNET_HEADER,
			       q->used->ring[q->used_idx & MASK].written -
				       VNET_HEADER);
		post(q, id);
	}
	publish(RX);
	return frames;
}

/* By the timer alone. */
static bool plain_rest(struct netdev *dev, u64 *wait_ns)
{
	*wait_ns = 100000;
	return true;
}

const struct bench_port bench_plain = {
	.open = plain_open,
	.close = plain_close,
	.send = plain_send,
	.flush = plain_flush,
	.poll = plain_poll,
	.rest = plain_rest,
	.headroom = VNET_HEADER,
};
