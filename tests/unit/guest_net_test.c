/*
 * The guest's network card, with a switch that the test plays: what is sent
 * comes out as it lay in memory, what is received is spread over buffers, and
 * what has no room leaves no trace.
 *
 *	links: kernel/machine/virtio_net.c kernel/net/offload.c
 *	links: kernel/machine/pci.c kernel/machine/pci_irq.c
 *	links: kernel/machine/virtio_pci.c kernel/machine/virtio_common.c
 *	links: kernel/machine/virtqueue.c
 *	links: kernel/machine/dma.c kernel/machine/ports.c
 *	links: kernel/vm/fields.c kernel/vm/bus.c kernel/vm/memory.c
 *	links: kernel/lib/string.c kernel/vm/state.c kernel/files.c
 *	links: tests/unit/fake_vm.c tests/unit/fake_driver.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "machine/virtio.h"
#include "net/switch.h"
#include "tests/unit/fake_driver.h"

#define NET	  0x1041
#define SIZE	  256
#define BUFFER	  0x200000u
#define MERGE	  BIT(15)
#define CSUM	  BIT(0)
#define HOST_TSO4 BIT(11)
#define ALL                                                                 \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | \
	 MERGE | BIT(3) | BIT(5) | BIT(16))

static struct vm *vm;
static struct driver d;

/* --- the switch --- */

static struct net_port *port;
static u8 sent[70000];
static u32 sent_size;
static unsigned sent_count, sent_pieces;
static bool full;

err_t switch_add(struct net_port *p)
{
	port = p;
	return E_OK;
}

void switch_remove(struct net_port *p)
{
	port = NULL;
}

bool switch_ready(const struct net_port *from, unsigned frames)
{
	return !full;
}

void switch_input(struct net_port *from, const struct net_piece *piece,
		  unsigned count, u32 size)
{
	CHECK(from == port);
	sent_size = 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(sent + sent_size, piece[i].at, piece[i].size);
		sent_size += piece[i].size;
	}
	CHECK_EQ(sent_size, size);
	sent_pieces = count;
	sent_count++;
}

/* --- the driver --- */

static void start(u64 features, unsigned mtu)
{
	vm = fake_vm(1, MIB(6));
	vm->life = VM_RUNNING;
	vm->config.net = true;
	vm->config.mtu = mtu;
	memcpy(vm->config.mac, "\x02\x11\x22\x33\x44\x55", 6);
	CHECK_EQ(pci_create(vm), E_OK);
	CHECK_EQ(virtio_net_create(vm), E_OK);
	CHECK(vm->net == port);
	d = driver_find(vm, NET);
	driver_ready(&d, features, 2, SIZE);
	sent_count = 0;
	full = false;
	fake_requested = 0;
}

static void finish(void)
{
	pci_destroy(vm);
	CHECK(!vm->net);
	CHECK(!port);
	fake_vm_free(vm);
}

static void put(unsigned queue, u16 at, u64 address, u32 size, u16 flags,
		u16 next)
{
	ring_set(vm, queue, at, (struct ring_desc){address, size, flags, next});
}

static void post(u16 at, u32 size)
{
	put(0, at, BUFFER + 0x1000 * at, size, D_WRITE, 0);
	ring_offer(vm, 0, SIZE, at);
}

static u16 used(unsigned queue)
{
	return ring_used(vm, queue, SIZE);
}

static u8 frame[70000];

static void fill_frame(void)
{
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = i * 7 + (i >> 8);
}

/* In two pieces. */
static bool deliver(u32 size)
{
	struct net_piece piece[] = {{frame, 14, 0}, {frame + 14, size - 14, 0}};

	fill_frame();
	return port->deliver(port, piece, size > 14 ? 2 : 1, size);
}

TEST(configuration)
{
	start(ALL, 9000);
	CHECK_EQ(mem_read(vm, d.config, 4), 0x33221102);
	CHECK_EQ(mem_read(vm, d.config + 4, 2), 0x5544);
	CHECK_EQ(mem_read(vm, d.config + 5, 1), 0x55);
	CHECK_EQ(mem_read(vm, d.config + 6, 2), 1); /* the link is up */
	CHECK_EQ(mem_read(vm, d.config + 10, 2), 9000);
	CHECK_EQ(mem_read(vm, d.config + 12, 4), 0);
	CHECK_EQ(conf_read(vm, d.slot, 8, 4), 0x02000001);
	finish();
}

