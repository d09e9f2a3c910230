/*
 * The parts of migrate/ one by one; the whole is played in tests/sim.
 *
 * links: migrate/wire.c migrate/hash.c migrate/codec.c migrate/codec_delta.c
 * links: migrate/codec_lz4.c migrate/receiver.c migrate/requirement.c
 * links: migrate/text.c migrate/error.c migrate/report.c migrate/crypto.c
 * links: migrate/chacha.c migrate/chacha_wide.c migrate/poly1305.c
 * libs: -lbearssl -llz4
 */
#include <stdlib.h>
#include <string.h>

#include <bearssl.h>

#include "migrate/chacha.h"
#include "migrate/codec.h"
#include "migrate/crypto.h"
#include "migrate/error.h"
#include "migrate/hash.h"
#include "migrate/receiver.h"
#include "migrate/report.h"
#include "tests/unit/test.h"

static u8 page[MIG_PAGE], other[MIG_PAGE], scratch[MIG_PAGE];

static void noise(u8 *at, u64 seed)
{
	for (unsigned i = 0; i < MIG_PAGE; i += 8)
		put_u64(at + i, hash_mix(seed + i));
}

TEST(a_number_is_extended_to_the_nearest)
{
	CHECK_EQ(wire_number(0, 1), 1);
	CHECK_EQ(wire_number(0xffffffff, 0), 0x100000000);
	CHECK_EQ(wire_number(0x100000000, 0xffffffff), 0xffffffff);
	CHECK_EQ(wire_number(0x500000010, 0xfffffff0), 0x4fffffff0);
	CHECK_EQ(wire_number(5, 0xfffffff0), 0xfffffff0);
}

TEST(a_frame_that_is_cut_is_none)
{
	static const u8 mac[6];
	struct wire_header header = {.kind = WIRE_PAGES, .length = 100}, parsed;
	u8 frame[WIRE_BODY + 100 + WIRE_TAG_MAX] = {0};

	wire_header_put(frame, mac, mac, &header);
	CHECK(wire_header_parse(frame, sizeof(frame), &parsed, WIRE_TAG_MAX));
	CHECK_EQ(parsed.length, 100);
	CHECK(!wire_header_parse(frame, sizeof(frame) - 1, &parsed,
				 WIRE_TAG_MAX));
	CHECK(!wire_header_parse(frame, WIRE_BODY - 1, &parsed, WIRE_TAG_MAX));
	frame[12] = 8;
	CHECK(!wire_header_parse(frame, sizeof(frame), &parsed, WIRE_TAG_MAX));
}

TEST(records_know_their_least_size)
{
	u8 at[RECORD_SIZE + 8], data[RECORD_DATA + 1] = {0};
	struct record record;
	size_t size = record_put(at, RECORD_COMMIT, data, RECORD_COMMIT_SIZE);

	CHECK_EQ(record_parse(at, size, &record), RECORD_GOOD);
	CHECK_EQ(record_parse(at, size - 1, &record), RECORD_BAD);
	size = record_put(at, RECORD_COMMIT, data, RECORD_COMMIT_SIZE - 1);
	CHECK_EQ(record_parse(at, size, &record), RECORD_BAD);
	/* A newer version may append. */
	size = record_put(at, RECORD_COMMIT, data, RECORD_COMMIT_SIZE + 40);
	CHECK_EQ(record_parse(at, size, &record), RECORD_GOOD);
	at[0] = 77;
	CHECK_EQ(record_parse(at, size, &record), RECORD_STRANGE);
	at[1] = 0;
	CHECK_EQ(record_parse(at, size, &record), RECORD_SKIP);
}

static bool fits(u8 codec, u16 offset, u16 size, size_t room)
{
	struct page_record record = {
		.page = 6, .codec = codec, .offset = offset, .size = size};
	u8 body[PAGE_HEAD + 5000] = {0};
	size_t used = 0;

	page_record_put(body, &record);
	return page_record_parse(body, PAGE_HEAD + room, &used, 8, &record);
}

TEST(page_records_stay_in_the_page)
{
	CHECK(fits(CODEC_RAW, 4000, 96, 96));
	CHECK(!fits(CODEC_RAW, 4000, 97, 97));
	CHECK(!fits(CODEC_RAW, 0, 0, 0));
	CHECK(!fits(CODEC_RAW, 0, 97, 96));
	CHECK(fits(CODEC_ZERO, 0, 2, 0));
	CHECK(!fits(CODEC_ZERO, 0, 3, 0));
	CHECK(!fits(CODEC_ZERO, 0, 0, 0));
	CHECK(!fits(CODEC_WORD, 8, 8, 8));
	CHECK(!fits(CODEC_LZ4, 0, 4097, 4097));
	CHECK(!fits(5, 0, 8, 8));
}

