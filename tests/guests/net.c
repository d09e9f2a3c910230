/*
 * virtio-net: its configuration, sending, and frames of every size between two
 * VMs: one that asks (role=ask) and one that sends every frame back to whoever
 * it came from (role=answer), until it is told to end.
 */
#include "apic.h"
#include "traps.h"
#include "virtio.h"

#define F_CSUM	    BIT(0)
#define F_MTU	    BIT(3)
#define F_MAC	    BIT(5)
#define F_HOST_TSO4 BIT(11)
#define F_MERGED    BIT(15)
#define F_STATUS    BIT(16)

/* Where its configuration has what (virtio 1.2, 5.1.4). */
#define CONFIG_STATUS 6
#define CONFIG_MTU    10

#define HEADER	  12u /* before each frame; its last word counts buffers */
#define ETHER	  14u
#define ETHERTYPE 0x88b5u /* local, experimental (IEEE 802) */
#define FRAME_MAX 1514u

enum { RECEIVE, TRANSMIT };
enum { HELLO = 1, QUESTION, END };

struct PACKED frame {
	u8 header[HEADER];
	u8 to[6], from[6];
	u16 type;
	u8 kind, seed;
	u8 data[FRAME_MAX - ETHER - 2];
};

/* Times that the one that answers waits: the other may start late. */
#define PATIENCE 20

#define BUFFERS 32u
#define BUFFER	512u /* a large frame takes several */

static struct virtio dev;
static struct ring rings[2] ALIGNED(4096);
static struct queue in, out;
static u8 buffers[BUFFERS][BUFFER];
static struct frame sent, got;
static u8 mac[6], peer[6];

static void need_net(void)
{
	if (!virtio_find(&dev, VIRTIO_NET))
		skip("no virtio-net here");
}

static u8 config8(unsigned offset)
{
	return dev.area[CFG_DEVICE][offset];
}

static void offer(unsigned n)
{
	rings[RECEIVE].desc[n] =
		(struct desc){(word)buffers[n], BUFFER, DESC_WRITE, 0};
	queue_add(&in, n);
}

static bool start(void)
{
	if (!virtio_find(&dev, VIRTIO_NET) ||
	    !virtio_settle(&dev, F_VERSION_1 | F_MAC | F_MERGED))
		return false;
	queue_start(&in, &dev, RECEIVE, &rings[RECEIVE]);
	queue_start(&out, &dev, TRANSMIT, &rings[TRANSMIT]);
	for (unsigned i = 0; i < BUFFERS; i++)
		offer(i);
	virtio_ready(&dev);
	for (unsigned i = 0; i < sizeof(mac); i++)
		mac[i] = config8(i);
	return true;
}

static unsigned pieces = 2; /* of every frame sent, the last the largest */

#define PIECE (HEADER + 10)
static u8 apart[64][2 * PIECE]; /* each piece but the last, with gaps */

/* In pieces, so that they have to be put together. */
static bool send(const u8 *to, u8 kind, u32 size)
{
	struct used used;

	memcpy(sent.to, to, 6);
	memcpy(sent.from, mac, 6);
	sent.type = ETHERTYPE >> 8 | (ETHERTYPE & 0xff) << 8;
	sent.kind = kind;
	for (unsigned i = 0; i + 1 < pieces; i++) {
		memcpy(apart[i], (u8 *)&sent + PIECE * i, PIECE);
		rings[TRANSMIT].desc[i] =
			(struct desc){(word)apart[i], PIECE, DESC_NEXT, i + 1};
	}
	rings[TRANSMIT].desc[pieces - 1] =
		(struct desc){(word)&sent + PIECE * (pieces - 1),
			      HEADER + size - PIECE * (pieces - 1), 0, 0};
	queue_add(&out, 0);
	queue_kick(&out);
	return queue_wait(&out, &used);
}

/* The next frame into `got`; its size, 0: none yet. */
static u32 receive(void)
{
	struct used used;
	unsigned left = 1;
	u32 size = 0;

	if (in.ring->used.index == in.seen)
		return 0;
	for (unsigned n = 0; n < left && queue_wait(&in, &used); n++) {
		const u8 *at = buffers[used.id % BUFFERS];

		if (!n)
			left = at[10];
		if (used.id < BUFFERS && size + used.size <= sizeof(got))
			memcpy((u8 *)&got + size, at, used.size);
		size += used.size;
		offer(used.id % BUFFERS);
	}
	return size - HEADER;
}

static u32 await(void)
{
	return wait_politely(in.ring->used.index != in.seen) ? receive() : 0;
}

static bool is_ours(u32 size)
{
	return size >= ETHER + 2 &&
	       got.type == (u16)(ETHERTYPE >> 8 | (ETHERTYPE & 0xff) << 8);
}

/* --- the one that answers */

static int answer(void)
{
	if (!start())
		return 1;
	for (unsigned idle = 0; idle < PATIENCE; idle++) {
		u32 size = await();

		if (!is_ours(size))
			continue;
		idle = 0;
		memcpy(&sent, &got, sizeof(sent));
		memset(sent.header, 0, HEADER);
		memcpy(peer, got.from, 6);
		if (!send(peer, got.kind, size))
			return 1;
		if (got.kind == END)
			return 0;
	}
	return 1; /* nobody asks any more */
}

