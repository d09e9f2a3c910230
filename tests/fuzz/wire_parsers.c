/*
 * Every parser that bytes of the wire reach, one chosen by the first byte.
 * Memory is as large as the parser is told, so that the sanitizer sees a byte
 * too many.
 */
#include <stdlib.h>

#include "migrate/codec.h"
#include "migrate/forward.h"
#include "migrate/receiver.h"

#define PAGES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u8 memory[PAGES * MIG_PAGE];

static u8 *page(void *context, u64 which)
{
	if (which >= PAGES)
		abort();
	return memory + which * MIG_PAGE;
}

static void pages(const u8 *data, size_t size)
{
	static const struct page_hashes none;
	static u8 room[65536];
	static struct receiver receiver;

	if (receiver.pages == 0) {
		receiver_init(&receiver, PAGES, room);
		receiver.page = page;
	}
	receiver_apply(&receiver, data, size, &none);
	receiver_hash(&receiver, 0, PAGES);
}

static void header(const u8 *data, size_t size)
{
	struct wire_header parsed;

	if (wire_header_parse(data, size, &parsed, WIRE_TAG_MAX) &&
	    WIRE_BODY + parsed.length + WIRE_TAG_MAX > size)
		abort();
}

static void record(const u8 *data, size_t size)
{
	struct requirement need;
	struct record parsed;
	char text[80];

	if (record_parse(data, size, &parsed) != RECORD_GOOD)
		return;
	if (parsed.data + parsed.size > data + size)
		abort();
	if (parsed.type == RECORD_REQUIRE) {
		requirement_parse(parsed.data, &need);
		requirement_text(text, sizeof(text), &need, need.value);
		requirement_met(&need, 1);
	}
}

static void delta(const u8 *data, size_t size)
{
	if (size <= MIG_PAGE)
		delta_apply(data, size, memory);
}

static void lz4(const u8 *data, size_t size)
{
	if (size <= MIG_PAGE)
		lz4_decode(data, size, memory);
}

/* What is encoded must decode to the same. */
static void round_trip(const u8 *data, size_t size)
{
	u8 before[MIG_PAGE] = {0}, now[MIG_PAGE], out[MIG_PAGE];
	size_t used;

	memcpy(before, data, mig_min(size, MIG_PAGE));
	memcpy(now, before, MIG_PAGE);
	for (size_t i = 0; i < size; i++)
		now[data[i] * 16 % MIG_PAGE] ^= data[i];
	used = delta_encode(before, now, out, sizeof(out));
	if (used != 0 && (!delta_apply(out, used, before) ||
			  memcmp(before, now, MIG_PAGE) != 0))
		abort();
}

/* Pieces of guest's frames, each behind two bytes of length. */
static void guest(const u8 *data, size_t size)
{
	static u8 room[5000 * FORWARD_PARTS];
	static struct forward forward;
	const u8 *frame;
	u32 total = 0;

	forward_init(&forward, 5000, room);
	while (size >= 2) {
		size_t length = mig_min(get_u16(data) % 2000, size - 2);

		frame = forward_input(&forward, WIRE_FRAME_MIN, data + 2,
				      length, &total);
		if (frame != NULL && (total == 0 || total > 5000))
			abort();
		data += 2 + length;
		size -= 2 + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const u8 *, size_t) = {
		pages, header, record, delta, lz4, round_trip, guest};

	if (size == 0)
		return 0;
	parsers[data[0] % 7](data + 1, size - 1);
	return 0;
}
