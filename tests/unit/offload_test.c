/*
 * What a guest leaves to its card. The frames are looked at as a receiver
 * would: each byte of the data once and in order, each checksum by a sum of its
 * own, made byte by byte.
 *
 *	links: kernel/net/offload.c kernel/lib/string.c
 */
#include "tests/unit/test.h"

#include <string.h>

#include "net/offload.h"

#define IP   14
#define TCP  34
#define DATA 66 /* TCP with options */
#define BIG  60000
#define MSS  1448

static u8 whole[66000];
static struct net_piece piece[NETDEV_PIECES];
static u8 out[66000];
static u32 out_size;

static u32 word(const u8 *at)
{
	return (u32)at[0] << 8 | at[1];
}

static u32 sum(const u8 *at, u32 size, u32 begin)
{
	u32 total = begin;

	for (u32 i = 0; i < size; i++)
		total += i & 1 ? at[i] : (u32)at[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void make(u32 data, u32 tag)
{
	static const u8 ip[20] = {0x45, 0, 0,  0, 0xff, 0xfe, 0x40, 0, 64, 6,
				  0,	0, 10, 0, 0,	2,    10,   0, 0,  1};
	u8 *tcp = whole + TCP + tag;

	memset(whole, 0x11, 14);
	if (tag)
		memcpy(whole + 12, "\x81\x00\x00\x07", 4);
	memcpy(whole + 12 + tag, "\x08\x00", 2);
	memcpy(whole + IP + tag, ip, sizeof(ip));
	memcpy(tcp, "\x12\x34\x00\x50\xff\xff\xff\x00\x01\x02\x03\x04", 12);
	tcp[12] = 8 << 4;
	tcp[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR, ACK, PSH, FIN */
	memset(tcp + 14, 7, 18);
	for (u32 i = 0; i < data; i++)
		tcp[32 + i] = (u8)(i * 13 + (i >> 8));
}

/* In pieces of `each` bytes, the last with the rest. */
static struct offload offer(u32 data, u32 tag, u32 each, u16 segment)
{
	struct offload o = {.piece = piece,
			    .size = DATA + tag + data,
			    .checksum_start = (u16)(TCP + tag),
			    .checksum_offset = 16,
			    .segment = segment};

	make(data, tag);
	for (u32 at = 0; at < o.size; o.count++) {
		u32 n = o.count == NETDEV_PIECES - 2 ? o.size - at
						     : MIN(each, o.size - at);

		piece[o.count] = (struct net_piece){whole + at, n, 0};
		at += n;
	}
	return o;
}

static void gather(const struct offload_frame *f)
{
	CHECK(f->count <= NETDEV_PIECES);
	out_size = 0;
	for (unsigned i = 0; i < f->count; i++) {
		CHECK(f->piece[i].size);
		memcpy(out + out_size, f->piece[i].at, f->piece[i].size);
		out_size += f->piece[i].size;
	}
	CHECK_EQ(out_size, f->size);
}

/* Of the frame in `out`, by the pseudo header of RFC 9293, 3.1. */
static void check_sums(u32 tag)
{
	const u8 *ip = out + IP + tag;
	u32 size = word(ip + 2) - 20;

	CHECK_EQ(word(ip + 2), out_size - IP - tag);
	CHECK_EQ(sum(ip, 20, 0), 0xffff);
	CHECK_EQ(sum(ip + 20, size, sum(ip + 12, 8, 6 + size)), 0xffff);
}

static void check_cut(u32 data, u32 tag, u32 each)
{
	static struct offload_frame f;
	struct offload o = offer(data, tag, each, MSS);
	u32 done = 0;

	CHECK(offload_check(&o));
	CHECK_EQ(o.frames, (data + MSS - 1) / MSS);
	CHECK_EQ(o.largest, DATA + tag + MIN(data, MSS));
	for (unsigned i = 0; i < o.frames; i++) {
		bool last = i + 1 == o.frames;
		const u8 *tcp = out + TCP + tag;

		offload_frame(&o, i, &f);
		gather(&f);
		check_sums(tag);
		CHECK_MEM(out, whole, IP + tag);
		CHECK_EQ(word(out + IP + tag + 4), (0xfffe + i) & 0xffff);
		CHECK_EQ(word(tcp + 4) << 16 | word(tcp + 6),
			 0xffffff00 + done);
		CHECK_EQ(tcp[13], 0x10 | (i ? 0 : 0x80) | (last ? 9 : 0));
		CHECK_MEM(tcp + 14, whole + TCP + tag + 14, 2); /* window */
		CHECK_MEM(tcp + 18, whole + TCP + tag + 18, 14);
		CHECK_MEM(tcp + 32, whole + DATA + tag + done,
			  out_size - DATA - tag);
		done += out_size - DATA - tag;
	}
	CHECK_EQ(done, data);
}

TEST(tcp_is_cut)
{
	static const u32 sizes[] = {1,	     MSS - 1, MSS, MSS + 1,
				    3 * MSS, 4321,    BIG};

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		check_cut(sizes[i], 0, 4096);
		check_cut(sizes[i], 4, 3001); /* odd: sums begin in between */
		check_cut(sizes[i], 0, 65);   /* the headers in two */
		check_cut(sizes[i], 0, 13);
		check_cut(sizes[i], 0, 70000);
	}
}

/* The driver has left the pseudo header's sum in the field. */
TEST(checksum_is_made)
{
	static struct offload_frame f;
	struct offload o = offer(999, 0, 333, 0);
	u32 size = o.size - TCP, pseudo;

	pseudo = sum(whole + IP + 12, 8, 6 + size);
	whole[TCP + 16] = (u8)(pseudo >> 8);
	whole[TCP + 17] = (u8)pseudo;
	CHECK(offload_check(&o));
	CHECK_EQ(o.frames, 1);
	CHECK_EQ(o.largest, o.size);
	offload_frame(&o, 0, &f);
	gather(&f);
	CHECK_EQ(out_size, o.size);
	CHECK_EQ(sum(out + TCP, size, sum(out + IP + 12, 8, 6 + size)), 0xffff);
	memcpy(out + TCP + 16, whole + TCP + 16, 2);
	CHECK_MEM(out, whole, o.size);
}

/* UDP's "none" is 0, so a sum that comes to that is written as its twin. */
TEST(a_sum_of_zero_is_written_as_ones)
{
	static struct offload_frame f;
	struct offload o;

	memset(whole, 0, 64);
	memset(whole + 14, 0xff, 2);
	piece[0] = (struct net_piece){whole, 64, 0};
	o = (struct offload){.piece = piece,
			     .count = 1,
			     .size = 64,
			     .checksum_start = 14,
			     .checksum_offset = 6};
	CHECK(offload_check(&o));
	offload_frame(&o, 0, &f);
	gather(&f);
	CHECK_EQ(word(out + 20), 0xffff);
}

/* Each spoils one thing of a run that would be cut. */
TEST(what_makes_no_sense_is_refused)
{
	static const struct {
		u16 at;
		u8 value;
	} spoilt[] = {
		{12, 0x86},	{IP, 0x65},  {IP, 0x46},   {IP, 0x44},
		{IP + 6, 0x20}, {IP + 7, 1}, {IP + 9, 17}, {TCP + 12, 4 << 4},
	};
	struct offload o;

	for (unsigned i = 0; i < ARRAY_LEN(spoilt); i++) {
		o = offer(5000, 0, 4096, MSS);
		whole[spoilt[i].at] = spoilt[i].value;
		CHECK(!offload_check(&o));
	}
	o = offer(5000, 0, 4096, MSS);
	o.checksum_start--;
	CHECK(!offload_check(&o));
	o = offer(5000, 0, 4096, MSS);
	o.checksum_offset = 6;
	CHECK(!offload_check(&o));
	o = offer(0, 0, 4096, MSS); /* no data */
	CHECK(!offload_check(&o));
	o = offer(65530, 0, 70000, 65530); /* longer than IP can say */
	CHECK(!offload_check(&o));
	o = offer(100, 0, 4096, 0); /* its checksum lies beyond its end */
	o.checksum_start = (u16)o.size - 17;
	CHECK(!offload_check(&o));
	o.checksum_start = 0xffff;
	o.checksum_offset = 0xffff;
	CHECK(!offload_check(&o));
	o.checksum_start = 13; /* in the addresses */
	CHECK(!offload_check(&o));
}

/* Whatever a guest writes: in bounds, and no frame larger than was said. */
TEST(random_headers)
{
	static struct offload_frame f;
	u64 seed = 88172645463325252ULL, cuts = 0;

	for (unsigned n = 0; n < 200000; n++) {
		struct offload o = offer(seed % 3000, seed >> 20 & 4,
					 14 + (seed >> 30) % 3000,
					 (u16)(seed >> 40) % 1500);

		for (unsigned i = 0; i < 2; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			if (seed & 3)
				whole[seed >> 8 & 63] = (u8)(seed >> 16);
		}
		if (!(seed >> 24 & 7))
			o.checksum_start = (u16)(seed >> 32);
		if (!(seed >> 27 & 7))
			o.checksum_offset = (u16)(seed >> 48);
		if (!offload_check(&o))
			continue;
		for (unsigned i = 0; i < o.frames; i++) {
			offload_frame(&o, i, &f);
			gather(&f);
			CHECK(out_size <= o.largest);
			cuts++;
		}
	}
	CHECK(cuts > 10000);
}
