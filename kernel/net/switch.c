#include "net/switch.h"

#include "cpu/time.h"
#include "lib/string.h"

/* Addresses: as many sets as fit a busy network, the oldest of one gives way.
 */
#define SETS   128
#define WAYS   8
#define AGE_NS (300 * NS_PER_S) /* IEEE 802.1D-2004, table 7-5 */

/* How many frames of one port may go to everybody: a loop stays harmless. */
#define FLOOD_BURST 2048
#define FLOOD_NS    50000 /* one more in so many: 20,000/s */

#define ADDRESS 6
#define HEADER	14
#define GROUP	0x01 /* of an address's first byte: multicast, broadcast */

struct entry {
	struct net_port *port; /* NULL: free */
	u64 heard;
	u8 mac[ADDRESS];
};

static struct net_port *ports[SWITCH_PORTS];
static unsigned port_count;
static struct entry table[SETS * WAYS];

/* --- ports */

err_t switch_add(struct net_port *port)
{
	for (unsigned i = 0; i < port_count; i++) {
		if (ports[i] == port)
			return E_EXISTS;
	}
	if (port_count == SWITCH_PORTS)
		return E_NOMEM;
	memset(&port->stats, 0, sizeof(port->stats));
	port->pending_flush = false;
	port->flood_tokens = FLOOD_BURST;
	port->flood_time = now_ns();
	ports[port_count++] = port;
	return E_OK;
}

void switch_remove(struct net_port *port)
{
	unsigned i = 0;

	while (i < port_count && ports[i] != port)
		i++;
	if (i == port_count)
		return;
	ports[i] = port->stand_in ? port->stand_in : ports[--port_count];
	for (i = 0; i < SETS * WAYS; i++) {
		if (table[i].port == port)
			table[i].port = port->stand_in;
	}
}

void switch_flush(void)
{
	for (unsigned i = 0; i < port_count; i++) {
		struct net_port *port = ports[i];

		if (!port->pending_flush)
			continue;
		port->pending_flush = false;
		if (port->flush)
			port->flush(port);
	}
}

/* All are asked: each has a patience of its own, which begins when asked. */
bool switch_ready(const struct net_port *from, unsigned frames)
{
	bool all = true;

	for (unsigned i = 0; i < port_count; i++) {
		struct net_port *port = ports[i];

		if (port != from && port->ready)
			all &= port->ready(port, frames);
	}
	return all;
}

/* --- addresses */

/* Vendors' numbers stand in the first half, so the second one counts more. */
static struct entry *set_of(const u8 *mac)
{
	u32 low = (u32)mac[3] << 16 | (u32)mac[4] << 8 | mac[5];
	u32 high = (u32)mac[0] << 16 | (u32)mac[1] << 8 | mac[2];

	return &table[(((low ^ high * 31) * 0x9e3779b1U) >> 25) * WAYS];
}
_Static_assert(SETS == 1 << (32 - 25), "set_of()");

static bool is_old(const struct entry *e, u64 now)
{
	return now - e->heard > AGE_NS;
}

static struct entry *find(const u8 *mac, u64 now)
{
	struct entry *set = set_of(mac);

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].port && !memcmp(set[i].mac, mac, ADDRESS))
			return is_old(&set[i], now) ? NULL : &set[i];
	}
	return NULL;
}

/*
 * Which entry a new address takes: its own, a free one, the oldest of its port,
 * the oldest. So a port that invents addresses forgets its own before it makes
 * the switch forget its neighbours'.
 */
static struct entry *place_for(const u8 *mac, const struct net_port *port)
{
	struct entry *set = set_of(mac), *free = NULL, *own = NULL;
	struct entry *oldest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		struct entry *e = &set[i];

		if (!e->port) {
			free = e;
			continue;
		}
		if (!memcmp(e->mac, mac, ADDRESS))
			return e;
		if (e->port == port && (!own || e->heard < own->heard))
			own = e;
		if (e->heard < oldest->heard)
			oldest = e;
	}
	return free ? free : own ? own : oldest;
}

static void learn(struct net_port *from, const u8 *mac, u64 now)
{
	struct entry *e = place_for(mac, from);

	if (e->port && e->port != from && !memcmp(e->mac, mac, ADDRESS) &&
	    !is_old(e, now))
		from->stats.moves++;
	memcpy(e->mac, mac, ADDRESS);
	e->port = from;
	e->heard = now;
}

/* --- frames */

/* The header's beginning, wherever its bytes are. False: there is too little.
 */
