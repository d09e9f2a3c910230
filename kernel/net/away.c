#include "net/away.h"

#include "cpu/time.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "net/switch.h"
#include "vm/vm.h"

#define ADDRESS 6
#define GROUP	0x01 /* of an address's first byte: multicast, broadcast */

struct held {
	struct held *next;
	u32 size;
	u8 frame[];
};

enum away_state { HOLD, BACK, GONE };

struct away {
	struct net_port port; /* the stand-in, the first */
	struct vm *vm;
	enum away_state state;
	u8 mac[ADDRESS];
	struct held *first, **last;
	u32 frames, bytes;
	u64 delivered_at;      /* BACK: when the guest last took a frame */
	u64 gone_at, heard_at; /* GONE: since when; heard elsewhere, 0: no */
	away_pass pass;	       /* NULL: it was never gone */
	void *context;
	unsigned announcements; /* that have been made, or ANNOUNCEMENTS */
	u64 announce_from;
};

static const u64 announce_after[] = {0, 50 * NS_PER_MS, 150 * NS_PER_MS,
				     300 * NS_PER_MS};
#define ANNOUNCEMENTS ARRAY_LEN(announce_after)

/* By the VM's index. */
static struct away *aways[VMS_MAX];
static struct away_stats counts[VMS_MAX];

/* --- frames that are held */

static void drop_first(struct away *a)
{
	struct held *h = a->first;

	a->first = h->next;
	if (!a->first)
		a->last = &a->first;
	a->frames--;
	a->bytes -= h->size;
	kfree(h);
}

static bool keep(struct away *a, const struct net_piece *piece, unsigned count,
		 u32 size)
{
	struct held *h = NULL;
	u32 at = 0;

	if (a->frames < AWAY_FRAMES && size <= AWAY_BYTES - a->bytes)
		h = kmalloc(sizeof(*h) + size);
	if (!h) {
		counts[a->vm->index].lost++;
		return false;
	}
	for (unsigned i = 0; i < count; at += piece[i++].size)
		memcpy(h->frame + at, piece[i].at, piece[i].size);
	h->size = size;
	h->next = NULL;
	*a->last = h;
	a->last = &h->next;
	a->frames++;
	a->bytes += size;
	counts[a->vm->index].held++;
	return true;
}

/* In order, as far as they are taken now. */
static void deliver_held(struct away *a)
{
	while (a->first && a->vm->net) {
		struct net_piece piece = {a->first->frame, a->first->size, 0};

		if (!switch_give(a->vm->net, &piece, 1, piece.size))
			break;
		a->delivered_at = now_ns();
		counts[a->vm->index].delivered++;
		drop_first(a);
	}
}

static void pass_held(struct away *a)
{
	while (a->first &&
	       a->pass(a->context, a->first->frame, a->first->size)) {
		counts[a->vm->index].passed++;
		drop_first(a);
	}
}

/* The stand-in's. */
static bool take(struct net_port *port, const struct net_piece *piece,
		 unsigned count, u32 size)
{
	struct away *a = (struct away *)port;

	if (!keep(a, piece, count, size))
		return false;
	if (a->state == GONE)
		pass_held(a);
	else if (a->state == BACK)
		deliver_held(a);
	return true;
}
_Static_assert(offsetof(struct away, port) == 0, "take()");

/* --- the stand-in */

/* For the card that the guest has now, if it has one. */
static void stand_in(struct away *a)
{
	struct net_port *net = a->vm->net;

	a->port.directed = false;
	if (!net || net->stand_in == &a->port)
		return;
	/* It may hold the place of the card that the guest had before. */
	switch_remove(&a->port);
	net->stand_in = &a->port;
}

static void stand_down(struct away *a)
{
	if (a->vm->net && a->vm->net->stand_in == &a->port)
		a->vm->net->stand_in = NULL;
	switch_remove(&a->port);
}

static struct away *begin(struct vm *vm)
{
	struct away *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->port.name = vm->config.name;
	a->port.deliver = take;
	a->port.address = a->mac;
	memcpy(a->mac, vm->config.mac, ADDRESS);
	a->vm = vm;
	a->state = BACK;
	a->delivered_at = now_ns();
	a->last = &a->first;
	a->announcements = ANNOUNCEMENTS;
	memset(&counts[vm->index], 0, sizeof(counts[vm->index]));
	aways[vm->index] = a;
	return a;
}

static void end(struct away *a)
{
	stand_down(a);
	counts[a->vm->index].lost += a->frames;
	while (a->first)
		drop_first(a);
	aways[a->vm->index] = NULL;
	kfree(a);
}

/* --- the guest's ways */

err_t away_hold(struct vm *vm)
{
	struct away *a = aways[vm->index];

	if (!vm->config.net)
		return E_OK;
	if (!a)
		a = begin(vm);
	if (!a)
		return E_NOMEM;
	a->state = HOLD;
	memcpy(a->mac, vm->config.mac, ADDRESS);
	stand_in(a);
	return E_OK;
}

static void come_back(struct away *a)
{
	a->state = BACK;
	a->pass = NULL;
	a->delivered_at = now_ns();
	stand_in(a);
	deliver_held(a);
}

void away_back(struct vm *vm)
{
	if (aways[vm->index])
		come_back(aways[vm->index]);
}

