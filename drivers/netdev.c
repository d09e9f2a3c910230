#include "drivers/netdev.h"

#include "cpu/time.h"
#include "drivers/netdev_driver.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"

#define POLL_MAX      256     /* frames in one round, */
#define POLL_FIRST    16      /* in the first one, */
#define POLL_NS	      2000000 /* and no more than take so long */
#define HEAVY_FRAMES  4	      /* in HEAVY_NS */
#define HEAVY_BYTES   16384   /* the same, of frames that are few and large */
#define HEAVY_NS      100000
#define CLOCK_NS      1000000 /* of a device without an interrupt, when quiet */
#define RX_MEMORY     MIB(8)  /* for one device, unless buffers are asked for */
#define BUFFERS_MIN   4
#define BUFFER_BLOCK  MIB(2)
#define BUFFER_ALIGN  64
#define COPIES	      256
#define COPIES_MEMORY MIB(4) /* the longest run of TCP, in the largest */

struct netdev *netdevs[NETDEVS_MAX];
unsigned netdev_count;

static const struct netdev_driver *const drivers[] = {&virtio_net_driver,
						      &e1000_driver};

struct netdev *netdev_find(const char *name)
{
	for (unsigned i = 0; i < netdev_count; i++) {
		if (!strcmp(netdevs[i]->name, name))
			return netdevs[i];
	}
	return NULL;
}

/* --- start-up */

/* A device that a driver has taken over, before it has its options. */
struct candidate {
	const struct netdev_driver *driver;
	struct netdev *dev;
	const struct netdev_options *options;
};

static const struct netdev_driver *driver_for(const struct pci_device *pci)
{
	for (unsigned i = 0; i < ARRAY_LEN(drivers); i++) {
		const struct netdev_driver *d = drivers[i];

		for (unsigned j = 0; j < ARRAY_LEN(d->device); j++) {
			if (d->device[j] && d->vendor == pci->vendor &&
			    d->device[j] == pci->device)
				return d;
		}
	}
	return NULL;
}

static unsigned open_devices(struct candidate *found)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pci_count; i++) {
		struct pci_device *pci = &pci_devices[i];
		const struct netdev_driver *driver = driver_for(pci);
		struct netdev *dev = NULL;
		err_t err;

		if (!driver)
			continue;
		if (count == NETDEVS_MAX) {
			log_warn("net: more than %u devices: %s is left out",
				 NETDEVS_MAX, pci->name);
			continue;
		}
		err = driver->open(pci, &dev);
		if (err) {
			log_error("net: %s %s: %s", driver->name, pci->name,
				  err_text(err));
			continue;
		}
		dev->driver = driver->name;
		dev->where = pci->name;
		found[count++] = (struct candidate){driver, dev, NULL};
	}
	return count;
}

static bool is_meant(const struct netdev_options *options,
		     const struct netdev *dev)
{
	char mac[20];

	snprintf(mac, sizeof(mac), MAC_FORMAT, MAC_WORDS(dev->mac));
	return !strcmp(options->device, dev->where) ||
	       !strcmp(options->device, mac);
}

static void give_options(struct candidate *found, unsigned count,
			 const struct netdev_options *options)
{
	bool first = !strcmp(options->device, "first");

	for (unsigned i = 0; i < count; i++) {
		if (found[i].options ||
		    !(first || is_meant(options, found[i].dev)))
			continue;
		found[i].options = options;
		found[i].dev->role = options->role;
		found[i].dev->loopback = options->loopback;
		copy_string(found[i].dev->name, sizeof(found[i].dev->name),
			    options->name);
		return;
	}
	log_warn("net: %s: there is no device \"%s\"", options->name,
		 options->device);
}

/* Those that name a device come before those that take what is left. */
static void match_options(struct candidate *found, unsigned count,
			  const struct netdev_options *options, unsigned n)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < n; i++) {
			bool first = !strcmp(options[i].device, "first");

			if (first == (pass == 1))
				give_options(found, count, &options[i]);
		}
	}
}

static bool is_taken(const struct candidate *found, unsigned count,
		     const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		if (!strcmp(found[i].dev->name, name))
			return true;
	}
	return false;
}

static void name_others(struct candidate *found, unsigned count)
{
	for (unsigned i = 0, number = 0; i < count; i++) {
		char *name = found[i].dev->name;
		char wanted[sizeof(found[i].dev->name)];

		while (!name[0]) {
			snprintf(wanted, sizeof(wanted), "net%u", number++);
			if (!is_taken(found, count, wanted))
				copy_string(name, sizeof(wanted), wanted);
		}
	}
}

