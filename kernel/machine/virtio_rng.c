/*
 * Random numbers for the guest (virtio 1.2, 5.4): one queue of buffers, which
 * are filled from the host's own at once. A buffer gets at most REQUEST_MAX
 * bytes, the driver is told how many.
 */
#include "cpu/random.h"
#include "machine/virtio.h"
#include "machine/virtio_pci.h"
#include "mm/heap.h"
#include "vm/vm.h"

#define QUEUE_SIZE  8
#define REQUEST_MAX 256

struct virtio_rng {
	struct virtio_device virtio; /* the first */
	struct vq_chain chain;
};

static u64 fill(struct virtio_rng *rng)
{
	u64 words[REQUEST_MAX / 8];
	u64 n = MIN(rng->chain.in_size, sizeof(words));

	for (unsigned i = 0; i < (n + 7) / 8; i++)
		words[i] = random64();
	return vq_write(&rng->virtio.queue[0], &rng->chain, 0, words, n);
}

/* Not more than a ring at once: another vCPU may fill it as fast. */
static bool serve(struct virtio_device *dev)
{
	struct virtio_rng *rng = (struct virtio_rng *)dev;
	struct virtqueue *vq = &dev->queue[0];

	vq_quiet(vq);
	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		if (!virtio_take(dev, 0, &rng->chain))
			break;
		vq_add(vq, &rng->chain, fill(rng));
	}
	virtio_publish(dev, 0);
	return vq_listen(vq);
}

static void destroy(struct virtio_device *dev)
{
	kfree(dev);
}

static const struct virtio_kind kind = {
	.name = "virtio-rng",
	.type = VIRTIO_RNG,
	.class = 0x00ff00, /* fits no class */
	.queues = 1,
	.queue_size = {QUEUE_SIZE},
	.serve = serve,
	.destroy = destroy,
};

err_t virtio_rng_create(struct vm *vm)
{
	struct virtio_rng *rng = kzalloc(sizeof(*rng));

	return rng ? virtio_create(&rng->virtio, vm, &kind, 0) : E_NOMEM;
}
