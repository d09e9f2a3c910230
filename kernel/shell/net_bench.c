/*
 * Two hosts on a cable: one runs `net bench sink`, then the other `net bench
 * blast` or `net bench ping`. The sink counts what comes until the blaster says
 * that it is done, and answers with what it has counted; pings it returns.
 */
#include "shell/net_bench.h"

#include "cpu/cpu.h"
#include "cpu/lapic.h"
#include "cpu/time.h"
#include "lib/console.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "shell/net_commands.h"

#define BUFFERS	     16	     /* frames to send, in turn */
#define CONTROL	     BUFFERS /* one more, not for DATA: those are on their way */
#define IDLE_NS	     (10 * NS_PER_MS) /* at most: our own deadlines */
#define SINK_NS	     (30 * NS_PER_S)  /* without a frame: nobody is there */
#define REPORT_NS    (3 * NS_PER_S)
#define REPEAT_NS    (100 * NS_PER_MS)
#define ETHERTYPE    0xb588 /* 0x88b5, for experiments, as it is in memory */
#define ARGUMENT_MAX 160

enum kind { DATA = 1, END, REPORT, PING, PONG };

struct PACKED bench_frame {
	u8 to[6], from[6];
	u16 type;
	u16 kind;
	u64 frames, bytes, ns;
};

#define SIZE_MIN 60
_Static_assert(sizeof(struct bench_frame) <= SIZE_MIN, "the shortest frame");

static struct {
	const char *what;
	struct netdev *dev;
	const struct bench_port *port;
	unsigned size, batch, ms, pieces;
	bool spin;
} set;

/* What has come since the start. */
static struct {
	u64 frames, bytes;
	u64 first, last; /* ns */
	bool end, report, pong;
	unsigned pings;
	struct bench_frame answer;
} got;

static u8 *buffer[BUFFERS + 1];
static u64 idle_tsc;

/* --- the drivers' port */

static err_t netdev_open(struct netdev *dev, u32 frame_max)
{
	return frame_max > dev->frame_max ? E_RANGE : E_OK;
}

static void netdev_close(struct netdev *dev)
{
}

/* Cut into pieces, as a frame of scattered guest pages would be. */
static bool netdev_send(struct netdev *dev, const void *frame, u32 size)
{
	struct net_piece piece[NETDEV_PIECES];
	u32 each = set.pieces > 1 ? size / set.pieces : size;
	const u8 *at = frame;

	for (unsigned i = 0; i < set.pieces; i++, at += each, size -= each)
		piece[i] =
			(struct net_piece){at, i + 1 < set.pieces ? each : size,
					   i ? 0 : NETDEV_ROOM};
	return dev->ops->send(dev, piece, set.pieces, NULL) == E_OK;
}

static void netdev_flush(struct netdev *dev)
{
	dev->ops->flush(dev);
}

static unsigned netdev_poll(struct netdev *dev)
{
	return dev->ops->poll(dev, 64);
}

static const struct bench_port bench_netdev = {
	.open = netdev_open,
	.close = netdev_close,
	.send = netdev_send,
	.flush = netdev_flush,
	.poll = netdev_poll,
	.rest = netdev_rest,
	.headroom = NETDEV_ROOM,
};

/* --- frames */

void bench_received(const void *frame, u32 size)
{
	struct bench_frame f;

	if (size < sizeof(f))
		return;
	memcpy(&f, frame, sizeof(f));
	if (f.type != ETHERTYPE)
		return;
	if (!got.first)
		got.first = now_ns();
	switch (f.kind) {
	case DATA:
		got.frames++;
		got.bytes += size;
		break;
	case END:
		got.end = true;
		break;
	case REPORT:
		got.report = true;
		got.answer = f;
		break;
	case PING:
		got.pings++;
		break;
	case PONG:
		got.pong = true;
		break;
	}
}

static void receive(void *context, const void *frame, u32 size)
{
	bench_received(frame, size);
}

static struct bench_frame *frame_in(unsigned i)
{
	return (struct bench_frame *)(buffer[i] + set.port->headroom);
}

/* To everybody: Bochs lets nothing else pass but its own address. */
static struct bench_frame *make(unsigned i, enum kind kind)
{
	struct bench_frame *f = frame_in(i);

	memset(f, 0, sizeof(*f));
	memset(f->to, 0xff, sizeof(f->to));
	memcpy(f->from, set.dev->mac, sizeof(f->from));
	f->type = ETHERTYPE;
	f->kind = kind;
	return f;
}

/* --- the loop */

