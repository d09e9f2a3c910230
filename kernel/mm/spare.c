#include "mm/spare.h"

#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/pages.h"

#define BLOCK (PAGE_SIZE << ORDER_2M)

/* The first word of a block is the next one's address, or 0. */
static struct {
	struct spinlock lock;
	u64 clean, worn, count;
	u64 now;  /* the block that is being cleared, in no list, or 0 */
	u64 done; /* bytes of it */
} spare;

static void push(u64 *list, u64 phys)
{
	*(u64 *)phys_to_virt(phys) = *list;
	*list = phys;
	spare.count++;
}

static u64 pop(u64 *list)
{
	u64 phys = *list, *next = phys_to_virt(phys);

	if (!phys)
		return 0;
	*list = *next;
	*next = 0;
	spare.count--;
	return phys;
}

u64 spare_alloc(bool *cleared)
{
	u64 phys;

	spin_lock(&spare.lock);
	phys = pop(&spare.clean);
	spin_unlock(&spare.lock);
	*cleared = phys;
	return phys ? phys : page_alloc(ORDER_2M);
}

void spare_free(u64 phys)
{
	spin_lock(&spare.lock);
	push(&spare.worn, phys);
	spin_unlock(&spare.lock);
}

static void clear_page(void)
{
	if (!spare.now) {
		spare.now = pop(&spare.worn);
		spare.done = 0;
	}
	if (!spare.now)
		return;
	memset(phys_to_virt(spare.now + spare.done), 0, PAGE_SIZE);
	spare.done += PAGE_SIZE;
	if (spare.done < BLOCK)
		return;
	push(&spare.clean, spare.now);
	spare.now = 0;
}

bool spare_clear(void)
{
	bool more;

	spin_lock(&spare.lock);
	clear_page();
	more = spare.now || spare.worn;
	spin_unlock(&spare.lock);
	return more;
}

/* Worn ones first: what is cleared is worth more where it is. */
static u64 take_any(void)
{
	u64 phys;

	spin_lock(&spare.lock);
	phys = pop(&spare.worn);
	if (!phys) {
		phys = spare.now;
		spare.now = 0;
	}
	if (!phys)
		phys = pop(&spare.clean);
	spin_unlock(&spare.lock);
	return phys;
}

bool spare_give_back(void)
{
	bool any = false;

	for (u64 phys; (phys = take_any()); any = true)
		page_free(phys, ORDER_2M);
	return any;
}

u64 spare_bytes(void)
{
	u64 bytes;

	spin_lock(&spare.lock);
	bytes = (spare.count + !!spare.now) * BLOCK;
	spin_unlock(&spare.lock);
	return bytes;
}
