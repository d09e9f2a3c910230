/*
 * The device's side of a split ring, against honest and hostile drivers.
 *
 *	links: kernel/machine/virtqueue.c kernel/machine/dma.c
 *	links: kernel/vm/fields.c kernel/vm/bus.c kernel/vm/memory.c
 *	links: kernel/vm/state.c kernel/files.c
 *	links: tests/unit/fake_vm.c tests/unit/fake_driver.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "tests/unit/fake_driver.h"

#define SIZE   8
#define BUFFER 0x10000u

static struct vm *vm;
static struct virtqueue vq;
static struct vq_chain chain;

static void start(void)
{
	vm = fake_vm(1, MIB(8));
	vq = (struct virtqueue){.vm = vm, .size_max = SIZE};
	vq_reset(&vq);
	CHECK_EQ(vq.size, SIZE);
	vq.desc = RINGS;
	vq.avail = ring_avail_at(0, SIZE);
	vq.used = ring_used_at(0, SIZE);
	CHECK(vq_enable(&vq));
}

static void finish(void)
{
	fake_vm_free(vm);
}

static void put(u16 at, u64 address, u32 size, u16 flags, u16 next)
{
	ring_set(vm, 0, at, (struct ring_desc){address, size, flags, next});
}

static void put16(u64 gpa, u16 value)
{
	guest_write(&vm->memory, gpa, &value, 2);
}

static u16 get16(u64 gpa)
{
	u16 value;

	guest_read(&vm->memory, gpa, &value, 2);
	return value;
}

static void offer(u16 head)
{
	ring_offer(vm, 0, SIZE, head);
}

static void check_broken(const char *why)
{
	CHECK_EQ(vq_take(&vq, &chain), E_FORMAT);
	CHECK(strstr(vq.broken, why));
	CHECK_EQ(vq_take(&vq, &chain), E_FORMAT); /* and stays so */
	CHECK_EQ(ring_used(vm, 0, SIZE), 0);
	finish();
}

/* --- honest ones --- */

TEST(a_chain)
{
	u8 data[40], back[24];
	u32 written;

	start();
	CHECK_EQ(vq_take(&vq, &chain), E_NOTFOUND);
	put(3, BUFFER, 16, D_NEXT, 5);
	put(5, BUFFER + 100, 24, D_NEXT, 0);
	put(0, BUFFER + 200, 8, D_NEXT | D_WRITE, 1);
	put(1, BUFFER + 300, 16, D_WRITE, 7);
	offer(3);
	for (unsigned i = 0; i < 40; i++)
		data[i] = i;
	guest_write(&vm->memory, BUFFER, data, 16);
	guest_write(&vm->memory, BUFFER + 100, data + 16, 24);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	CHECK_EQ(chain.head, 3);
	CHECK_EQ(chain.out, 2);
	CHECK_EQ(chain.in, 2);
	CHECK_EQ(chain.out_size, 40);
	CHECK_EQ(chain.in_size, 24);
	memset(back, 0, sizeof(back));
	CHECK_EQ(vq_read(&vq, &chain, 10, back, 24), 24);
	CHECK_MEM(back, data + 10, 24);
	CHECK_EQ(vq_read(&vq, &chain, 30, back, 24), 10);
	CHECK_EQ(vq_read(&vq, &chain, 40, back, 24), 0);
	CHECK_EQ(vq_write(&vq, &chain, 4, data, 40), 20);
	guest_read(&vm->memory, BUFFER + 204, back, 4);
	guest_read(&vm->memory, BUFFER + 300, back + 4, 16);
	CHECK_MEM(back, data, 20);
	vq_add(&vq, &chain, 24);
	CHECK_EQ(ring_used(vm, 0, SIZE), 0);
	CHECK(vq_publish(&vq));
	CHECK_EQ(ring_used(vm, 0, SIZE), 1);
	CHECK_EQ(ring_entry(vm, 0, SIZE, 0, &written), 3);
	CHECK_EQ(written, 24);
	CHECK(!vq_publish(&vq)); /* nothing new */
	CHECK_EQ(vq_take(&vq, &chain), E_NOTFOUND);
	finish();
}

