/*
 * Rings full of noise: descriptors anywhere and of any size, chains in circles,
 * indirect tables everywhere, indices that jump, all changed while the devices
 * read them. A device that gives up is reset and attacked again.
 */
#include "virtio.h"

static const unsigned types[] = {VIRTIO_NET, VIRTIO_CONSOLE, VIRTIO_RNG};
static struct ring rings[3] ALIGNED(4096);
static struct desc table[64] ALIGNED(16);
static u8 buffer[65536] ALIGNED(4096);
static struct queue queues[3];

/* Mostly in the buffer, else it would be broken at once. */
static void wild_desc(volatile struct desc *desc, unsigned size)
{
	u64 r = random_number();

	desc->address = r % 16	     ? (word)buffer + (r >> 8 & 0x7fff)
			: r >> 8 & 1 ? r
				     : r >> 40;
	desc->size = r >> 4 & 15 ? r >> 24 & 0x7ff : r >> 24;
	desc->flags = r >> 48 & 31 ? r >> 48 & 3 : r >> 48 & 7;
	desc->next = r >> 56 & 15 ? (r >> 60) % size : r >> 44;
	if (desc->flags & DESC_INDIRECT) {
		desc->address = (word)table;
		desc->size = 16 * (1 + (r >> 12 & 63));
		desc->flags &= r >> 20 & 7 ? ~DESC_NEXT : ~0;
	}
}

static void noise(struct queue *queue)
{
	for (unsigned i = 0; i < 8; i++)
		wild_desc(&queue->ring->desc[random_number() % queue->size],
			  queue->size);
	wild_desc(&table[random_number() % 64], 64);
	queue_add(queue, random_number() % 64 ? random_number() % queue->size
					      : random_number());
	if (random_number() % 64 == 0)
		queue->ring->avail.index = random_number();
	if (random_number() % 16 == 0)
		queue->ring->avail.flags = random_number();
	*queue->used_event = random_number();
}

static void begin(const struct virtio *dev, unsigned count)
{
	virtio_settle(dev, virtio_offered(dev));
	for (unsigned i = 0; i < count; i++)
		queue_start(&queues[i], dev, i, &rings[i]);
	virtio_ready(dev);
}

static void storm(unsigned type)
{
	struct virtio dev;
	unsigned count;

	if (!virtio_find(&dev, type))
		return;
	count = MIN(virtio_read16(&dev, COMMON_QUEUES), ARRAY_LEN(queues));
	begin(&dev, count);
	for (unsigned i = 0; i < 3000; i++) {
		struct queue *queue = &queues[random_number() % count];

		noise(queue);
		queue_kick(queue);
		if (virtio_status(&dev) & STATUS_NEEDS_RESET)
			begin(&dev, count);
	}
	virtio_reset(&dev);
}

/* What the console gets prints nothing. */
int guest_main(void)
{
	memset(buffer, '\r', sizeof(buffer));
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		storm(types[i]);
	return 0;
}