TEST(no_card_unless_asked_for)
{
	vm = fake_vm(1, 0);
	CHECK_EQ(pci_create(vm), E_OK);
	CHECK_EQ(virtio_net_create(vm), E_OK);
	CHECK_EQ(find_device(vm, NET), 0);
	finish();
}

TEST(sends)
{
	start(ALL, 1500);
	fill_frame();
	guest_write(&vm->memory, MIB(4) - 40, frame, 60);
	put(1, 0, BUFFER, 12, D_NEXT, 1);
	put(1, 1, MIB(4) - 40, 60, 0, 0);
	ring_offer(vm, 1, SIZE, 0);
	driver_kick(&d, 1);
	CHECK_EQ(fake_requested, 1);
	CHECK_EQ(sent_count, 0); /* not on the vCPU's time */
	CHECK(!pci_serve(vm));
	CHECK_EQ(sent_count, 1);
	CHECK_EQ(sent_size, 60);
	CHECK_EQ(sent_pieces, 2); /* over a chunk's end */
	CHECK_MEM(sent, frame, 60);
	CHECK_EQ(used(1), 1);
	finish();
}

TEST(header_and_frame_in_one)
{
	start(ALL, 1500);
	fill_frame();
	guest_write(&vm->memory, BUFFER + 12, frame, 1514);
	put(1, 0, BUFFER, 12 + 1514, 0, 0);
	ring_offer(vm, 1, SIZE, 0);
	pci_serve(vm);
	CHECK_EQ(sent_size, 1514);
	CHECK_MEM(sent, frame, 1514);
	finish();
}

TEST(what_is_no_frame_is_not_sent)
{
	static const u32 sizes[] = {0, 11, 12, 25, 12 + 1519, 0x100000};

	start(ALL, 1500);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		put(1, i, BUFFER, sizes[i], 0, 0);
		ring_offer(vm, 1, SIZE, i);
	}
	pci_serve(vm);
	CHECK_EQ(sent_count, 0);
	CHECK_EQ(used(1), 6);
	CHECK_EQ(driver_status(&d), 0x0f);
	finish();
}

/* More pieces than a frame may have are put together. */
TEST(many_pieces_are_gathered)
{
	const u32 header = 12;

	start(ALL, 1500);
	for (unsigned i = 0; i < 24; i++) {
		guest_fill(&vm->memory, BUFFER + 100 * i, i + 1, 40);
		put(1, 10 + i, BUFFER + 100 * i, 40, i < 23 ? D_NEXT : 0,
		    11 + i);
	}
	ring_offer(vm, 1, SIZE, 10);
	pci_serve(vm);
	CHECK_EQ(sent_count, 1);
	CHECK_EQ(sent_pieces, 1);
	for (unsigned i = header; i < 24 * 40; i++)
		CHECK_EQ(sent[i - header], i / 40 + 1);
	finish();
}

/* 3 KiB of TCP behind 54 bytes of headers, to be cut at 1000. */
static void offer_run(u16 at, u8 gso_type)
{
	static const u8 ip[] = {8, 0, 0x45, 0,	0, 0, 0, 1,  0, 0, 64,
				6, 0, 0,    10, 0, 0, 2, 10, 0, 0, 1};
	u8 header[12] = {1,	    gso_type, 54, 0,  1000 & 255,
			 1000 >> 8, 34,	      0,  16, 0};
	u8 run[54 + 3000] = {0};

	memcpy(run + 12, ip, sizeof(ip));
	run[34 + 12] = 5 << 4;
	guest_write(&vm->memory, BUFFER, header, sizeof(header));
	guest_write(&vm->memory, BUFFER + 12, run, sizeof(run));
	put(1, at, BUFFER, 12 + sizeof(run), 0, 0);
	ring_offer(vm, 1, SIZE, at);
}

TEST(a_run_of_tcp_becomes_frames)
{
	start(ALL | CSUM | HOST_TSO4, 1500);
	offer_run(0, 1);
	full = true;
	CHECK(pci_serve(vm));
	CHECK_EQ(sent_count, 0); /* none or all */
	CHECK_EQ(used(1), 0);
	full = false;
	CHECK(!pci_serve(vm));
	CHECK_EQ(sent_count, 3);
	CHECK_EQ(sent_size, 1054);
	CHECK_EQ(used(1), 1);
	finish();
}

