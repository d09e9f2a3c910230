#include "boot/memory.h"
#include "lib/string.h"

static EFI_BOOT_SERVICES *bs;
static struct extent ledger[EXTENTS_MAX];
static size_t ledger_count;

void memory_start(EFI_BOOT_SERVICES *services)
{
	bs = services;
}

static void *ledger_add(u64 base, u64 pages, enum memory_use use)
{
	ledger[ledger_count++] =
		(struct extent){.base = base, .pages = pages, .use = use};
	return memset((void *)base, 0, pages << PAGE_SHIFT);
}

static u64 pages_for(u64 bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & PAGE_MASK) != 0);
}

static bool take(u64 pages, u64 limit, u64 *base)
{
	EFI_PHYSICAL_ADDRESS at = limit - 1;
	EFI_ALLOCATE_TYPE type = limit ? AllocateMaxAddress : AllocateAnyPages;

	if (ledger_count == EXTENTS_MAX ||
	    EFI_ERROR(bs->AllocatePages(type, EfiLoaderData, pages, &at)))
		return false;
	*base = at;
	return true;
}

void *memory_alloc(u64 bytes, enum memory_use use, u64 limit)
{
	u64 pages = pages_for(bytes), base;

	if (!pages || !take(pages, limit, &base))
		return NULL;
	return ledger_add(base, pages, use);
}

/* The firmware aligns to pages only: take more, give head and tail back. */
void *memory_alloc_aligned(u64 bytes, u64 align)
{
	u64 pages = pages_for(bytes);
	u64 spare = (align >> PAGE_SHIFT) - 1;
	u64 taken, base, head;

	if (!pages || !take(pages + spare, 0, &taken))
		return NULL;
	base = ALIGN_UP(taken, align);
	head = (base - taken) >> PAGE_SHIFT;
	if (head)
		bs->FreePages(taken, head);
	if (spare - head)
		bs->FreePages(base + (pages << PAGE_SHIFT), spare - head);
	return ledger_add(base, pages, MEMORY_KEEP);
}

void memory_free_all(void)
{
	while (ledger_count) {
		struct extent *e = &ledger[--ledger_count];

		bs->FreePages(e->base, e->pages);
	}
}

const struct extent *memory_extent(size_t i)
{
	return i < ledger_count ? &ledger[i] : NULL;
}
