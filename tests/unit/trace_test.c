/*
 * The trace's ring: what goes in comes out, in order, whoever is quicker; what
 * finds no room is counted and told. And runs of pages, and base64.
 *
 *	links: kernel/trace/ring.c kernel/trace/runs.c kernel/lib/base64.c
 *	libs: -lpthread
 */
#include <pthread.h>
#include <string.h>

#include "lib/base64.h"
#include "test.h"
#include "trace/ring.h"
#include "trace/trace.h"

#define SIZE 7 /* no power of two */

static struct trace_record slots[SIZE], out[64];
static struct trace_ring ring = {.record = slots, .size = SIZE};

static void put(u64 number)
{
	const struct trace_record r = {
		.tsc = 1000 + number, .kind = TRACE_EXIT, .a = number};

	trace_ring_put(&ring, &r);
}

TEST(order_is_kept_over_the_end)
{
	u64 next = 0, seen = 0;

	for (unsigned i = 0; i < 100; i++) {
		size_t n;

		for (unsigned k = 0; k < 1 + i % SIZE; k++)
			put(next++);
		CHECK_EQ(trace_ring_used(&ring), 1 + i % SIZE);
		n = trace_ring_take(&ring, out, 64);
		for (size_t k = 0; k < n; k++)
			CHECK_EQ(out[k].a, seen++);
	}
	CHECK_EQ(seen, next);
	CHECK_EQ(trace_ring_lost(&ring), 0);
}

TEST(no_more_is_taken_than_asked_for)
{
	for (u64 i = 0; i < 5; i++)
		put(i);
	CHECK_EQ(trace_ring_take(&ring, out, 0), 0);
	CHECK_EQ(trace_ring_take(&ring, out, 2), 2);
	CHECK_EQ(trace_ring_take(&ring, out, 64), 3);
	CHECK_EQ(out[0].a, 2);
	CHECK_EQ(trace_ring_take(&ring, out, 64), 0);
}

/* Seven fit; three are lost; the word of it needs a place of its own. */
TEST(what_is_lost_is_told)
{
	for (u64 i = 0; i < 10; i++)
		put(i);
	CHECK_EQ(trace_ring_lost(&ring), 3);
	CHECK_EQ(trace_ring_take(&ring, out, 1), 1);
	put(10); /* one place: not enough for the two */
	CHECK_EQ(trace_ring_lost(&ring), 4);
	CHECK_EQ(trace_ring_take(&ring, out, 64), 6);
	CHECK_EQ(out[5].a, 6);
	put(11);
	CHECK_EQ(trace_ring_take(&ring, out, 64), 2);
	CHECK_EQ(out[0].kind, TRACE_LOST);
	CHECK_EQ(out[0].a, 4);
	CHECK_EQ(out[0].tsc, 1007);
	CHECK_EQ(out[0].vm, TRACE_NONE);
	CHECK_EQ(out[1].a, 11);
	CHECK_EQ(trace_ring_lost(&ring), 4);
}

TEST(without_room_all_is_lost)
{
	static struct trace_ring none;
	const struct trace_record r = {.tsc = 1};

	trace_ring_put(&none, &r);
	CHECK_EQ(trace_ring_lost(&none), 1);
	CHECK_EQ(trace_ring_take(&none, out, 64), 0);
}

#define MANY 300000

static bool written;

static void *write_many(void *unused)
{
	for (u64 i = 0; i < MANY; i++)
		put(i);
	__atomic_store_n(&written, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Each record was read or is in a count, which stands where it was lost. */
TEST(reader_beside_the_writer)
{
	pthread_t writer;
	bool last = false;
	u64 next = 0, lost = 0;

	CHECK_EQ(pthread_create(&writer, NULL, write_many, NULL), 0);
	while (!last || trace_ring_used(&ring)) {
		size_t n;

		last = __atomic_load_n(&written, __ATOMIC_ACQUIRE);
		n = trace_ring_take(&ring, out, 1 + next % 5);
		for (size_t i = 0; i < n; i++) {
			bool gap = out[i].kind == TRACE_LOST;

			CHECK_EQ(gap ? out[i].tsc - 1000 : out[i].a, next);
			next += gap ? out[i].a : 1;
			lost += gap ? out[i].a : 0;
		}
	}
	pthread_join(writer, NULL);
	CHECK_EQ(next + ring.lost, MANY);
	CHECK_EQ(lost + ring.lost, trace_ring_lost(&ring));
}

/* --- runs */

static u64 runs_put[64];
static unsigned runs_count;

void trace_put(enum trace_kind kind, u32 who, u32 value, u64 a, u64 b, u64 c)
{
	const u64 run[] = {a, b, c};

	CHECK_EQ(kind, TRACE_DIRTY_RUNS);
	CHECK_EQ(value, 5);
	for (unsigned i = 0; i < 3; i++)
		if (run[i])
			runs_put[runs_count++] = run[i];
}

TEST(runs_go_on_over_words)
{
	struct trace_runs runs = {.value = 5};

	trace_runs_word(&runs, 0, 0x8000000000000001);
	trace_runs_word(&runs, 64, ~0ULL);
	trace_runs_word(&runs, 128, 0x107);
	trace_runs_word(&runs, 192, 0);
	trace_runs_word(&runs, 256, 1);
	trace_runs_end(&runs);
	CHECK_EQ(runs_count, 4);
	CHECK_EQ(runs_put[0], TRACE_RUN(0, 1));
	CHECK_EQ(runs_put[1], TRACE_RUN(63, 68));
	CHECK_EQ(runs_put[2], TRACE_RUN(136, 1));
	CHECK_EQ(runs_put[3], TRACE_RUN(256, 1));
}

TEST(no_pages_no_record)
{
	struct trace_runs runs = {.value = 5};

	trace_runs_word(&runs, 0, 0);
	trace_runs_end(&runs);
	CHECK_EQ(runs_count, 0);
}

/* --- base64, by RFC 4648 section 10 */

TEST(base64_vectors)
{
	static const char *const vectors[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[BASE64_SIZE(6)];

	for (size_t n = 0; n < ARRAY_LEN(vectors); n++) {
		base64(text, "foobar", n);
		CHECK_STR(text, vectors[n]);
		CHECK_EQ(strlen(text) + 1, BASE64_SIZE(n));
	}
	base64(text, "\xff\xfe\xbf", 3);
	CHECK_STR(text, "//6/");
}