void away_gone(struct vm *vm, away_pass pass, void *context)
{
	struct away *a = aways[vm->index];

	if (!a)
		return;
	a->state = GONE;
	a->port.directed = true;
	a->pass = pass;
	a->context = context;
	a->gone_at = now_ns();
	a->heard_at = 0;
	a->announcements = ANNOUNCEMENTS;
	pass_held(a);
}

void away_forget(struct vm *vm)
{
	if (aways[vm->index])
		end(aways[vm->index]);
}

bool away_passes(const struct vm *vm)
{
	return aways[vm->index] && aways[vm->index]->state == GONE;
}

void away_input(struct vm *vm, const void *frame, u32 size)
{
	struct net_piece piece = {frame, size, 0};
	struct away *a = aways[vm->index];

	if (!vm->net || size < NETDEV_FRAME_MIN || size > NETDEV_FRAME_MAX)
		return;
	if (!a && switch_give(vm->net, &piece, 1, size))
		return;
	if (!a)
		a = begin(vm);
	if (!a)
		return;
	if (a->state == BACK)
		stand_in(a);
	take(&a->port, &piece, 1, size);
}

void away_stats(const struct vm *vm, struct away_stats *stats)
{
	*stats = counts[vm->index];
}

/* --- announcing */

/* RFC 903: who am I? As QEMU asks it for a guest that has moved. */
struct PACKED rarp {
	u8 to[ADDRESS], from[ADDRESS];
	u8 type[2];
	u8 hardware[2], protocol[2], hardware_size, protocol_size;
	u8 operation[2];
	u8 sender[ADDRESS], sender_ip[4];
	u8 target[ADDRESS], target_ip[4];
	u8 padding[18];
};

ASSERT_SIZE(struct rarp, 60);

static void announce(const struct vm *vm)
{
	struct rarp rarp = {
		.type = {0x80, 0x35},
		.hardware = {0, 1},    /* Ethernet */
		.protocol = {0x08, 0}, /* IPv4 */
		.hardware_size = ADDRESS,
		.protocol_size = 4,
		.operation = {0, 3}, /* request reverse */
	};
	struct net_piece piece = {&rarp, sizeof(rarp), 0};

	memset(rarp.to, 0xff, ADDRESS);
	memcpy(rarp.from, vm->config.mac, ADDRESS);
	memcpy(rarp.sender, vm->config.mac, ADDRESS);
	memcpy(rarp.target, vm->config.mac, ADDRESS);
	switch_input(vm->net, &piece, 1, sizeof(rarp));
}

static void announce_when_due(struct away *a, u64 now)
{
	while (a->announcements < ANNOUNCEMENTS && a->vm->net &&
	       now - a->announce_from >= announce_after[a->announcements]) {
		a->announcements++;
		announce(a->vm);
	}
}

void away_announce(struct vm *vm)
{
	struct away *a = aways[vm->index];

	if (!vm->net || (!a && !(a = begin(vm))))
		return;
	a->announcements = 0;
	a->announce_from = now_ns();
	announce_when_due(a, a->announce_from);
}

/* --- the service loop */

/* Nothing is taken for so long: it is lost, as without us. */
static void lose_impatiently(struct away *a, u64 now)
{
	while (a->first && now - a->delivered_at >= AWAY_PATIENCE_NS) {
		counts[a->vm->index].lost++;
		drop_first(a);
		deliver_held(a);
	}
}

static void serve_back(struct away *a, u64 now)
{
	deliver_held(a);
	lose_impatiently(a, now);
	announce_when_due(a, now);
	if (!a->vm->net) {
		end(a);
		return;
	}
	if (a->first)
		return;
	stand_down(a);
	if (a->announcements == ANNOUNCEMENTS)
		end(a);
}

static void serve_gone(struct away *a, u64 now)
{
	const struct net_port *where = switch_where(a->mac);

	pass_held(a);
	if (!a->heard_at && where && where != &a->port)
		a->heard_at = now;
	if (now - a->gone_at >= AWAY_SECONDS * NS_PER_S ||
	    (a->heard_at && now - a->heard_at >= AWAY_SETTLE_NS && !a->first))
		end(a);
}

bool away_poll(void)
{
	u64 now = now_ns();
	bool again = false;

	for (unsigned i = 0; i < VMS_MAX; i++) {
		struct away *a = aways[i];

		if (!a || a->state == HOLD)
			continue;
		/* It was started here anew. */
		if (a->state == GONE && a->vm->net)
			come_back(a);
		if (a->state == GONE)
			serve_gone(a, now);
		else
			serve_back(a, now);
		again |= aways[i] && aways[i]->first;
	}
	return again;
}

static u64 wait_ns(const struct away *a, u64 now)
{
	u64 at;

	if (a->state == HOLD)
		return ~0ULL;
	if (a->first)
		return 0;
	if (a->state == BACK && a->announcements == ANNOUNCEMENTS)
		return 0;
	if (a->state == BACK)
		at = a->announce_from + announce_after[a->announcements];
	else if (a->heard_at)
		at = a->heard_at + AWAY_SETTLE_NS;
	else
		at = a->gone_at + AWAY_SECONDS * NS_PER_S;
	return at > now ? at - now : 0;
}

u64 away_wait_ns(void)
{
	u64 now = now_ns(), first = ~0ULL;

	for (unsigned i = 0; i < VMS_MAX; i++)
		if (aways[i])
			first = MIN(first, wait_ns(aways[i], now));
	return first;
}
