#include "machine/virtqueue.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "machine/dma.h"
#include "vm/vm.h"

/* A descriptor (virtio 1.2, 2.7.5). */
struct desc {
	u64 address;
	u32 size;
	u16 flags;
	u16 next;
};

ASSERT_SIZE(struct desc, 16);

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY	   1

/* The rings (2.7.6, 2.7.8): flags, index, entries; then the other's event. */
#define RING_FLAGS	  0
#define RING_INDEX	  2
#define RING_ENTRIES	  4
#define AVAIL_EVENT(size) (RING_ENTRIES + 2u * (size))
#define USED_EVENT(size)  (RING_ENTRIES + 8u * (size))

static const struct device_field fields[] = {
	DEVICE_FIELD(struct virtqueue, size, 1, 1),
	DEVICE_FIELD(struct virtqueue, vector, 1, 1),
	DEVICE_FIELD_MAX(struct virtqueue, enabled, 1, 1, 1),
	DEVICE_FIELD_MAX(struct virtqueue, indirect, 1, 1, 1),
	DEVICE_FIELD_MAX(struct virtqueue, event_index, 1, 1, 1),
	DEVICE_FIELD(struct virtqueue, desc, 1, 1),
	DEVICE_FIELD(struct virtqueue, avail, 1, 1),
	DEVICE_FIELD(struct virtqueue, used, 1, 1),
	DEVICE_FIELD(struct virtqueue, taken, 1, 1),
	DEVICE_FIELD(struct virtqueue, returned, 1, 1),
	DEVICE_FIELD(struct virtqueue, told, 1, 1),
};

static bool may_be_enabled(const struct virtqueue *vq, const char **why);

static bool check(const void *device, const struct vm *vm, char *why,
		  size_t size)
{
	const struct virtqueue *vq = device;
	const char *wrong = NULL;

	if (!vq->enabled || may_be_enabled(vq, &wrong))
		return true;
	snprintf(why, size, "enabled: %s", wrong);
	return false;
}

const struct device_description virtqueue_description = {
	"virtqueue", 1, ARRAY_LEN(fields), fields, check};

static err_t broken(struct virtqueue *vq, const char *why)
{
	vq->broken = why;
	return E_FORMAT;
}

/* --- the rings: RAM since vq_enable(), and RAM stays RAM */

/* Two aligned bytes, which lie in one chunk and are read as one. */
static u16 load16(const struct virtqueue *vq, u64 gpa)
{
	u64 left = 0;
	const u8 *at = guest_ram(&vq->vm->memory, gpa, &left);

	return at ? __atomic_load_n((const u16 *)at, __ATOMIC_ACQUIRE) : 0;
}

static void store16(const struct virtqueue *vq, u64 gpa, u16 value)
{
	dma_write16(vq->vm, gpa, value);
}

void vq_reset(struct virtqueue *vq)
{
	*vq = (struct virtqueue){.vm = vq->vm,
				 .size_max = vq->size_max,
				 .size = vq->size_max,
				 .vector = 0xffff};
}

static bool may_be_enabled(const struct virtqueue *vq, const char **why)
{
	const struct guest_memory *mem = &vq->vm->memory;
	u16 size = vq->size;

	if (!size || size > vq->size_max || (size & (size - 1)))
		*why = "its size is no power of two or too large";
	else if ((vq->desc & 15) || (vq->avail & 1) || (vq->used & 3))
		*why = "a ring is not aligned";
	else if (!guest_is_ram(mem, vq->desc, 16u * size) ||
		 !guest_is_ram(mem, vq->avail, AVAIL_EVENT(size) + 2) ||
		 !guest_is_ram(mem, vq->used, USED_EVENT(size) + 2))
		*why = "a ring is not in memory";
	else
		return true;
	return false;
}

bool vq_enable(struct virtqueue *vq)
{
	vq->enabled = may_be_enabled(vq, &vq->broken);
	return vq->enabled;
}