TEST(indices_wrap)
{
	u32 written;

	start();
	put(2, BUFFER, 1, 0, 0);
	for (unsigned i = 0; i < 0x10010; i++) {
		offer(2);
		CHECK_EQ(vq_take(&vq, &chain), E_OK);
		vq_add(&vq, &chain, i);
		vq_publish(&vq);
		CHECK_EQ(ring_used(vm, 0, SIZE), (u16)(i + 1));
		CHECK_EQ(ring_entry(vm, 0, SIZE, i, &written), 2);
		CHECK_EQ(written, i);
	}
	finish();
}

TEST(given_back)
{
	start();
	for (unsigned i = 0; i < SIZE; i++) {
		put(i, BUFFER + i, 1, 0, 0);
		offer(i);
	}
	for (unsigned i = 0; i < SIZE; i++)
		CHECK_EQ(vq_take(&vq, &chain), E_OK);
	vq_give_back(&vq, 3);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	CHECK_EQ(chain.head, 5);
	finish();
}

TEST(indirect)
{
	struct ring_desc table[3] = {{BUFFER, 10, D_NEXT, 2},
				     {BUFFER + 50, 7, D_WRITE, 0},
				     {BUFFER + 20, 5, D_NEXT, 1}};

	start();
	vq.indirect = 1;
	guest_write(&vm->memory, 0x8001, table, sizeof(table));
	put(0, BUFFER + 100, 3, D_NEXT, 4); /* one before it is fine */
	put(4, 0x8001, sizeof(table), D_INDIRECT, 0);
	offer(0);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	CHECK_EQ(chain.out, 3);
	CHECK_EQ(chain.out_size, 18);
	CHECK_EQ(chain.in_size, 7);
	CHECK_EQ(chain.area[2].gpa, BUFFER + 20);
	finish();
}

TEST(pieces_over_chunks)
{
	struct net_piece piece[4];
	u64 gpa = MIB(4) - 10;
	u8 data[100], back[100] = {0};
	unsigned n, at = 0;

	start();
	for (unsigned i = 0; i < 100; i++)
		data[i] = i + 1;
	put(0, BUFFER, 20, D_NEXT, 1);
	put(1, gpa, 80, 0, 0);
	guest_write(&vm->memory, BUFFER, data, 20);
	guest_write(&vm->memory, gpa, data + 20, 80);
	offer(0);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	n = vq_pieces(&vq, &chain, 12, piece, 4);
	CHECK_EQ(n, 3); /* the host's chunks here do not adjoin */
	for (unsigned i = 0; i < n; i++) {
		memcpy(back + at, piece[i].at, piece[i].size);
		at += piece[i].size;
	}
	CHECK_EQ(at, 88);
	CHECK_MEM(back, data + 12, 88);
	CHECK_EQ(vq_pieces(&vq, &chain, 12, piece, 2), 0);
	CHECK_EQ(vq_pieces(&vq, &chain, 20, piece, 2), 2);
	CHECK_EQ(vq_pieces(&vq, &chain, 100, piece, 2), 0);
	finish();
}

TEST(adjoining_pieces_are_one)
{
	struct net_piece piece[1];

	start();
	put(0, BUFFER, 20, D_NEXT, 1);
	put(1, BUFFER + 20, 0, D_NEXT, 2);
	put(2, BUFFER + 20, 30, 0, 0);
	offer(0);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	CHECK_EQ(vq_pieces(&vq, &chain, 0, piece, 1), 1);
	CHECK_EQ(piece[0].size, 50);
	finish();
}

/* --- interrupts and notifications --- */

static bool one_more(void)
{
	offer(0);
	CHECK_EQ(vq_take(&vq, &chain), E_OK);
	vq_add(&vq, &chain, 0);
	return vq_publish(&vq);
}

TEST(interrupts_by_flag)
{
	start();
	put(0, BUFFER, 1, 0, 0);
	CHECK(one_more());
	put16(vq.avail, 1);
	CHECK(!one_more());
	put16(vq.avail, 0);
	CHECK(one_more());
	finish();
}