/* At the switch, what comes back would go round and round. */
static bool may_loop(const struct candidate *c)
{
	const char *why = NULL;

	if (!c->dev->loopback)
		return true;
	if (!c->driver->loops)
		why = "has no loopback (an e1000 has)";
	else if (c->dev->role != NETDEV_MIGRATION)
		why = "role = migration has to go with it";
	if (why)
		log_error("net: %s: loopback = yes: %s %s: %s", c->dev->name,
			  c->dev->driver, c->dev->where, why);
	return !why;
}

static void start(const struct candidate *c)
{
	static const struct netdev_options defaults;
	struct netdev *dev = c->dev;
	err_t err;

	if (!may_loop(c))
		return;
	err = c->driver->start(dev, c->options ? c->options : &defaults);
	if (err) {
		log_error("net: %s: %s %s does not start: %s", dev->name,
			  dev->driver, dev->where, err_text(err));
		return;
	}
	dev->budget = POLL_FIRST;
	dev->budget_max = POLL_MAX;
	netdevs[netdev_count++] = dev;
	log_info("net: %s: %s %s, " MAC_FORMAT ", frames up to %u%s%s",
		 dev->name, dev->driver, dev->where, MAC_WORDS(dev->mac),
		 dev->frame_max,
		 dev->role == NETDEV_MIGRATION ? ", for migration" : "",
		 dev->loopback ? ", to itself" : "");
}

void netdev_probe(const struct netdev_options *options, unsigned n)
{
	struct candidate found[NETDEVS_MAX];
	unsigned count = open_devices(found);

	match_options(found, count, options, n);
	name_others(found, count);
	for (unsigned i = 0; i < count; i++)
		start(&found[i]);
}

/* --- for drivers */

u32 netdev_frame_size(const struct netdev *dev, const struct net_piece *piece,
		      unsigned count)
{
	u64 size = 0;

	if (count == 0 || count > NETDEV_PIECES || dev->dead)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (piece[i].size == 0)
			return 0;
		size += piece[i].size;
	}
	return size >= NETDEV_FRAME_MIN && size <= dev->frame_max ? (u32)size
								  : 0;
}

void netdev_received(struct netdev *dev, const void *frame, u32 size)
{
	dev->stats.rx_frames++;
	dev->stats.rx_bytes += size;
	if (dev->receive)
		dev->receive(dev->context, frame, size);
	else
		dev->stats.rx_dropped++;
}

/* A device that goes on like this fills no log: 1, 2, 4, 8... */
void netdev_broken(struct netdev *dev, const char *what)
{
	u64 n = ++dev->stats.broken;

	if ((n & (n - 1)) == 0)
		log_warn("net: %s: %s (%lu times so far)", dev->name, what, n);
}

unsigned netdev_ring(unsigned asked, unsigned normal, unsigned max)
{
	unsigned size = NETDEV_RING_MIN;

	if (!asked)
		asked = normal;
	while (size * 2 <= MIN(asked, max))
		size *= 2;
	return size;
}

err_t frame_buffers_make(struct frame_buffers *b, unsigned wanted, u32 size)
{
	u64 block = 0, left = 0;

	b->size = (u32)ALIGN_UP(size, BUFFER_ALIGN);
	b->count = 0;
	b->at = kmalloc(wanted * sizeof(b->at[0]));
	if (!b->at)
		return E_NOMEM;
	while (b->count < wanted) {
		if (left < b->size) {
			u64 rest = (u64)(wanted - b->count) * b->size;
			unsigned order = order_for(MIN(rest, BUFFER_BLOCK));

			block = page_alloc_zeroed(order);
			left = PAGE_SIZE << order;
			if (!block)
				break;
		}
		b->at[b->count++] = phys_to_virt(block);
		block += b->size;
		left -= b->size;
	}
	return b->count < MIN(wanted, BUFFERS_MIN) ? E_NOMEM : E_OK;
}

unsigned netdev_rx_count(const struct netdev_options *options, unsigned ring,
			 u32 size)
{
	u64 wanted = options->rx_buffers ? options->rx_buffers
					 : MAX(RX_MEMORY / size, BUFFERS_MIN);

	return (unsigned)MIN(wanted, ring);
}

/* --- frames that do not stay where they are */

struct net_copies {
	struct frame_buffers buffers;
	unsigned free_count;
	u16 free[COPIES];
};