/* --- taking chains */

/* Where descriptors come from: the ring's table, or an indirect one. */
struct table {
	u64 at;
	u16 size;
};

static err_t add_area(struct virtqueue *vq, struct vq_chain *chain,
		      const struct desc *desc)
{
	unsigned used = chain->out + chain->in;
	bool in = desc->flags & DESC_WRITE;

	if (used == ARRAY_LEN(chain->area) || used == vq->size)
		return broken(vq, "a chain is longer than the queue");
	if (chain->in && !in)
		return broken(vq, "a chain has input before output");
	if (!guest_is_ram(&vq->vm->memory, desc->address, desc->size))
		return broken(vq, "a descriptor leads out of memory");
	chain->area[used] = (struct vq_area){desc->address, desc->size};
	chain->out += !in;
	chain->in += in;
	*(in ? &chain->in_size : &chain->out_size) += desc->size;
	return E_OK;
}

/*
 * All descriptors from `next` on. No table has more entries than fit, so a loop
 * ends when as many have been seen; *deeper is set by one that is indirect.
 */
static err_t walk(struct virtqueue *vq, struct vq_chain *chain,
		  struct table table, u16 next, struct table *deeper)
{
	for (unsigned seen = 0; seen < table.size; seen++) {
		struct desc desc;
		err_t err;

		if (next >= table.size)
			return broken(vq, "a descriptor that is not there");
		if (guest_read(&vq->vm->memory, table.at + 16ul * next, &desc,
			       sizeof(desc)))
			return broken(vq, "a table is not in memory");
		if (desc.flags & DESC_INDIRECT) {
			if (!deeper || !vq->indirect)
				return broken(vq, "an indirect descriptor "
						  "where none may be");
			/* Not with NEXT (2.7.5.3.1). */
			if ((desc.flags & DESC_NEXT) || desc.size % 16 ||
			    !desc.size || desc.size / 16 > vq->size)
				return broken(vq, "an indirect table's size");
			*deeper = (struct table){desc.address, desc.size / 16};
			return E_OK;
		}
		err = add_area(vq, chain, &desc);
		if (err || !(desc.flags & DESC_NEXT))
			return err;
		next = desc.next;
	}
	return broken(vq, "a chain goes in circles");
}

err_t vq_take(struct virtqueue *vq, struct vq_chain *chain)
{
	struct table table = {vq->desc, vq->size}, deeper = {0, 0};
	u16 waiting, head;
	err_t err;

	if (!vq->enabled)
		return E_NOTFOUND;
	if (vq->broken)
		return E_FORMAT;
	waiting = load16(vq, vq->avail + RING_INDEX) - vq->taken;
	if (!waiting)
		return E_NOTFOUND;
	if (waiting > vq->size)
		return broken(vq, "the driver's index jumps");
	head = load16(vq, vq->avail + RING_ENTRIES +
				  2u * (vq->taken & (vq->size - 1)));
	chain->head = head;
	chain->out = chain->in = 0;
	chain->out_size = chain->in_size = 0;
	err = walk(vq, chain, table, head, &deeper);
	if (!err && deeper.size)
		err = walk(vq, chain, deeper, 0, NULL);
	if (!err)
		vq->taken++;
	return err;
}

void vq_give_back(struct virtqueue *vq, u16 count)
{
	vq->taken -= count;
}

/* --- giving them back */

void vq_add(struct virtqueue *vq, const struct vq_chain *chain, u32 written)
{
	u32 entry[2] = {chain->head, written};
	u16 at = vq->returned + vq->added++;

	dma_write(vq->vm, vq->used + RING_ENTRIES + 8u * (at & (vq->size - 1)),
		  entry, sizeof(entry));
}

void vq_undo(struct virtqueue *vq, u16 count)
{
	vq->added -= count;
	vq->taken -= count;
}