TEST(any_changed_bit_changes_the_hashes)
{
	noise(page, 1);
	for (unsigned bit = 0; bit < MIG_PAGE * 8; bit += 7) {
		u64 before = hash_page(page);
		u64 check = hash_check(3, page, MIG_PAGE - 3);

		page[bit / 8] ^= (u8)(1 << bit % 8);
		CHECK(hash_page(page) != before);
		if (bit / 8 < MIG_PAGE - 3)
			CHECK(hash_check(3, page, MIG_PAGE - 3) != check);
	}
}

/* What two entries of a page table with their highest bits would do. */
TEST(two_high_bits_do_not_undo_each_other)
{
	u64 before;

	noise(page, 2);
	before = hash_page(page);
	for (unsigned i = 0; i < MIG_PAGE / 8 - 1; i++) {
		page[7] ^= 0x80;
		page[15 + i * 8] ^= 0x80;
		CHECK(hash_page(page) != before);
		page[7] ^= 0x80;
		page[15 + i * 8] ^= 0x80;
	}
}

/* Words that changed places, and what one lost and the other gained. */
TEST(no_two_words_make_up_for_each_other)
{
	u64 first, second, before;

	noise(page, 4);
	before = hash_page(page);
	first = get_u64(page);
	for (unsigned i = 8; i < MIG_PAGE; i += 8) {
		second = get_u64(page + i);
		put_u64(page, second);
		put_u64(page + i, first);
		CHECK(hash_page(page) != before);
		put_u64(page, first + 1);
		put_u64(page + i, second - 1);
		CHECK(hash_page(page) != before);
		put_u64(page, first);
		put_u64(page + i, second);
	}
}

/* RFC 8439, 2.4.2. */
TEST(chacha_is_chacha)
{
	static const u8 nonce[12] = {[7] = 0x4a},
			wanted[8] = {0x6e, 0x2e, 0x35, 0x9a,
				     0x25, 0x68, 0xf9, 0x80};
	char text[] = "Ladies and Gentlemen of the class of '99: If I could "
		      "offer you only one tip for the future, sunscreen would "
		      "be it.";
	u8 key[32];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (u8)i;
	CHECK_EQ(chacha20(key, nonce, 1, text, sizeof(text) - 1), 3);
	CHECK_MEM(text, wanted, sizeof(wanted));
}

/* Any length, and counters beyond the last. */
static void compare_chacha(uint32_t (*ours)(const void *, const void *,
					    uint32_t, void *, size_t))
{
	for (u32 size = 0; size < 1200; size++) {
		u32 counter = size & 1 ? 0xfffffffe : size, next;

		noise(page, size);
		memcpy(other, page, MIG_PAGE);
		next = ours(scratch, scratch + 32, counter, page, size);
		CHECK_EQ(next, br_chacha20_ct_run(scratch, scratch + 32,
						  counter, other, size));
		CHECK(memcmp(page, other, MIG_PAGE) == 0);
		noise(scratch, size + 1);
	}
}

TEST(chacha_is_another_s_chacha)
{
	compare_chacha(chacha20);
	if (chacha20_is_wide())
		compare_chacha(chacha20_wide);
}

TEST(delta_brings_back_what_was_changed)
{
	size_t size;

	noise(page, 3);
	memcpy(other, page, MIG_PAGE);
	other[0] ^= 1;
	other[2000] ^= 1;
	memset(other + 4000, 0, 96);
	size = delta_encode(page, other, scratch, MIG_PAGE);
	CHECK(size != 0 && size < 200);
	CHECK(delta_apply(scratch, size, page));
	CHECK_MEM(page, other, MIG_PAGE);
}

TEST(delta_beyond_the_page_is_refused)
{
	static const u8 far[] = {0xff, 0x3f, 1, 9}, cut[] = {0, 5, 1},
			lone[] = {0x80}, big[] = {0x80, 0x80};

	CHECK(!delta_apply(far, sizeof(far), page));
	CHECK(!delta_apply(cut, sizeof(cut), page));
	CHECK(!delta_apply(lone, sizeof(lone), page));
	CHECK(!delta_apply(big, sizeof(big), page));
}