static struct net_copies *make_copies(const struct netdev *dev)
{
	u64 wanted = MAX(COPIES_MEMORY / dev->frame_max, BUFFERS_MIN);
	struct net_copies *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	if (frame_buffers_make(&c->buffers, (unsigned)MIN(wanted, COPIES),
			       NETDEV_ROOM + dev->frame_max)) {
		kfree(c);
		return NULL;
	}
	for (; c->free_count < c->buffers.count; c->free_count++)
		c->free[c->free_count] = (u16)c->free_count;
	return c;
}

/* A copy's cookie is the place of its buffer's address. */
static bool take_back(struct net_copies *c, void *cookie)
{
	u8 **place = cookie;

	if (!c || place < c->buffers.at ||
	    place >= c->buffers.at + c->buffers.count)
		return false;
	c->free[c->free_count++] = (u16)(place - c->buffers.at);
	return true;
}

err_t netdev_send_copy(struct netdev *dev, const struct net_piece *piece,
		       unsigned count)
{
	struct net_piece whole = {NULL, 0, NETDEV_ROOM};
	struct net_copies *c;
	unsigned i;
	err_t err;
	u8 *to;

	if (!netdev_frame_size(dev, piece, count))
		return E_INVALID;
	if (!dev->copies)
		dev->copies = make_copies(dev);
	c = dev->copies;
	if (!c)
		return E_NOMEM;
	if (!c->free_count) {
		dev->stats.tx_full++;
		return E_BUSY;
	}
	i = c->free[c->free_count - 1];
	whole.at = to = c->buffers.at[i] + NETDEV_ROOM;
	for (unsigned j = 0; j < count; j++) {
		memcpy(to + whole.size, piece[j].at, piece[j].size);
		whole.size += piece[j].size;
	}
	err = dev->ops->send(dev, &whole, 1, &c->buffers.at[i]);
	if (!err)
		c->free_count--;
	return err;
}

bool netdev_copy_room(const struct netdev *dev, unsigned frames)
{
	const struct net_copies *c = dev->copies;

	return !c || c->free_count >= MIN(frames, c->buffers.count);
}

void netdev_sent(struct netdev *dev, void *cookie)
{
	if (cookie && !take_back(dev->copies, cookie) && dev->sent)
		dev->sent(dev->context, cookie);
}

/* --- for users */

/*
 * A slow processor that deciphers as many frames as a fast one would be at it
 * for half a second, in which no guest on it runs and nothing is acknowledged.
 */
static unsigned poll(struct netdev *dev)
{
	u64 start = now_ns();
	unsigned frames = dev->ops->poll(dev, dev->budget);
	u64 spent = now_ns() - start;

	if (spent > POLL_NS)
		dev->budget = MAX(dev->budget / 2, 1);
	else if (frames >= dev->budget && spent < POLL_NS / 2)
		dev->budget = MIN(dev->budget * 2, dev->budget_max);
	return frames;
}

unsigned netdev_poll_all(void)
{
	unsigned frames = 0;

	for (unsigned i = 0; i < netdev_count; i++)
		frames += poll(netdevs[i]);
	return frames;
}

/* Looks at the traffic since the last look, if that was long enough ago. */
static void weigh(struct netdev *dev)
{
	const struct netdev_stats *s = &dev->stats;
	u64 frames = s->rx_frames + s->tx_frames;
	u64 bytes = s->rx_bytes + s->tx_bytes;
	u64 now = now_ns(), span = now - dev->span_start;

	if (span < HEAVY_NS)
		return;
	dev->heavy =
		(frames - dev->span_frames) * HEAVY_NS >= span * HEAVY_FRAMES ||
		(bytes - dev->span_bytes) * HEAVY_NS >= span * HEAVY_BYTES;
	dev->span_start = now;
	dev->span_frames = frames;
	dev->span_bytes = bytes;
}

bool netdev_rest(struct netdev *dev, u64 *wait_ns)
{
	weigh(dev);
	*wait_ns = dev->heavy ? HEAVY_NS : dev->wakes ? ~0ULL : CLOCK_NS;
	return dev->heavy || dev->ops->arm(dev);
}

bool netdev_rest_all(u64 *wait_ns)
{
	bool quiet = true;

	*wait_ns = ~0ULL;
	for (unsigned i = 0; i < netdev_count; i++) {
		u64 wait;

		quiet &= netdev_rest(netdevs[i], &wait);
		*wait_ns = MIN(*wait_ns, wait);
	}
	return quiet;
}