static bool read_header(const struct net_piece *piece, unsigned count,
			u8 header[2 * ADDRESS])
{
	u32 have = 0;

	for (unsigned i = 0; i < count && have < 2 * ADDRESS; i++) {
		u32 n = MIN(piece[i].size, 2 * ADDRESS - have);

		memcpy(header + have, piece[i].at, n);
		have += n;
	}
	return have == 2 * ADDRESS;
}

/* Between a bridge and its neighbours only (802.1D-2004, table 7-10). */
static bool is_link_local(const u8 *mac)
{
	static const u8 prefix[] = {0x01, 0x80, 0xc2, 0x00, 0x00};

	return !memcmp(mac, prefix, sizeof(prefix)) && mac[5] <= 0x0f;
}

bool switch_give(struct net_port *to, const struct net_piece *piece,
		 unsigned count, u32 size)
{
	if (!to->deliver(to, piece, count, size))
		return false;
	to->stats.out_frames++;
	to->stats.out_bytes += size;
	to->pending_flush = true;
	return true;
}

static void give(struct net_port *to, const struct net_piece *piece,
		 unsigned count, u32 size)
{
	if (to->stand_in)
		to = to->stand_in;
	if (!switch_give(to, piece, count, size))
		to->stats.dropped++;
}

static bool may_flood(struct net_port *from, u64 now)
{
	u64 more = (now - from->flood_time) / FLOOD_NS;

	if (more) {
		from->flood_tokens =
			MIN(from->flood_tokens + more, FLOOD_BURST);
		from->flood_time += more * FLOOD_NS;
	}
	if (!from->flood_tokens)
		return false;
	from->flood_tokens--;
	return true;
}

static void flood(struct net_port *from, const struct net_piece *piece,
		  unsigned count, u32 size, u64 now)
{
	if (!may_flood(from, now)) {
		from->stats.storm++;
		return;
	}
	for (unsigned i = 0; i < port_count; i++) {
		if (ports[i] != from && !ports[i]->directed)
			give(ports[i], piece, count, size);
	}
}

/* Of ports and of stand-ins: whose address this is. */
static struct net_port *stand_in_for(const u8 *mac)
{
	for (unsigned i = 0; i < port_count; i++) {
		struct net_port *port = ports[i];

		if (port->stand_in)
			port = port->stand_in;
		if (port->address && !memcmp(port->address, mac, ADDRESS))
			return port;
	}
	return NULL;
}

/*
 * Where a frame for the address goes; `from`: nowhere; NULL: it is not known.
 * What would stay on its side may be on its way to a guest that has left: the
 * side that it came from has not heard so yet.
 */
static struct net_port *way_to(const u8 *mac, struct net_port *from, u64 now)
{
	const struct entry *e = find(mac, now);
	struct net_port *instead;

	if (e && e->port != from)
		return e->port;
	instead = stand_in_for(mac);
	if (instead && instead != from->stand_in)
		return instead;
	return e ? from : NULL;
}

void switch_input(struct net_port *from, const struct net_piece *piece,
		  unsigned count, u32 size)
{
	u8 header[2 * ADDRESS]; /* destination, source */
	const u8 *source = header + ADDRESS;
	u64 now = now_ns();
	struct net_port *to;

	if (size < HEADER || size > NETDEV_FRAME_MAX || count > NETDEV_PIECES ||
	    !read_header(piece, count, header) || (source[0] & GROUP)) {
		from->stats.refused++;
		return;
	}
	from->stats.in_frames++;
	from->stats.in_bytes += size;
	learn(from, source, now);
	to = header[0] & GROUP ? NULL : way_to(header, from, now);
	if (is_link_local(header) || to == from)
		from->stats.filtered++;
	else if (to)
		give(to, piece, count, size);
	else
		flood(from, piece, count, size, now);
}

/* --- for the operator, and for who moves guests */

const struct net_port *switch_where(const u8 *mac)
{
	const struct entry *e = find(mac, now_ns());

	return e ? e->port : NULL;
}

const struct net_port *switch_port(unsigned i)
{
	return i < port_count ? ports[i] : NULL;
}

bool switch_address(unsigned *at, struct switch_address *found)
{
	u64 now = now_ns();

	while (*at < SETS * WAYS) {
		const struct entry *e = &table[(*at)++];

		if (!e->port || is_old(e, now))
			continue;
		memcpy(found->mac, e->mac, ADDRESS);
		found->port = e->port;
		found->age_ns = now - e->heard;
		return true;
	}
	return false;
}
