/*
 * The guest's console in bulk (virtio 1.2, 5.3): a write of a line is one exit,
 * where a UART takes two for each character. One port, no size, no emergency
 * write. Output goes to the VM's console while the guest still waits for its
 * notification to end, so it is never behind what else the VM says.
 */
#include "lib/string.h"
#include "machine/virtio.h"
#include "machine/virtio_pci.h"
#include "mm/heap.h"
#include "vm/vm.h"

enum { RECEIVE, TRANSMIT, QUEUES };

#define QUEUE_SIZE  64
#define REQUEST_MAX KIB(64) /* of output: no driver sends that much at once */
#define BUDGET	    KIB(16) /* of output, then others have a turn */

struct virtio_console {
	struct virtio_device virtio; /* the first */
	struct vq_chain chain;
};

/* cols, rows, max_nr_ports, emerg_wr: only with features we do not offer. */
#define CONFIG_SIZE 12

static u32 config_read(struct virtio_device *dev, unsigned offset,
		       unsigned size)
{
	return 0;
}

/*
 * Output that finds no room stays in its ring; typed() comes when half of the
 * console is free. No request can wait for more than that.
 */
static bool has_room(struct virtio_console *con)
{
	return vm_console_room(con->virtio.vm) >=
	       MIN(con->chain.out_size, (u64)VM_CONSOLE_SIZE / 2);
}

static void print(struct virtio_console *con)
{
	char text[256];
	u64 n;

	for (u64 at = 0; at < con->chain.out_size; at += n) {
		n = vq_read(&con->virtio.queue[TRANSMIT], &con->chain, at, text,
			    sizeof(text));
		vm_console_write(con->virtio.vm, text, n);
	}
}

/* True: there is more. */
static bool transmit(struct virtio_console *con)
{
	struct virtio_device *dev = &con->virtio;
	struct virtqueue *vq = &dev->queue[TRANSMIT];
	u64 done = 0;

	vq_quiet(vq);
	for (unsigned i = 0; i < QUEUE_SIZE && done < BUDGET; i++) {
		if (!virtio_take(dev, TRANSMIT, &con->chain))
			break;
		if (con->chain.out_size > REQUEST_MAX) {
			virtio_broken(dev, "output", "more than 64 KiB");
			break;
		}
		if (!has_room(con)) {
			vq_give_back(vq, 1);
			virtio_publish(dev, TRANSMIT);
			return false;
		}
		print(con);
		done += con->chain.out_size;
		vq_add(vq, &con->chain, 0);
	}
	virtio_publish(dev, TRANSMIT);
	return vq_listen(vq);
}

/* What has been typed, as much as a buffer takes. */
static unsigned typed(struct virtio_console *con, char *text, unsigned max)
{
	unsigned n = 0;
	int byte;

	while (n < max && (byte = vm_console_read(con->virtio.vm)) >= 0)
		text[n++] = byte;
	return n;
}

/*
 * A buffer that is taken and not needed goes back; what is typed and finds no
 * buffer waits where it is. New buffers are heard of when they are given, so
 * there is nothing to come back for.
 */
static void receive(struct virtio_console *con)
{
	struct virtio_device *dev = &con->virtio;
	struct virtqueue *vq = &dev->queue[RECEIVE];
	char text[256];

	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		unsigned n;

		if (!virtio_take(dev, RECEIVE, &con->chain))
			break;
		n = typed(con, text, MIN(con->chain.in_size, sizeof(text)));
		if (!n && con->chain.in_size) {
			vq_give_back(vq, 1);
			break;
		}
		vq_add(vq, &con->chain, vq_write(vq, &con->chain, 0, text, n));
	}
	virtio_publish(dev, RECEIVE);
	vq_listen(vq);
}

static bool serve(struct virtio_device *dev)
{
	struct virtio_console *con = (struct virtio_console *)dev;

	receive(con);
	return transmit(con);
}

static void notified(struct virtio_device *dev, unsigned queue)
{
	bool more = queue == RECEIVE;

	if (queue == TRANSMIT) {
		spin_lock(&dev->lock);
		if (virtio_is_live(dev))
			more = transmit((struct virtio_console *)dev);
		spin_unlock(&dev->lock);
	}
	if (more)
		vm_request_service(dev->vm);
}

static void destroy(struct virtio_device *dev)
{
	kfree(dev);
}

static const struct virtio_kind kind = {
	.name = "virtio-console",
	.type = VIRTIO_CONSOLE,
	.class = 0x078000, /* communication, other */
	.queues = QUEUES,
	.queue_size = {QUEUE_SIZE, QUEUE_SIZE},
	.config_size = CONFIG_SIZE,
	.config_read = config_read,
	.notified = notified,
	.serve = serve,
	.destroy = destroy,
};

err_t virtio_console_create(struct vm *vm)
{
	struct virtio_console *con;

	if (vm->config.console != CONSOLE_VIRTIO)
		return E_OK;
	con = kzalloc(sizeof(*con));
	return con ? virtio_create(&con->virtio, vm, &kind, 0) : E_NOMEM;
}