TEST(a_codec_that_does_not_pay_sleeps)
{
	u8 *memory = calloc(1, codec_memory(0));
	struct page_record record;
	struct codec codec;

	codec_init(&codec, (1u << CODECS) - 1, 0, memory);
	for (u64 i = 0; i < 100; i++) {
		noise(page, i);
		codec.spare = CODEC_SPARE_MAX;
		codec_encode(&codec, 1, page, MIG_PAGE, &record);
		CHECK_EQ(record.codec, CODEC_RAW);
	}
	CHECK_EQ(codec.count[CODEC_LZ4].turned_off, 1);
	CHECK_EQ(codec.count[CODEC_LZ4].tried, 32);
	memset(page, 0, MIG_PAGE);
	codec_encode(&codec, 1, page, MIG_PAGE, &record);
	CHECK_EQ(record.codec, CODEC_ZERO);
	memset(page, 7, MIG_PAGE);
	codec_encode(&codec, 1, page, MIG_PAGE, &record);
	CHECK_EQ(record.codec, CODEC_WORD);
	free(memory);
}

/* Text, as LZ4 likes it and no other codec takes it. */
static u8 codec_of_text(struct codec *codec)
{
	struct page_record record;

	for (unsigned i = 0; i < MIG_PAGE; i++)
		page[i] = "what is said again and again"[i % 28];
	codec_encode(codec, 1, page, MIG_PAGE, &record);
	return record.codec;
}

TEST(lz4_lives_on_time_that_is_left_over)
{
	u8 *memory = calloc(1, codec_memory(0));
	struct codec codec;

	codec_init(&codec, (1u << CODECS) - 1, 0, memory);
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(codec_of_text(&codec), CODEC_RAW);
	CHECK_EQ(codec.count[CODEC_LZ4].tried, 0);
	CHECK(!codec_may_encode(&codec));
	/* Time in which frames went out is not left over. */
	codec_waits(&codec, 1000);
	codec_goes_on(&codec);
	codec_waits(&codec, 900000);
	CHECK(!codec_may_encode(&codec));
	codec_waits(&codec, 900000 + 10 * CODEC_LZ4_TIME);
	CHECK(codec_may_encode(&codec));
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(codec_of_text(&codec), CODEC_LZ4);
	CHECK(!codec_may_encode(&codec));
	CHECK_EQ(codec_of_text(&codec), CODEC_RAW);
	CHECK_EQ(codec.count[CODEC_LZ4].tried, 10);
	/* However long it was, it is no more than this. */
	codec_waits(&codec, 900000000);
	CHECK_EQ(codec.spare, CODEC_SPARE_MAX);
	free(memory);
}

TEST(page_frames_are_taken_once_and_not_late)
{
	u8 *memory = calloc(1, receiver_memory(4));
	struct receiver receiver;

	receiver_init(&receiver, 4, memory);
	CHECK(receiver_accept(&receiver, 5));
	CHECK(!receiver_accept(&receiver, 5));
	CHECK(receiver_accept(&receiver, 3));
	CHECK(receiver_accept(&receiver, 68));
	CHECK(!receiver_accept(&receiver, 4));
	CHECK(!receiver_accept(&receiver, 5));
	CHECK(receiver_accept(&receiver, 6));
	CHECK(receiver_accept(&receiver, 100000));
	CHECK(!receiver_accept(&receiver, 68));
	free(memory);
}

TEST(a_refusal_names_the_place_and_both_values)
{
	struct requirement need = {CLASS_CPUID, RULE_BITS, 1,	  7,
				   0,		0x20,	   "avx2"};
	char text[128];

	CHECK(!requirement_met(&need, 0x10));
	CHECK(requirement_met(&need, 0x30));
	requirement_text(text, sizeof(text), &need, 0x10);
	CHECK_STR(text, "cpuid leaf 0x7 subleaf 0x0 ebx \"avx2\": needs bits "
			"0x20, has 0x10");
	need.rule = 99;
	CHECK(!requirement_met(&need, 0x20));
	requirement_text(text, 8, &need, 0);
	CHECK_STR(text, "cpuid l");
}

TEST(a_sealed_frame_opens_only_unchanged)
{
	struct page_hashes hashes = {.count = 0};
	struct crypto_key key = {.check = 77};
	struct wire_header header = {.kind = WIRE_CONTROL, .length = 64};
	static const u8 mac[6];

	for (u8 security = WIRE_CLEAR; security <= WIRE_ENCRYPT; security++) {
		unsigned size = WIRE_BODY + 64 + crypto_tag_size(security);
		u8 frame[128] = {0}, copy[128];

		wire_header_put(frame, mac, mac, &header);
		crypto_seal(&key, security, frame, 9, &hashes);
		for (unsigned i = WIRE_BODY; i < size; i++) {
			memcpy(copy, frame, sizeof(copy));
			copy[i] ^= 1;
			CHECK(!crypto_open(&key, security, copy, 9, &hashes));
		}
		memcpy(copy, frame, sizeof(copy));
		if (security != WIRE_CLEAR)
			CHECK(!crypto_open(&key, security, copy, 10, &hashes));
		CHECK(crypto_open(&key, security, frame, 9, &hashes));
		CHECK_EQ(hashes.count, 0);
	}
}

