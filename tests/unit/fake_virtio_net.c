#include "tests/unit/fake_virtio_net.h"

#include <string.h>

#include "tests/unit/fake_pci.h"
#include "tests/unit/test.h"

#define BAR    0xe000000000ULL
#define COMMON 0
#define DEVICE 0x2000
#define NOTIFY 0x3000
#define MSIX   0x100000

/* The other driver is not what is tested here. */
const struct netdev_driver e1000_driver = {.name = "e1000"};

struct nic nic;

/* --- the device's registers, by 4.1.4.3 */

static u64 *queue_address(u64 reg)
{
	u64 *const parts[] = {&nic.queue[nic.queue_select].desc,
			      &nic.queue[nic.queue_select].avail,
			      &nic.queue[nic.queue_select].used};

	return parts[(reg - 0x20) / 8];
}

static u32 common_read(u64 reg)
{
	switch (reg) {
	case 0x04:
		return (u32)(nic.features >> nic.feature_select * 32);
	case 0x14:
		return nic.status;
	case 0x18:
		return nic.queue_select < 2 ? nic.queue[nic.queue_select].size
					    : 0;
	case 0x1a:
		return 0;
	case 0x1e:
		return nic.queue_select;
	default:
		test_fail(__FILE__, __LINE__, "read of 0x%lx", reg);
	}
}

static void reset_device(void)
{
	nic.resets++;
	nic.agreed = 0;
	for (unsigned i = 0; i < 2; i++) {
		nic.queue[i].size = 256;
		nic.queue[i].enabled = 0;
		nic.queue[i].avail_seen = nic.queue[i].used_idx = 0;
	}
}

static void common_write(u64 reg, u32 value)
{
	switch (reg) {
	case 0x00:
		nic.feature_select = value;
		break;
	case 0x08:
		nic.driver_select = value;
		break;
	case 0x0c:
		nic.agreed |= (u64)value << nic.driver_select * 32;
		break;
	case 0x10:
	case 0x1a:
		break;
	case 0x14:
		if (!value)
			reset_device();
		nic.status = nic.stuck ? 0xff : (u8)value;
		break;
	case 0x16:
		nic.queue_select = (u16)value;
		break;
	case 0x18:
		nic.queue[nic.queue_select].size = (u16)value;
		break;
	case 0x1c:
		nic.queue[nic.queue_select].enabled = (u16)value;
		break;
	default:
		CHECK(reg >= 0x20 && reg < 0x38);
		memcpy((u8 *)queue_address(reg) + (reg & 4), &value, 4);
	}
}

u32 fake_mmio_read(u64 address, unsigned bytes)
{
	u64 reg = address - BAR;
	u32 value = 0;

	if (reg >= DEVICE && reg + bytes <= DEVICE + sizeof(nic.config))
		memcpy(&value, nic.config + reg - DEVICE, bytes);
	else
		value = common_read(reg);
	return value;
}

void fake_mmio_write(u64 address, unsigned bytes, u32 value)
{
	u64 reg = address - BAR;

	if (reg >= MSIX)
		return;
	if (reg >= NOTIFY)
		nic.queue[(reg - NOTIFY) / 4].kicks++;
	else
		common_write(reg, value);
}

static void add_cap(struct fake_function *f, unsigned at, unsigned next,
		    u8 type, u32 offset, u32 length)
{
	fake_set(f, at, 4, 0x09 | next << 8 | 20 << 16 | (u32)type << 24);
	fake_set(f, at + 4, 1, 4);
	fake_set(f, at + 8, 4, offset);
	fake_set(f, at + 12, 4, length);
	fake_set(f, at + 16, 4, 4); /* the notify multiplier */
}

const u8 nic_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

void nic_plug(unsigned slot)
{
	struct fake_function *f = fake_add((u16)(slot << 3), 0x1af4, 0x1041);

	fake_set(f, 0x0b, 1, PCI_CLASS_NETWORK);
	fake_set(f, 6, 2, 0x10);
	fake_set(f, 0x34, 1, 0x40);
	add_cap(f, 0x40, 0x54, 1, COMMON, 0x38);
	add_cap(f, 0x54, 0x68, 2, NOTIFY, 0x1000);
	add_cap(f, 0x68, 0x80, 4, DEVICE, 12);
	fake_set(f, 0x80, 4, 0x00010011);
	fake_set(f, 0x84, 4, MSIX | 4);
	fake_bar64(f, 4, BAR, 0x200000);
	nic.features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
		       VIRTIO_F_INDIRECT_DESC | BIT(3) | BIT(5) | BIT(16);
	memcpy(nic.config, nic_mac, sizeof(nic_mac));
	nic.config[6] = 1;
	memcpy(nic.config + 10, &(u16){9000}, 2);
}