/* Not as UDP or as version 6, which are not offered; nor unless accepted. */
TEST(a_run_needs_what_was_negotiated)
{
	start(ALL | CSUM | HOST_TSO4, 1500);
	offer_run(0, 3);
	offer_run(1, 4);
	pci_serve(vm);
	CHECK_EQ(sent_count, 0);
	CHECK_EQ(used(1), 2);
	finish();
	start(ALL | CSUM, 1500);
	offer_run(0, 1);
	pci_serve(vm);
	CHECK_EQ(sent_count, 0);
	CHECK_EQ(used(1), 1);
	CHECK_EQ(driver_status(&d), 0x0f);
	finish();
}

TEST(sends_in_batches)
{
	start(ALL, 1500);
	put(1, 0, BUFFER, 80, 0, 0);
	for (unsigned i = 0; i < 200; i++)
		ring_offer(vm, 1, SIZE, 0);
	CHECK(pci_serve(vm));
	CHECK_EQ(sent_count, 64);
	CHECK_EQ(used(1), 64);
	CHECK(pci_serve(vm));
	CHECK(pci_serve(vm));
	CHECK(!pci_serve(vm));
	CHECK_EQ(used(1), 200);
	finish();
}

/* How many more the driver may put into its ring before it has to notify. */
static u16 sent_in_peace(void)
{
	u16 event;

	guest_read(&vm->memory, ring_used_at(1, SIZE) + 4 + 8 * SIZE, &event,
		   sizeof(event));
	return event - used(1);
}

static void send_frames(unsigned n)
{
	put(1, 0, BUFFER, 80, 0, 0);
	for (unsigned i = 0; i < n; i++)
		ring_offer(vm, 1, SIZE, 0);
	while (pci_serve(vm)) {
	}
}

TEST(many_frames_need_fewer_notifications)
{
	start(ALL, 1500);
	fake_shares_cpu = true;
	send_frames(15);
	CHECK_EQ(vm->serve_by, 0);
	CHECK_EQ(sent_in_peace(), 0);
	send_frames(16);
	CHECK(vm->serve_by > fake_tsc);
	CHECK_EQ(sent_in_peace(), 1);
	send_frames(1); /* the VM is still served unasked */
	CHECK_EQ(sent_in_peace(), 1);
	vm->serve_by = 0;
	send_frames(1);
	CHECK_EQ(sent_in_peace(), 0);
	finish();
}

TEST(each_frame_is_notified_of_where_cpus_are_many)
{
	start(ALL, 1500);
	fake_shares_cpu = false;
	send_frames(60);
	CHECK_EQ(vm->serve_by, 0);
	CHECK_EQ(sent_in_peace(), 0);
	finish();
}

/* Without an event index there is no second one to wait for. */
TEST(no_patience_without_an_event_index)
{
	start(ALL & ~VIRTIO_F_EVENT_IDX, 1500);
	fake_shares_cpu = true;
	send_frames(60);
	CHECK_EQ(vm->serve_by, 0);
	finish();
}

TEST(waits_while_the_switch_is_full)
{
	start(ALL, 1500);
	put(1, 0, BUFFER, 80, 0, 0);
	ring_offer(vm, 1, SIZE, 0);
	full = true;
	CHECK(pci_serve(vm));
	CHECK_EQ(used(1), 0);
	full = false;
	CHECK(!pci_serve(vm));
	CHECK_EQ(used(1), 1);
	finish();
}

TEST(receives_into_one_buffer)
{
	u8 header[12], want[12] = {[10] = 1}, got[200];
	u32 written;

	start(VIRTIO_F_VERSION_1, 1500);
	CHECK(!deliver(100)); /* no buffer */
	post(3, 1526);
	CHECK(deliver(100));
	CHECK_EQ(used(0), 0);
	port->flush(port);
	CHECK_EQ(used(0), 1);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 0, &written), 3);
	CHECK_EQ(written, 112);
	guest_read(&vm->memory, BUFFER + 0x3000, header, 12);
	CHECK_MEM(header, want, 12);
	guest_read(&vm->memory, BUFFER + 0x300c, got, 101);
	CHECK_MEM(got, frame, 100);
	CHECK_EQ(got[100], 0);
	CHECK_EQ(mem_read(vm, d.isr, 1), 1);
	post(4, 111);
	CHECK(!deliver(100)); /* too small, and it may not go on */
	CHECK(deliver(99));
	port->flush(port);
	CHECK_EQ(used(0), 2);
	finish();
}