TEST(interrupts_by_event_index)
{
	u64 event;

	start();
	vq.event_index = 1;
	event = vq.avail + 4 + 2 * SIZE;
	put(0, BUFFER, 1, 0, 0);
	put16(vq.avail, 1); /* the flag means nothing now */
	CHECK(one_more());
	CHECK(!one_more()); /* 2: nobody has asked */
	put16(event, 3);
	CHECK(!one_more());
	CHECK(one_more()); /* past 3 */
	CHECK(!one_more());
	/* In one batch, over it. */
	put16(event, 7);
	offer(0);
	offer(0);
	offer(0);
	offer(0);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(vq_take(&vq, &chain), E_OK);
		vq_add(&vq, &chain, 0);
	}
	CHECK(vq_publish(&vq));
	/* And over the wrap. */
	put16(event, 0xffff);
	for (unsigned i = 9; i < 0xffff; i++)
		CHECK(!one_more());
	CHECK(one_more());
	finish();
}

TEST(notifications)
{
	start();
	put(0, BUFFER, 1, 0, 0);
	vq_quiet(&vq);
	CHECK_EQ(get16(vq.used), 1);
	CHECK(!vq_listen(&vq));
	CHECK_EQ(get16(vq.used), 0);
	offer(0);
	CHECK(vq_listen(&vq)); /* came meanwhile */
	vq.event_index = 1;
	one_more();
	put16(vq.used, 0);
	vq_quiet(&vq);
	CHECK_EQ(get16(vq.used), 0);
	vq_listen(&vq);
	CHECK_EQ(get16(vq.used + 4 + 8 * SIZE), vq.taken);
	finish();
}

/* --- hostile ones --- */

TEST(loop)
{
	start();
	put(0, BUFFER, 1, D_NEXT, 1);
	put(1, BUFFER, 1, D_NEXT, 0);
	offer(0);
	check_broken("circles");
}

TEST(loop_of_one)
{
	start();
	put(0, BUFFER, 1, D_NEXT, 0);
	offer(0);
	check_broken("circles");
}

TEST(head_out_of_range)
{
	start();
	offer(SIZE);
	check_broken("not there");
}

TEST(next_out_of_range)
{
	start();
	put(0, BUFFER, 1, D_NEXT, 0xffff);
	offer(0);
	check_broken("not there");
}

TEST(index_jumps)
{
	start();
	put16(vq.avail + 2, SIZE + 1);
	check_broken("jumps");
}

TEST(index_goes_back)
{
	start();
	put16(vq.avail + 2, 0xffff);
	check_broken("jumps");
}

TEST(out_of_memory)
{
	static const struct {
		u64 address;
		u32 size;
	} cases[] = {
		{MIB(8), 1},	      {MIB(8) - 1, 2},	   {0xfee00000, 4},
		{~0ULL, 1},	      {~0ULL, 0xffffffff}, {0, 0xffffffff},
		{1ULL << 63, 0x1000}, {BUFFER, 0x800000},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned write = 0; write < 2; write++) {
			start();
			put(0, cases[i].address, cases[i].size,
			    write ? D_WRITE : 0, 0);
			offer(0);
			check_broken("out of memory");
		}
}

TEST(output_after_input)
{
	start();
	put(0, BUFFER, 1, D_WRITE | D_NEXT, 1);
	put(1, BUFFER, 1, 0, 0);
	offer(0);
	check_broken("before output");
}

TEST(indirect_without_the_feature)
{
	start();
	put(0, BUFFER, 16, D_INDIRECT, 0);
	offer(0);
	check_broken("indirect");
}

TEST(indirect_in_indirect)
{
	struct ring_desc table = {0x8000, 16, D_INDIRECT, 0};

	start();
	vq.indirect = 1;
	guest_write(&vm->memory, 0x8000, &table, sizeof(table));
	put(0, 0x8000, 16, D_INDIRECT, 0);
	offer(0);
	check_broken("where none may be");
}