/* Nothing to do: leave the processor to those who carry the frames. */
static void idle(void)
{
	u64 before = this_cpu()->idle_tsc, wait;

	if (set.spin) {
		cpu_relax();
	} else if (set.port->rest(set.dev, &wait)) {
		timer_arm(rdtsc() + ns_to_tsc(MIN(wait, IDLE_NS)));
		cpu_idle();
		idle_tsc += this_cpu()->idle_tsc - before;
	}
}

static void poll_or_idle(void)
{
	console_poll(); /* nobody else does meanwhile */
	if (!set.port->poll(set.dev))
		idle();
}

/* One frame that has to go. False: there is never any room. */
static bool send_control(u32 size)
{
	u64 until = now_ns() + NS_PER_S;

	while (!set.port->send(set.dev, frame_in(CONTROL), size)) {
		if (now_ns() > until)
			return false;
		poll_or_idle();
	}
	set.port->flush(set.dev);
	return true;
}

static void say_rate(const char *what, u64 frames, u64 bytes, u64 ns)
{
	ns = MAX(ns, 1);
	printf("net bench: %s %lu frames, %lu bytes in %lu us: %lu frames/s, "
	       "%lu MB/s, idle %lu%%\n",
	       what, frames, bytes, ns / NS_PER_US,
	       frames * 1000000 / (ns / NS_PER_US + 1), bytes * 1000 / ns,
	       tsc_to_ns(idle_tsc) * 100 / ns);
}

/* --- the three of them */

/* Says END until the sink has answered. */
static void ask_for_report(void)
{
	u64 until = now_ns() + REPORT_NS, again = 0;

	while (!got.report && now_ns() < until) {
		if (now_ns() >= again) {
			make(CONTROL, END);
			send_control(SIZE_MIN);
			again = now_ns() + REPEAT_NS;
		}
		poll_or_idle();
	}
	if (got.report)
		printf("net bench: the sink got %lu frames, %lu bytes in %lu "
		       "us\n",
		       got.answer.frames, got.answer.bytes,
		       got.answer.ns / NS_PER_US);
	else
		printf("net bench: no answer from the sink\n");
}

static void blast(void)
{
	u64 start = now_ns(), end = start + set.ms * NS_PER_MS, sent = 0;

	for (unsigned i = 0; i < BUFFERS; i++)
		make(i, DATA);
	while (now_ns() < end) {
		unsigned n = 0;

		set.port->poll(set.dev); /* makes room */
		while (n < set.batch &&
		       set.port->send(set.dev, frame_in(sent % BUFFERS),
				      set.size)) {
			n++;
			sent++;
		}
		set.port->flush(set.dev);
		if (!n)
			idle();
	}
	say_rate("sent", sent, sent * set.size, now_ns() - start);
	ask_for_report();
}

static void ping(void)
{
	u64 start = now_ns(), end = start + set.ms * NS_PER_MS, n = 0;
	u64 spent;

	make(CONTROL, PING);
	while (now_ns() < end) {
		u64 until = now_ns() + NS_PER_S;

		got.pong = false;
		send_control(set.size);
		while (!got.pong && now_ns() < until)
			poll_or_idle();
		if (!got.pong) {
			printf("net bench: no answer from the sink\n");
			break;
		}
		n++;
	}
	spent = now_ns() - start;
	printf("net bench: %lu round trips of %u bytes, %lu us each\n", n,
	       set.size, spent / NS_PER_US / MAX(n, 1));
	ask_for_report();
}

static void return_pings(void)
{
	if (!got.pings)
		return;
	make(CONTROL, PONG);
	for (; got.pings; got.pings--)
		send_control(set.size);
}

static void send_report(u64 ns)
{
	struct bench_frame *f = make(CONTROL, REPORT);

	f->frames = got.frames;
	f->bytes = got.bytes;
	f->ns = ns;
	send_control(SIZE_MIN);
}

