#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "migrate/wire.h"

u64 sim_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void net_init(struct net *net)
{
	memset(net, 0, sizeof(*net));
	for (unsigned i = 0; i < NET_FRAMES; i++)
		net->free[i] = i;
	net->free_count = NET_FRAMES;
}

void net_reset(struct net *net, u64 seed)
{
	while (net->count != 0)
		net->free[net->free_count++] = net->heap[--net->count].slot;
	memset(&net->faults, 0, sizeof(net->faults));
	memset(net->counts, 0, sizeof(net->counts));
	memset(net->busy, 0, sizeof(net->busy));
	net->random = seed;
	net->order = 0;
}

static bool sooner(const struct net_frame *a, const struct net_frame *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct net_frame *a, struct net_frame *b)
{
	struct net_frame c = *a;

	*a = *b;
	*b = c;
}

static void push(struct net *net, struct net_frame frame)
{
	unsigned i = net->count++;

	net->heap[i] = frame;
	for (; i != 0 && sooner(&net->heap[i], &net->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(&net->heap[i], &net->heap[(i - 1) / 2]);
}

static struct net_frame pop(struct net *net)
{
	struct net_frame first = net->heap[0];
	unsigned i = 0, child;

	net->heap[0] = net->heap[--net->count];
	while ((child = 2 * i + 1) < net->count) {
		if (child + 1 < net->count &&
		    sooner(&net->heap[child + 1], &net->heap[child]))
			child++;
		if (!sooner(&net->heap[child], &net->heap[i]))
			break;
		swap(&net->heap[i], &net->heap[child]);
		i = child;
	}
	return first;
}

static bool chance(struct net *net, unsigned of_1000)
{
	return of_1000 != 0 && sim_below(&net->random, 1000) < of_1000;
}

static bool is_cut(const struct net_faults *faults, u64 now)
{
	for (unsigned i = 0; i < 2; i++)
		if (now >= faults->cut[i] &&
		    now - faults->cut[i] < faults->cut_for[i])
			return true;
	return false;
}

static u64 arrival(struct net *net, u64 now, unsigned from, unsigned size)
{
	const struct net_faults *faults = &net->faults;
	u64 at = now + 1 + faults->delay;

	if (faults->bandwidth != 0) {
		net->busy[from] = mig_max(net->busy[from], now * 1000) +
				  (u64)size * 1000000000 / faults->bandwidth;
		at = net->busy[from] / 1000 + 1 + faults->delay;
	}
	at += sim_below(&net->random, faults->jitter + 1);
	if (chance(net, faults->late))
		at += sim_below(&net->random, faults->lateness + 1);
	return at;
}

static void deliver(struct net *net, u64 at, unsigned from, const u8 *frame,
		    unsigned size, bool faulty)
{
	struct net_frame entry = {.at = at, .to = !from, .size = size};
	u8 *bytes;

	if (net->free_count == 0)
		return;
	entry.order = net->order++;
	entry.slot = net->free[--net->free_count];
	if (net->buffer[entry.slot] == NULL)
		net->buffer[entry.slot] = malloc(WIRE_FRAME_MAX);
	bytes = net->buffer[entry.slot];
	memcpy(bytes, frame, size);
	if (faulty && chance(net, net->faults.corrupt)) {
		bytes[sim_below(&net->random, size)] ^=
			(u8)(1 + sim_below(&net->random, 255));
		net->counts[from].corrupted++;
	}
	if (faulty && chance(net, net->faults.truncate)) {
		entry.size = (unsigned)sim_below(&net->random, size);
		net->counts[from].truncated++;
	}
	push(net, entry);
}

/* The record header of a pcap file, then the frame. */
static void record(struct net *net, u64 now, const u8 *frame, unsigned size)
{
	u32 head[4] = {(u32)(now / 1000000), (u32)(now % 1000000), size, size};

	fwrite(head, sizeof(head), 1, net->capture);
	fwrite(frame, size, 1, net->capture);
}

void net_capture(struct net *net, const char *path)
{
	static const u32 head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};

	net->capture = fopen(path, "wb");
	if (net->capture == NULL) {
		perror(path);
		exit(2);
	}
	fwrite(head, sizeof(head), 1, net->capture);
}

void net_send(struct net *net, u64 now, unsigned from, const u8 *frame,
	      unsigned size)
{
	struct net_counts *counts = &net->counts[from];
	bool faulty = now < net->faults.heals_at;

	counts->frames++;
	counts->bytes += size;
	if (net->capture != NULL)
		record(net, now, frame, size);
	if (faulty && is_cut(&net->faults, now)) {
		counts->cut++;
		return;
	}
	if (faulty && chance(net, net->faults.drop)) {
		counts->dropped++;
		return;
	}
	deliver(net, arrival(net, now, from, size), from, frame, size, faulty);
	if (faulty && chance(net, net->faults.repeat)) {
		counts->repeated++;
		deliver(net, arrival(net, now, from, size), from, frame, size,
			faulty);
	}
}

u64 net_next(const struct net *net)
{
	return net->count == 0 ? UINT64_MAX : net->heap[0].at;
}

u8 *net_take(struct net *net, unsigned *to, unsigned *size)
{
	struct net_frame frame = pop(net);

	net->free[net->free_count++] = frame.slot;
	*to = frame.to;
	*size = frame.size;
	return net->buffer[frame.slot];
}