TEST(indirect_sizes)
{
	static const struct ring_desc cases[] = {
		{0x8000, 0, D_INDIRECT, 0},
		{0x8000, 17, D_INDIRECT, 0},
		{0x8000, 8, D_INDIRECT, 0},
		{0x8000, 16 * (SIZE + 1), D_INDIRECT, 0},
		{0x8000, 0xfffffff0, D_INDIRECT, 0},
		{0x8000, 16, D_INDIRECT | D_NEXT, 1},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		start();
		vq.indirect = 1;
		ring_set(vm, 0, 0, cases[i]);
		offer(0);
		check_broken("indirect table's size");
	}
}

TEST(indirect_out_of_memory)
{
	start();
	vq.indirect = 1;
	put(0, MIB(8) - 8, 16, D_INDIRECT, 0);
	offer(0);
	check_broken("not in memory");
}

TEST(longer_than_the_queue)
{
	struct ring_desc table[SIZE];

	start();
	vq.indirect = 1;
	for (unsigned i = 0; i < SIZE; i++)
		table[i] = (struct ring_desc){BUFFER, 1, D_NEXT, i + 1};
	table[SIZE - 1].flags = 0;
	guest_write(&vm->memory, 0x8000, table, sizeof(table));
	put(0, BUFFER, 1, D_NEXT, 1);
	put(1, 0x8000, sizeof(table), D_INDIRECT, 0);
	offer(0);
	check_broken("longer than the queue");
}

TEST(enabled_wrongly)
{
	static const struct virtqueue cases[] = {
		{.size = 0, .desc = 0, .avail = 0x1000, .used = 0x2000},
		{.size = 6, .desc = 0, .avail = 0x1000, .used = 0x2000},
		{.size = 16, .desc = 0, .avail = 0x1000, .used = 0x2000},
		{.size = 8, .desc = 8, .avail = 0x1000, .used = 0x2000},
		{.size = 8, .desc = 0, .avail = 0x1001, .used = 0x2000},
		{.size = 8, .desc = 0, .avail = 0x1000, .used = 0x2002},
		{.size = 8, .desc = MIB(8) - 64, .avail = 0, .used = 0},
		{.size = 8, .desc = 0, .avail = MIB(8) - 16, .used = 0},
		{.size = 8, .desc = 0, .avail = 0, .used = MIB(8) - 68},
		{.size = 8, .desc = ~15ULL, .avail = 0, .used = 0},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		vm = fake_vm(1, MIB(8));
		vq = cases[i];
		vq.vm = vm;
		vq.size_max = SIZE;
		CHECK(!vq_enable(&vq));
		CHECK(vq.broken);
		CHECK_EQ(vq_take(&vq, &chain), E_NOTFOUND);
		finish();
	}
}

/*
 * Rings of noise, mostly near the truth: whatever comes of them lies in memory,
 * and what is written is where it may be written.
 */
TEST(random_rings)
{
	u64 seed = 0x60d817, taken = 0, broke = 0;
	u8 data[64] = {0};

	start();
	for (unsigned round = 0; round < 200000; round++) {
		for (unsigned i = 0; i < SIZE; i++) {
			u64 r = fake_random(&seed);
			u64 at = r % 16 ? r >> 8 & 0x7fffff : r << 3;

			put(i, at, r % 7 ? r >> 40 & 0x3ff : r >> 32,
			    r % 5 ? r >> 20 & 3 : r >> 20 & 7, r >> 50 & 15);
		}
		vq.broken = NULL;
		vq.indirect = round & 1;
		vq.event_index = round >> 1 & 1;
		put16(vq.avail + 2, vq.taken + fake_random(&seed) % (SIZE + 2));
		while (!vq_take(&vq, &chain)) {
			CHECK(chain.out + chain.in <= SIZE);
			for (unsigned i = 0; i < chain.out + chain.in; i++)
				CHECK(guest_is_ram(&vm->memory,
						   chain.area[i].gpa,
						   chain.area[i].size));
			vq_read(&vq, &chain, seed % 100, data, sizeof(data));
			vq_write(&vq, &chain, seed % 100, data, sizeof(data));
			vq_add(&vq, &chain, 0);
			taken++;
		}
		broke += !!vq.broken;
		vq_publish(&vq);
		vq_listen(&vq);
	}
	CHECK(taken > 10000);
	CHECK(broke > 10000);
	finish();
}
