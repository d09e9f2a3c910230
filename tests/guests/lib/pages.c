#include "pages.h"

#define POOL 48

static u8 pool[POOL][4096] ALIGNED(4096);
static unsigned used;

void *page_alloc(void)
{
	if (used == POOL) {
		print("FAIL guest: out of pages\n");
		guest_end(1);
	}
	return memset(pool[used++], 0, 4096);
}

static u64 *table_of(u64 entry)
{
	return (u64 *)(entry & PTE_ADDRESS);
}

/* A large page becomes a table of 512 smaller ones. */
static u64 split(u64 entry, unsigned level)
{
	u64 *table = page_alloc(), size = 1ULL << (12 + 9 * (level - 1));
	u64 flags = entry & ~PTE_ADDRESS;

	if (level == 1)
		flags &= ~PTE_PS;
	for (unsigned i = 0; i < 512; i++)
		table[i] = (entry & PTE_ADDRESS) + i * size + flags;
	return (u64)table | PTE_RWU;
}

u64 *page_entry(u64 linear, unsigned level)
{
	u64 *table = pml4;

	for (unsigned at = 3;; at--) {
		u64 *entry = &table[linear >> (12 + 9 * at) & 511];

		if (at == level)
			return entry;
		if (!(*entry & PTE_P))
			*entry = (u64)page_alloc() | PTE_RWU;
		else if (*entry & PTE_PS)
			*entry = split(*entry, at);
		table = table_of(*entry);
	}
}

void page_map(u64 linear, u64 physical, u64 flags)
{
	*page_entry(linear, 0) = physical | flags;
	invlpg((void *)linear);
}

void page_unmap(u64 linear)
{
	page_map(linear, 0, 0);
}
