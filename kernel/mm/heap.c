/*
 * A slab is one page: a header, then objects of one size. Free objects are
 * linked through their first word, hold a mark in the second and are poisoned
 * after it. An address in the middle of a page is an object, a page's first
 * address is a block of whole pages: kfree() needs no more to tell them apart.
 */
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/pages.h"

#define SLAB_MAGIC  0x62616c73U /* "slab" */
#define HEADER_SIZE 64
#define FREE_MARK   0xfeeefeeefeeefeeeULL
#define POISON	    0xddddddddddddddddULL

/* Chosen to leave little of a page unused; whole cache lines from one on. */
static const u16 class_size[] = {16,  32,  64,	128,  192, 320,
				 448, 640, 960, 1344, 1984};
#define CLASSES ARRAY_LEN(class_size)
#define LARGEST 1984

struct object {
	struct object *next;
	u64 mark;
	u64 poison[];
};

struct slab {
	u32 magic;
	u16 class;
	u16 used;
	struct object *free;
	struct slab *next, *prev; /* among those with free objects */
};
_Static_assert(sizeof(struct slab) <= HEADER_SIZE, "struct slab");

static struct spinlock lock = SPINLOCK_INIT;
static struct slab *partial[CLASSES];

static unsigned class_for(size_t size)
{
	unsigned c = 0;

	while (class_size[c] < size)
		c++;
	return c;
}

static void link_slab(struct slab *slab)
{
	struct slab **head = &partial[slab->class];

	slab->prev = NULL;
	slab->next = *head;
	if (*head != NULL)
		(*head)->prev = slab;
	*head = slab;
}

static void unlink_slab(struct slab *slab)
{
	if (slab->prev != NULL)
		slab->prev->next = slab->next;
	else
		partial[slab->class] = slab->next;
	if (slab->next != NULL)
		slab->next->prev = slab->prev;
}

static size_t poison_words(const struct slab *slab)
{
	return (class_size[slab->class] - sizeof(struct object)) / 8;
}

static void put_object(struct slab *slab, struct object *object)
{
	object->next = slab->free;
	object->mark = FREE_MARK;
	for (size_t i = 0; i < poison_words(slab); i++)
		object->poison[i] = POISON;
	slab->free = object;
}

static struct object *take_object(struct slab *slab)
{
	struct object *object = slab->free;

	if (object->mark != FREE_MARK)
		panic("heap: %p was written after it was freed", object);
	for (size_t i = 0; i < poison_words(slab); i++) {
		if (object->poison[i] != POISON)
			panic("heap: %p was written after it was freed",
			      &object->poison[i]);
	}
	object->mark = 0;
	slab->free = object->next;
	slab->used++;
	return object;
}

/*
 * Filled for QEMU's sake, not for its content: under TCG every store to a page
 * that still holds code the firmware ran costs microseconds, until all of the
 * page has been written.
 */
static u64 fresh_pages(unsigned order)
{
	return page_alloc_zeroed(order);
}

static struct slab *new_slab(unsigned class)
{
	u64 phys = fresh_pages(ORDER_4K);
	unsigned size = class_size[class];
	struct slab *slab;

	if (phys == 0)
		return NULL;
	slab = phys_to_virt(phys);
	*slab = (struct slab){.magic = SLAB_MAGIC, .class = (u16) class};
	for (u64 at = HEADER_SIZE; at + size <= PAGE_SIZE; at += size)
		put_object(slab, (struct object *)((u8 *)slab + at));
	link_slab(slab);
	return slab;
}

static void *alloc_small(size_t size)
{
	unsigned class = class_for(size);
	struct object *object = NULL;
	struct slab *slab;

	spin_lock(&lock);
	slab = partial[class];
	if (slab == NULL)
		slab = new_slab(class);
	if (slab != NULL) {
		object = take_object(slab);
		if (slab->free == NULL)
			unlink_slab(slab);
	}
	spin_unlock(&lock);
	return object;
}

void *kmalloc(size_t size)
{
	u64 phys;

	if (size <= LARGEST)
		return alloc_small(size);
	if (size > GIB(1))
		return NULL;
	phys = fresh_pages(order_for(size));
	return phys != 0 ? phys_to_virt(phys) : NULL;
}

void *kzalloc(size_t size)
{
	void *ptr = kmalloc(size);

	if (ptr != NULL)
		memset(ptr, 0, size);
	return ptr;
}

/* A live object may by chance hold the mark: only the list proves it free. */
static bool is_free(const struct slab *slab, const struct object *object)
{
	if (object->mark != FREE_MARK)
		return false;
	for (const struct object *o = slab->free; o != NULL; o = o->next) {
		if (o == object)
			return true;
	}
	return false;
}

static void check_object(const struct slab *slab, const void *ptr)
{
	u64 offset = (u64)ptr & PAGE_MASK;

	if (slab->magic != SLAB_MAGIC || offset < HEADER_SIZE ||
	    (offset - HEADER_SIZE) % class_size[slab->class] != 0)
		panic("kfree(%p): not from kmalloc", ptr);
	if (is_free(slab, ptr))
		panic("kfree(%p): freed twice", ptr);
}

/* An empty slab goes back, unless it is the last one with free objects. */
static void free_small(struct slab *slab, void *ptr)
{
	spin_lock(&lock);
	check_object(slab, ptr);
	if (slab->free == NULL)
		link_slab(slab);
	put_object(slab, ptr);
	slab->used--;
	if (slab->used == 0 && (slab->next != NULL || slab->prev != NULL)) {
		unlink_slab(slab);
		slab->magic = 0;
		page_free(virt_to_phys(slab), ORDER_4K);
	}
	spin_unlock(&lock);
}

void kfree(void *ptr)
{
	u64 phys;

	if (ptr == NULL)
		return;
	if (((u64)ptr & PAGE_MASK) != 0) {
		free_small((void *)ALIGN_DOWN((u64)ptr, PAGE_SIZE), ptr);
		return;
	}
	phys = virt_to_phys(ptr);
	page_free(phys, page_block_order(phys));
}
