#include "net/offload.h"

#include "lib/string.h"

#define ETHER	       14
#define VLAN_TAG       4
#define TYPE_IPV4      0x0800
#define TYPE_VLAN      0x8100
#define IP_MIN	       20
#define IP_FRAGMENT    0x3fff /* more of them, or not the first */
#define PROTOCOL_TCP   6
#define TCP_MIN	       20
#define TCP_CHECKSUM   16
#define TCP_FIN	       0x01
#define TCP_PSH	       0x08
#define TCP_CWR	       0x80
#define CHECKSUM_BYTES 2

/* Where things stand in an IPv4 header (RFC 791), and in TCP's (RFC 9293). */
enum {
	IP_SIZE = 2,
	IP_ID = 4,
	IP_FLAGS = 6,
	IP_PROTOCOL = 9,
	IP_SUM = 10,
	IP_ADDRESSES = 12
};
enum { TCP_SEQUENCE = 4, TCP_OFFSET = 12, TCP_FLAGS = 13 };

static u16 get16(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static void put16(u8 *at, u32 value)
{
	at[0] = (u8)(value >> 8);
	at[1] = (u8)value;
}

static u32 get32(const u8 *at)
{
	return (u32)get16(at) << 16 | get16(at + 2);
}

static void put32(u8 *at, u32 value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* --- the Internet's checksum (RFC 1071), added up in the machine's order */

static u16 fold(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* A 64-bit word at any address. */
typedef u64 word __attribute__((may_alias, aligned(1)));

/* Of at most a frame: the halves of its words do not overflow 64 bits. */
static u16 add_up(const u8 *at, u64 size)
{
	u64 low = 0, high = 0, rest = 0;

	for (; size >= 32; at += 32, size -= 32) {
		u64 a = ((const word *)at)[0], b = ((const word *)at)[1];
		u64 c = ((const word *)at)[2], d = ((const word *)at)[3];

		low += (u64)(u32)a + (u32)b + (u32)c + (u32)d;
		high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
	}
	for (; size >= 8; at += 8, size -= 8) {
		low += (u32) * (const word *)at;
		high += *(const word *)at >> 32;
	}
	for (u64 i = 0; i < size; i++)
		rest |= (u64)at[i] << 8 * i;
	return fold(low + high + (u32)rest + (rest >> 32));
}

/* Pieces one after the other, of any size. */
static u16 add_up_pieces(const struct net_piece *piece, unsigned count)
{
	bool odd = false;
	u64 sum = 0;

	for (unsigned i = 0; i < count; i++) {
		u16 part = add_up(piece[i].at, piece[i].size);

		sum += odd ? __builtin_bswap16(part) : part;
		odd ^= piece[i].size & 1;
	}
	return fold(sum);
}

/* 0 would say that there is none (RFC 768), and means the same as ~0. */
static void store_sum(u8 *at, u64 sum)
{
	u16 value = (u16)~fold(sum);

	if (!value)
		value = 0xffff;
	memcpy(at, &value, sizeof(value));
}

/* --- a frame's headers */

static void copy_header(const struct offload *o, u8 *to)
{
	u32 have = 0;

	for (unsigned i = 0; i < o->count && have < o->headers; i++) {
		u32 n = MIN(o->piece[i].size, o->headers - have);

		memcpy(to + have, o->piece[i].at, n);
		have += n;
	}
}

static u32 ip_start(const struct offload *o)
{
	return get16(o->header + ETHER - 2) == TYPE_VLAN ? ETHER + VLAN_TAG
							 : ETHER;
}

/* IPv4 and TCP, whole, and just where the driver says. */
static bool is_tcp(struct offload *o)
{
	const u32 tcp = o->checksum_start, ip = ip_start(o);
	const u8 *h = o->header;

	return tcp >= ip + IP_MIN && get16(h + ip - 2) == TYPE_IPV4 &&
	       h[ip] >> 4 == 4 && ip + (h[ip] & 15) * 4u == tcp &&
	       h[ip + IP_PROTOCOL] == PROTOCOL_TCP &&
	       !(get16(h + ip + IP_FLAGS) & IP_FRAGMENT) &&
	       o->checksum_offset == TCP_CHECKSUM;
}

static bool check_segments(struct offload *o)
{
	u32 tcp = o->checksum_start, data, size;

	o->headers = MIN(o->size, OFFLOAD_HEADERS);
	if (o->headers < tcp + TCP_MIN)
		return false;
	copy_header(o, o->header);
	size = (o->header[tcp + TCP_OFFSET] >> 4) * 4u;
	if (!is_tcp(o) || size < TCP_MIN || tcp + size >= o->size)
		return false;
	o->headers = tcp + size;
	data = o->size - o->headers;
	o->frames = (data + o->segment - 1) / o->segment;
	o->largest = o->headers + MIN(data, o->segment);
	return o->headers <= OFFLOAD_HEADERS &&
	       o->largest - ip_start(o) <= UINT16_MAX;
}

bool offload_check(struct offload *o)
{
	if (o->count >= NETDEV_PIECES || o->checksum_start < ETHER)
		return false;
	if (o->segment)
		return check_segments(o);
	o->frames = 1;
	o->largest = o->size;
	o->headers =
		(u32)o->checksum_start + o->checksum_offset + CHECKSUM_BYTES;
	if (o->headers > o->size || o->headers > OFFLOAD_HEADERS)
		return false;
	copy_header(o, o->header);
	return true;
}

/* --- frames */

/* The header, then [offset, offset + size) of what there is. */
static void cut(const struct offload *o, u64 offset, u64 size,
		struct offload_frame *f)
{
	f->piece[0] = (struct net_piece){f->header, o->headers, 0};
	f->count = 1;
	f->size = o->headers + (u32)size;
	for (unsigned i = 0; i < o->count && size; i++) {
		const struct net_piece *p = &o->piece[i];
		u64 skip = MIN(offset, (u64)p->size);
		u64 n = MIN(size, p->size - skip);

		offset -= skip;
		size -= n;
		if (n)
			f->piece[f->count++] = (struct net_piece){
				(const u8 *)p->at + skip, (u32)n, 0};
	}
}

/* From checksum_start on; `sum` is of what is not in the frame. */
static void finish(const struct offload *o, u64 sum, struct offload_frame *f)
{
	u32 start = o->checksum_start;

	f->piece[0] =
		(struct net_piece){f->header + start, o->headers - start, 0};
	sum += add_up_pieces(f->piece, f->count);
	f->piece[0] = (struct net_piece){f->header, o->headers, 0};
	store_sum(f->header + start + o->checksum_offset, sum);
}

static void number_ip(u8 *ip, unsigned i, u32 size, u32 header)
{
	put16(ip + IP_SIZE, size);
	put16(ip + IP_ID, get16(ip + IP_ID) + i);
	put16(ip + IP_SUM, 0);
	store_sum(ip + IP_SUM, add_up(ip, header));
}

/* What belongs to the whole stands where the whole begins, or ends. */
static void number_tcp(u8 *tcp, unsigned i, const struct offload *o)
{
	put32(tcp + TCP_SEQUENCE, get32(tcp + TCP_SEQUENCE) + i * o->segment);
	if (i)
		tcp[TCP_FLAGS] &= (u8)~TCP_CWR;
	if (i + 1 < o->frames)
		tcp[TCP_FLAGS] &= (u8) ~(TCP_FIN | TCP_PSH);
	put16(tcp + TCP_CHECKSUM, 0);
}

static u64 pseudo_header(const u8 *ip, u32 tcp_size)
{
	u8 rest[4] = {0, PROTOCOL_TCP};

	put16(rest + 2, tcp_size);
	return (u64)add_up(ip + IP_ADDRESSES, 8) + add_up(rest, sizeof(rest));
}

void offload_frame(const struct offload *o, unsigned i, struct offload_frame *f)
{
	u64 offset = o->headers + (u64)i * o->segment;
	u64 left = o->size - offset;
	u32 start = o->checksum_start, ip;

	memcpy(f->header, o->header, o->headers);
	cut(o, offset, o->segment ? MIN(left, o->segment) : left, f);
	if (!o->segment) {
		/* The driver has put the pseudo header's sum there. */
		finish(o, 0, f);
		return;
	}
	ip = ip_start(o);
	number_ip(f->header + ip, i, f->size - ip, start - ip);
	number_tcp(f->header + start, i, o);
	finish(o, pseudo_header(f->header + ip, f->size - start), f);
}