/*
 * 2.7.7: without event index a flag tells; with it, whether the index has just
 * gone past what the driver waits for. What is published must be visible
 * before the driver's wish is read, else both sides may miss each other.
 */
bool vq_publish(struct virtqueue *vq)
{
	u16 old, event;

	if (!vq->added)
		return false;
	vq->returned += vq->added;
	vq->added = 0;
	store16(vq, vq->used + RING_INDEX, vq->returned);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	old = vq->told;
	vq->told = vq->returned;
	if (!vq->event_index)
		return !(load16(vq, vq->avail + RING_FLAGS) &
			 AVAIL_NO_INTERRUPT);
	event = load16(vq, vq->avail + AVAIL_EVENT(vq->size));
	return (u16)(vq->returned - event - 1) < (u16)(vq->returned - old);
}

/* With event index the one that was asked for last is behind us: that is it. */
void vq_quiet(struct virtqueue *vq)
{
	if (vq->enabled && !vq->event_index)
		store16(vq, vq->used + RING_FLAGS, USED_NO_NOTIFY);
}

bool vq_listen_for(struct virtqueue *vq, u16 beyond)
{
	if (!vq->enabled || vq->broken)
		return false;
	if (vq->event_index)
		store16(vq, vq->used + USED_EVENT(vq->size),
			vq->taken + beyond);
	else
		store16(vq, vq->used + RING_FLAGS, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(vq, vq->avail + RING_INDEX) != vq->taken;
}

/* --- a chain's memory */

/*
 * The next stretch of [*offset, *offset + n) that is in the areas from `index`
 * on; *offset is what is left to skip. 0: at the end.
 */
static u64 stretch(const struct vq_area *area, u64 *offset, u64 n, u64 *gpa)
{
	u64 skip = MIN(*offset, (u64)area->size);

	*gpa = area->gpa + skip;
	*offset -= skip;
	return MIN(n, area->size - skip);
}

u64 vq_read(const struct virtqueue *vq, const struct vq_chain *chain,
	    u64 offset, void *dst, u64 n)
{
	u64 done = 0, gpa;

	for (unsigned i = 0; i < chain->out && done < n; i++) {
		u64 now = stretch(&chain->area[i], &offset, n - done, &gpa);

		guest_read(&vq->vm->memory, gpa, (u8 *)dst + done, now);
		done += now;
	}
	return done;
}

u64 vq_write(const struct virtqueue *vq, const struct vq_chain *chain,
	     u64 offset, const void *src, u64 n)
{
	const struct vq_area *area = &chain->area[chain->out];
	u64 done = 0, gpa;

	for (unsigned i = 0; i < chain->in && done < n; i++) {
		u64 now = stretch(&area[i], &offset, n - done, &gpa);

		if (now)
			dma_write(vq->vm, gpa, (const u8 *)src + done, now);
		done += now;
	}
	return done;
}

/* One more piece, or the last one longer. */
static unsigned add_piece(struct net_piece *piece, unsigned count, unsigned max,
			  const u8 *at, u64 size)
{
	struct net_piece *last = &piece[count - 1];

	if (count && (const u8 *)last->at + last->size == at &&
	    size <= UINT32_MAX - last->size) {
		last->size += size;
		return count;
	}
	if (count < max)
		piece[count] = (struct net_piece){at, size, 0};
	return count + 1;
}

unsigned vq_pieces(const struct virtqueue *vq, const struct vq_chain *chain,
		   u64 offset, struct net_piece *piece, unsigned max)
{
	unsigned count = 0;
	u64 gpa, left = 0;

	for (unsigned i = 0; i < chain->out && count <= max; i++) {
		u64 n = stretch(&chain->area[i], &offset, ~0ULL, &gpa);

		for (; n && count <= max; n -= left, gpa += left) {
			const u8 *at = guest_ram(&vq->vm->memory, gpa, &left);

			left = MIN(left, n);
			count = add_piece(piece, count, max, at, left);
		}
	}
	return count <= max ? count : 0;
}