/* Its driver has buffers for the MTU that it was told (5.1.4.1). */
TEST(receives_no_more_than_the_mtu)
{
	start(ALL, 1500);
	for (unsigned i = 0; i < 4; i++)
		post(i, 1000);
	CHECK(!deliver(1519));
	CHECK(deliver(1518)); /* with a VLAN's tag */
	finish();
}

TEST(receives_into_many_buffers)
{
	u8 got[70000];
	u32 written, done = 0;

	start(ALL, 9000);
	for (unsigned i = 0; i < 4; i++)
		post(i, 1000);
	CHECK(!deliver(4000)); /* a header too much */
	CHECK(deliver(3988));
	port->flush(port);
	CHECK_EQ(used(0), 4);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(ring_entry(vm, 0, SIZE, i, &written), i);
		CHECK_EQ(written, 1000);
		guest_read(&vm->memory, BUFFER + 0x1000 * i, got + done, 1000);
		done += 1000;
	}
	CHECK_EQ(got[10], 4);
	CHECK_MEM(got + 12, frame, 3988);
	finish();
}

/* What failed is undone, what came before it in the batch is not. */
TEST(no_room_leaves_no_trace)
{
	u32 written;

	start(ALL, 9000);
	for (unsigned i = 0; i < 3; i++)
		post(i, 1000);
	CHECK(deliver(500));
	CHECK(!deliver(2500));
	CHECK(deliver(1500));
	CHECK(!deliver(60));
	port->flush(port);
	CHECK_EQ(used(0), 3);
	ring_entry(vm, 0, SIZE, 0, &written);
	CHECK_EQ(written, 512);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 1, &written), 1);
	CHECK_EQ(written, 1000);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 2, &written), 2);
	CHECK_EQ(written, 512);
	finish();
}

TEST(a_buffer_smaller_than_its_header)
{
	start(ALL, 1500);
	post(0, 11);
	CHECK(!deliver(60));
	CHECK_EQ(driver_status(&d), 0x4f);
	CHECK(!deliver(60));
	finish();
}

TEST(nothing_moves_while_the_machine_stands)
{
	start(ALL, 1500);
	post(0, 1526);
	vm->life = VM_PAUSED;
	CHECK(!deliver(60));
	vm->life = VM_RUNNING;
	CHECK(deliver(60));
	driver_write(&d, C_STATUS, 1, 0);
	CHECK(!deliver(60));
	port->flush(port); /* of what the reset has forgotten */
	CHECK_EQ(used(0), 0);
	finish();
}

TEST(random_rings)
{
	u64 seed = 0x0e7, got = 0;

	start(ALL, 9000);
	for (unsigned i = 0; i < 100000; i++) {
		u64 r = fake_random(&seed);

		switch (r & 7) {
		case 0:
		case 1:
			if (driver_status(&d) == 0x0f)
				break;
			driver_negotiate(&d, r & 8 ? ALL : ALL & ~MERGE);
			driver_queue(&d, 0, SIZE);
			driver_queue(&d, 1, SIZE);
			driver_ok(&d);
			break;
		case 2:
			got += deliver(14 + (r >> 8) % 9000);
			break;
		case 3:
			pci_serve(vm);
			port->flush(port);
			break;
		default:
			put(r >> 8 & 1, r >> 16 & 15,
			    r >> 24 & 0x3f ? BUFFER + (r >> 30 & 0xffff) : r,
			    r >> 46 & 0x7ff,
			    (r >> 8 & 1 ? 0 : D_WRITE) | (r >> 57 & 1),
			    r >> 58 & 15);
			ring_offer(vm, r >> 8 & 1, SIZE, r >> 16 & 15);
		}
	}
	CHECK(got > 100 && sent_count > 100);
	finish();
}
