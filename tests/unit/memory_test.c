/*
 * A guest's memory: it reads as zeroes until somebody writes, costs nothing
 * where nobody has been, and ends where it ends.
 *
 *	links: kernel/vm/memory.c tests/unit/fake_vm.c kernel/vm/state.c
 *	links: kernel/vm/fields.c kernel/files.c
 *	libs: -lpthread
 */
#include <pthread.h>
#include <string.h>

#include "test.h"

#include "mm/pages.h"
#include "mm/spare.h"
#include "vm/memory.h"

static struct guest_memory memory;

/* What the host says it has cleared is believed. */
static bool say_cleared;

u64 spare_alloc(bool *cleared)
{
	*cleared = say_cleared;
	return page_alloc(ORDER_2M);
}

static void start(u64 size)
{
	CHECK_EQ(guest_memory_init(&memory, size), E_OK);
}

TEST(zero_until_written)
{
	u8 bytes[64], zero[64] = {0};

	start(MIB(6));
	CHECK_EQ(guest_read(&memory, MIB(2) - 32, bytes, 64), E_OK);
	CHECK_MEM(bytes, zero, 64);
	CHECK_EQ(guest_write(&memory, MIB(3), "godwit", 6), E_OK);
	CHECK_EQ(guest_read(&memory, MIB(3) - 1, bytes, 8), E_OK);
	CHECK_MEM(bytes, "\0godwit", 8);
	guest_memory_free(&memory);
}

TEST(nothing_is_touched_unasked)
{
	u64 left;

	start(MIB(16));
	CHECK(guest_is_ram(&memory, 0, MIB(16)));
	CHECK_EQ(memory.touched, 0);
	guest_ram(&memory, MIB(5), &left);
	CHECK_EQ(left, MIB(1));
	guest_ram(&memory, MIB(4), &left);
	CHECK_EQ(memory.touched, 1);
	guest_memory_free(&memory);
}

/* It is not, here: so what is there tells who clears. */
TEST(what_is_cleared_is_not_cleared_again)
{
	u8 byte = 0;

	say_cleared = true;
	start(MIB(4));
	say_cleared = false;
	CHECK_EQ(guest_page(&memory, 3)[0], 0);
	CHECK_EQ(guest_read(&memory, MIB(1), &byte, 1), E_OK);
	CHECK_EQ(byte, 0xa5);
	CHECK_EQ(memory.touched, 1);
	guest_memory_free(&memory);
}

TEST(where_ram_ends)
{
	u8 byte;

	start(MIB(3));
	CHECK(guest_is_ram(&memory, MIB(3) - 1, 1));
	CHECK(!guest_is_ram(&memory, MIB(3) - 1, 2));
	CHECK(!guest_is_ram(&memory, MIB(3), 1));
	CHECK(!guest_is_ram(&memory, ~0ULL, 2));
	CHECK(!guest_is_ram(&memory, 0, ~0ULL));
	CHECK(guest_is_ram(&memory, 0, 0));
	CHECK_EQ(guest_read(&memory, MIB(3), &byte, 1), E_RANGE);
	CHECK_EQ(guest_read(&memory, RAM_HOLE_END, &byte, 1), E_RANGE);
	guest_memory_free(&memory);
}

TEST(the_hole_parts_it_in_two)
{
	u64 left;

	start(RAM_HOLE_START + MIB(2));
	CHECK(guest_is_ram(&memory, RAM_HOLE_START - 1, 1));
	CHECK(guest_is_ram(&memory, RAM_HOLE_END, MIB(2)));
	CHECK(!guest_is_ram(&memory, RAM_HOLE_START - 1, 2));
	CHECK(!guest_is_ram(&memory, RAM_HOLE_START - 1, GIB(1) + 2));
	CHECK(!guest_ram(&memory, RAM_HOLE_START, &left));
	CHECK(guest_ram(&memory, RAM_HOLE_END + 4096, &left));
	CHECK_EQ(left, MIB(2) - 4096);
	CHECK_EQ(memory.touched, 1);
	guest_memory_free(&memory);
}

/* Whoever comes second must not zero what the first has written. */
#define RACERS 4
#define CHUNKS 64

static void *race(void *argument)
{
	u64 me = (u64)argument;

	for (u64 chunk = 0; chunk < CHUNKS; chunk++)
		guest_write(&memory, chunk * CHUNK_SIZE + me * 8, &me, 8);
	return NULL;
}

TEST(the_first_touch_is_one)
{
	pthread_t thread[RACERS];

	start(CHUNKS * CHUNK_SIZE);
	for (u64 i = 0; i < RACERS; i++)
		pthread_create(&thread[i], NULL, race, (void *)i);
	for (unsigned i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(memory.touched, CHUNKS);
	for (u64 chunk = 0; chunk < CHUNKS; chunk++)
		for (u64 i = 0; i < RACERS; i++) {
			u64 value;

			guest_read(&memory, chunk * CHUNK_SIZE + i * 8, &value,
				   8);
			CHECK_EQ(value, i);
		}
	guest_memory_free(&memory);
}