/* --- the one that asks */

/* The address as text, and the MTU: as the command line says, if it does. */
static void expect_given(void)
{
	char given[20], text[20];
	u16 mtu = *(volatile u16 *)(dev.area[CFG_DEVICE] + CONFIG_MTU);

	format(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", config8(0),
	       config8(1), config8(2), config8(3), config8(4), config8(5));
	if (option_text("mac", given, sizeof(given)))
		expect(!strcmp(text, given), "address %s", text);
	expect(option_number("mtu", mtu) == mtu, "MTU %u", mtu);
}

static void test_config(void)
{
	u64 offered;

	need_net();
	offered = virtio_offered(&dev);
	expect(offered & F_MAC, "no address: features %lx", offered);
	expect(!(config8(0) & 1), "a group's address");
	if (offered & F_STATUS)
		expect(config8(CONFIG_STATUS) & 1, "the link is down");
	if (offered & F_MTU)
		expect(*(volatile u16 *)(dev.area[CFG_DEVICE] + CONFIG_MTU) >=
			       68,
		       "MTU %u", config8(CONFIG_MTU));
	expect_given();
	expect(*(volatile u32 *)dev.area[CFG_DEVICE] ==
		       (config8(0) | config8(1) << 8 | config8(2) << 16 |
			(u32)config8(3) << 24),
	       "a word is not its bytes");
}

/* What is sent may be unfinished; what is received never is. */
static void test_offloads(void)
{
	const u64 sending = F_CSUM | F_HOST_TSO4;

	need_net();
	expect(!(virtio_offered(&dev) & 0xffffu &
		 ~(F_MTU | F_MAC | F_MERGED | sending)),
	       "features %lx", virtio_offered(&dev));
	expect((virtio_offered(&dev) & sending) == sending, "features %lx",
	       virtio_offered(&dev));
}

static void test_send(void)
{
	static const u8 everybody[6] = {255, 255, 255, 255, 255, 255};

	need_net();
	expect(start(), "it does not start");
	for (unsigned i = 0; i < 20 && !test_failed(); i++)
		expect(send(everybody, HELLO, 60), "frame %u stays", i);
	/* No frames, or none that fit: they come back all the same. */
	expect(send(everybody, HELLO, 11), "a stump stays");
	expect(send(everybody, HELLO, FRAME_MAX), "a whole one stays");
	expect(!(virtio_status(&dev) & STATUS_NEEDS_RESET), "it is broken");
}

static bool greeted(void)
{
	static const u8 everybody[6] = {255, 255, 255, 255, 255, 255};

	for (unsigned i = 0; i < 200; i++) {
		u32 size = 0;

		send(everybody, HELLO, 60);
		for (unsigned n = 0; n < 20000 && !size; n++)
			size = receive();
		if (size && is_ours(size) && got.kind == HELLO) {
			memcpy(peer, got.from, 6);
			return true;
		}
	}
	return false;
}

static void fill(u8 seed)
{
	sent.seed = seed;
	for (unsigned i = 0; i < sizeof(sent.data); i++)
		sent.data[i] = seed + 31 * i;
}

/* Sent, and back as it was. */
static void ask(u32 size, u8 kind)
{
	u32 back;

	fill(size);
	expect(send(peer, kind, size), "size %u: not sent", size);
	do
		back = await();
	while (back && !(is_ours(back) && got.kind == kind));
	expect(back == size, "size %u: %u came back", size, back);
	expect(!memcmp(got.to, mac, 6) && !memcmp(got.from, peer, 6),
	       "size %u: the addresses", size);
	expect(!memcmp(got.data, sent.data, size - ETHER - 2),
	       "size %u: not as it was", size);
}

/*
 * Also across the ends of receive buffers. Few: each takes a turn of both VMs.
 * The receive ring wraps all the same.
 */
static void test_exchange(void)
{
	static const u32 around[] = {0, BUFFER - HEADER, 2 * BUFFER - HEADER};

	need_net();
	expect(start() && greeted(), "nobody answers");
	while (receive())
		; /* more greetings */
	for (unsigned i = 0; i < ARRAY_LEN(around); i++)
		for (u32 n = 0; n < 6 && !test_failed(); n++)
			ask(MAX(around[i] + n, 63) - 3, QUESTION);
	for (unsigned i = 0; i < 60 && !test_failed(); i++)
		ask(60 + random_number() % (FRAME_MAX - 59), QUESTION);
	pieces = 40;
	ask(FRAME_MAX, QUESTION);
	pieces = 2;
	ask(60, END);
}

static const struct test tests[] = {
	TEST("net.config", test_config),
	GODWIT_TEST("net.offloads", test_offloads),
	TEST("net.send", test_send),
	GODWIT_TEST("net.exchange", test_exchange),
};

int guest_main(void)
{
	char role[8] = "";

	option_text("role", role, sizeof(role));
	return strcmp(role, "answer") ? RUN_TESTS(tests) : answer();
}