/* Goes on for a moment after the end, should the report be asked for again. */
static void sink(void)
{
	u64 seen = 0, deadline = now_ns() + SINK_NS, spent;

	printf("net bench: ready\n");
	while (!got.end && now_ns() < deadline) {
		if (!got.first)
			idle_tsc = 0;
		poll_or_idle();
		return_pings();
		if (got.frames != seen)
			deadline = now_ns() + SINK_NS;
		seen = got.frames;
	}
	if (!got.end) {
		printf("net bench: nobody ended it; got %lu frames\n",
		       got.frames);
		return;
	}
	spent = now_ns() - got.first;
	say_rate("got", got.frames, got.bytes, spent);
	deadline = now_ns() + 2 * REPEAT_NS;
	while (now_ns() < deadline) {
		if (got.end)
			send_report(spent);
		got.end = false;
		poll_or_idle();
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} jobs[] = {{"blast", blast}, {"ping", ping}, {"sink", sink}};

/* --- what was typed */

static const struct {
	const char *name;
	unsigned *value;
	unsigned low, high;
} numbers[] = {
	{"size", &set.size, SIZE_MIN, NETDEV_FRAME_MAX},
	{"batch", &set.batch, 1, NETDEV_RING_MAX},
	{"ms", &set.ms, 1, 60000},
	{"pieces", &set.pieces, 1, NETDEV_PIECES},
};

/* Where a word's switch is: two words, the second being set. */
static bool set_number(const char *key, const char *value)
{
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		u64 n;

		if (strcmp(key, numbers[i].name))
			continue;
		if (!parse_number(value, &n) || n < numbers[i].low ||
		    n > numbers[i].high) {
			printf("net bench: %s: \"%s\" is not a number from %u "
			       "to %u\n",
			       key, value, numbers[i].low, numbers[i].high);
			return false;
		}
		*numbers[i].value = (unsigned)n;
		return true;
	}
	printf("net bench: no \"%s\"; there are size= batch= ms= pieces= nic= "
	       "mode=plain idle=spin\n",
	       key);
	return false;
}

static bool set_key(const char *key, const char *value)
{
	if (!strcmp(key, "nic")) {
		set.dev = netdev_find(value);
		if (!set.dev)
			printf("net bench: no NIC \"%s\" (see `net list`)\n",
			       value);
		return set.dev;
	}
	if (!strcmp(key, "mode") && !strcmp(value, "plain")) {
		set.port = &bench_plain;
		return true;
	}
	if (!strcmp(key, "idle") && !strcmp(value, "spin")) {
		set.spin = true;
		return true;
	}
	return set_number(key, value);
}

/* "blast,size=9014,batch=32": the first word is the job. */
static bool parse(char *text)
{
	set.what = text;
	set.dev = netdev_count ? netdevs[0] : NULL;
	set.port = &bench_netdev;
	set.size = 1514;
	set.batch = 32;
	set.ms = 1000;
	set.pieces = 1;
	set.spin = false;
	for (char *at = strchr(text, ','); at;) {
		char *key = at + 1, *value = strchr(key, '=');

		*at = '\0';
		at = strchr(key, ',');
		if (at)
			*at = '\0';
		if (!value || (at && value > at)) {
			printf("net bench: \"%s\" is not key=value\n", key);
			return false;
		}
		*value = '\0';
		if (!set_key(key, value + 1))
			return false;
		if (at)
			*at = ',';
	}
	return true;
}

/* --- */

static u64 buffer_memory(unsigned *order)
{
	*order = order_for((u64)(BUFFERS + 1) *
			   ALIGN_UP(NETDEV_FRAME_MAX + 64, PAGE_SIZE));
	return page_alloc_zeroed(*order);
}

static void run_job(void (*job)(void))
{
	void (*receive_before)(void *, const void *, u32) = set.dev->receive;
	unsigned order;
	u64 memory = buffer_memory(&order);
	err_t err;

	if (!memory) {
		printf("net bench: %s\n", err_text(E_NOMEM));
		return;
	}
	for (unsigned i = 0; i <= BUFFERS; i++)
		buffer[i] = (u8 *)phys_to_virt(memory) +
			    i * ALIGN_UP(NETDEV_FRAME_MAX + 64, PAGE_SIZE);
	memset(&got, 0, sizeof(got));
	idle_tsc = 0;
	set.dev->receive = receive;
	err = set.port->open(set.dev, set.size);
	if (!err) {
		job();
		set.port->close(set.dev);
	} else {
		printf("net bench: %s with frames of %u: %s\n", set.dev->name,
		       set.size, err_text(err));
	}
	set.dev->receive = receive_before;
	page_free(memory, order);
}

/* Holds the host up and says what it finds as it goes: for people. */
void run_net_bench(struct answer *a, struct vm *vm, const char *argument)
{
	char text[ARGUMENT_MAX];

	if (a->json) {
		answer_error(a, E_UNSUPPORTED,
			     "net bench: only at the host's own console");
		return;
	}
	if (!copy_string(text, sizeof(text), argument ? argument : "") ||
	    !parse(text))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++) {
		if (strcmp(jobs[i].name, set.what))
			continue;
		if (set.dev)
			run_job(jobs[i].run);
		else
			printf("net bench: this host has no NIC\n");
		return;
	}
	printf("net bench: \"%s\"? (expected blast, ping or sink)\n", set.what);
}