/* Two whole pages and a part of one between them; returns the body's size. */
static u16 put_pages(u8 *frame)
{
	struct page_record record = {.codec = CODEC_RAW, .page = 7};
	struct wire_header header = {.kind = WIRE_PAGES};
	static const u16 sizes[] = {MIG_PAGE, 1000, MIG_PAGE};
	static const u8 mac[6];
	u8 *at = frame + WIRE_BODY;

	for (unsigned i = 0; i < 3; i++) {
		record.page++;
		record.size = sizes[i];
		page_record_put(at, &record);
		noise(page, i + 10);
		memcpy(at + PAGE_HEAD, page, sizes[i]);
		at += PAGE_HEAD + sizes[i];
	}
	header.length = (u16)(at - frame - WIRE_BODY);
	wire_header_put(frame, mac, mac, &header);
	return header.length;
}

TEST(a_whole_pages_hash_stands_for_its_bytes)
{
	struct page_hashes known = {.count = 0}, found;
	struct crypto_key key = {.check = 77};
	static u8 frame[3 * MIG_PAGE], copy[sizeof(frame)];
	unsigned size = WIRE_BODY + put_pages(frame) + WIRE_CHECK;

	crypto_seal(&key, WIRE_CLEAR, frame, 9, &known);
	CHECK_EQ(known.count, 2);
	CHECK_EQ(known.of[1], hash_page(page));
	memcpy(copy, frame, sizeof(copy));
	memset(copy + size - WIRE_CHECK, 0, WIRE_CHECK);
	known.count = 1; /* the other is not known yet */
	crypto_seal(&key, WIRE_CLEAR, copy, 9, &known);
	CHECK_EQ(memcmp(frame, copy, size), 0);
	found.count = 0;
	CHECK(crypto_open(&key, WIRE_CLEAR, frame, 9, &found));
	CHECK_EQ(found.count, 2);
	CHECK_EQ(memcmp(&found, &known, sizeof(u64) * 3), 0);
	for (unsigned i = WIRE_ETHERNET + 4; i < size; i++) {
		copy[i] ^= 0x10;
		found.count = 0;
		CHECK(!crypto_open(&key, WIRE_CLEAR, copy, 9, &found));
		copy[i] ^= 0x10;
	}
	known.of[0] ^= 1; /* of another content than what was sent */
	crypto_seal(&key, WIRE_CLEAR, copy, 9, &known);
	found.count = 0;
	CHECK(!crypto_open(&key, WIRE_CLEAR, copy, 9, &found));
}

TEST(both_agree_on_keys_only_with_the_same_secret)
{
	u8 a[32], b[32], public_a[32], public_b[32], psk[32] = {1}, hello[144];
	struct crypto_key source[2], target[2], stranger[2];

	memset(a, 3, 32);
	memset(b, 4, 32);
	memset(hello, 5, sizeof(hello));
	crypto_public(public_a, a);
	crypto_public(public_b, b);
	CHECK(crypto_agree(source, WIRE_ENCRYPT, psk, a, public_b, hello,
			   hello));
	CHECK(crypto_agree(target, WIRE_ENCRYPT, psk, b, public_a, hello,
			   hello));
	CHECK_MEM(source, target, sizeof(source));
	psk[0] = 2;
	CHECK(crypto_agree(stranger, WIRE_ENCRYPT, psk, a, public_b, hello,
			   hello));
	CHECK(memcmp(source[0].key, stranger[0].key, 32) != 0);
	CHECK(memcmp(source[0].key, source[1].key, 32) != 0);
	memset(public_b, 0, 32);
	CHECK(!crypto_agree(stranger, WIRE_ENCRYPT, psk, a, public_b, hello,
			    hello));
}

TEST(a_report_is_one_line_of_json)
{
	static struct report report = {.policy = "classic", .rounds = 2};
	static char line[4096];
	size_t size = report_json(&report, line, sizeof(line));

	CHECK(size > 100 && strchr(line, '\n') == NULL);
	CHECK(line[0] == '{' && line[size - 1] == '}');
	CHECK(strstr(line, "\"result\":\"success\"") != NULL);
	CHECK(strstr(line, "\"prediction\"") == NULL);
	CHECK_EQ(report_json(&report, line, 64), 0);
	report.code = MIG_DRY;
	report.prediction.downtime = 4711;
	size = report_json(&report, line, sizeof(line));
	CHECK(strstr(line, "\"prediction\":{\"result\":\"success\"") != NULL);
	CHECK(strstr(line, "\"downtime\":4711") != NULL);
	CHECK(line[size - 1] == '}');
}