/* --- what the driver's user sees */

struct user user;

void user_receive(void *context, const void *frame, u32 size)
{
	user.got++;
	user.size = size;
	memcpy(user.frame, frame, size);
}

void user_sent(void *context, void *cookie)
{
	user.cookie[user.sent++ % 4096] = cookie;
}

struct netdev *nic_start(const struct netdev_options *options)
{
	struct netdev *net;

	nic_plug(2);
	pci_init();
	netdev_probe(options, options ? 1 : 0);
	CHECK_EQ(netdev_count, 1);
	net = netdevs[0];
	net->receive = user_receive;
	net->sent = user_sent;
	return net;
}

/* --- what the device does */

struct virtq_desc *nic_desc(unsigned q)
{
	return (struct virtq_desc *)nic.queue[q].desc;
}

unsigned nic_waiting(unsigned q)
{
	const struct virtq_avail *avail = (void *)nic.queue[q].avail;

	return (u16)(avail->idx - nic.queue[q].avail_seen);
}

u16 nic_take(unsigned q)
{
	const struct virtq_avail *avail = (void *)nic.queue[q].avail;

	CHECK(nic_waiting(q) > 0);
	return avail->ring[nic.queue[q].avail_seen++ % nic.queue[q].size];
}

void nic_give(unsigned q, u32 id, u32 written)
{
	struct virtq_used *used = (void *)nic.queue[q].used;

	used->ring[nic.queue[q].used_idx++ % nic.queue[q].size] =
		(struct virtq_used_elem){id, written};
	used->idx = nic.queue[q].used_idx;
}

u32 nic_gather(u16 id, u8 *to)
{
	const struct virtq_desc *d = &nic_desc(TX)[id];
	const struct virtq_desc *table = nic_desc(TX);
	u32 size = 0;

	if (d->flags & VIRTQ_INDIRECT) {
		table = (void *)d->address;
		CHECK_EQ(d->size % sizeof(*d), 0);
		d = table;
	}
	for (;;) {
		CHECK(!(d->flags & VIRTQ_WRITE));
		memcpy(to + size, (void *)d->address, d->size);
		size += d->size;
		if (!(d->flags & VIRTQ_NEXT))
			return size;
		d = &table[d->next];
	}
}

void nic_deliver(const void *frame, u32 size)
{
	u16 id = nic_take(RX);
	const struct virtq_desc *d = &nic_desc(RX)[id];

	CHECK(d->flags & VIRTQ_WRITE);
	CHECK(VNET_HEADER + size <= d->size);
	memset((void *)d->address, 0, VNET_HEADER);
	memcpy((u8 *)d->address + VNET_HEADER, frame, size);
	nic_give(RX, id, VNET_HEADER + size);
}

void user_check_sent(struct netdev *net, unsigned pieces)
{
	static u8 data[2000], wire[3000];
	struct net_piece piece[NETDEV_PIECES];
	u32 each = sizeof(data) / pieces;
	u16 id;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	for (unsigned i = 0; i < pieces; i++)
		piece[i] = (struct net_piece){data + i * each, each, 0};
	CHECK_EQ(net->ops->send(net, piece, pieces, data), E_OK);
	CHECK_EQ(nic_waiting(TX), 0);
	net->ops->flush(net);
	CHECK_EQ(nic_waiting(TX), 1);
	id = nic_take(TX);
	CHECK_EQ(nic_gather(id, wire), VNET_HEADER + each * pieces);
	CHECK_MEM(wire + VNET_HEADER, data, each * pieces);
	for (unsigned i = 0; i < VNET_HEADER; i++)
		CHECK_EQ(wire[i], 0);
	user.sent = 0;
	net->ops->poll(net, 64);
	CHECK_EQ(user.sent, 0);
	nic_give(TX, id, 0);
	net->ops->poll(net, 64);
	CHECK_EQ(user.sent, 1);
	CHECK(user.cookie[0] == data);
}
