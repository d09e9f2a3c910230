#include "boot/memory_map.h"

/* UEFI 2.10, 7.2.1, "Memory Type Usage after ExitBootServices". */
enum efi_memory_type {
	LOADER_CODE = 1,
	LOADER_DATA = 2,
	BOOT_SERVICES_CODE = 3,
	BOOT_SERVICES_DATA = 4,
	CONVENTIONAL_MEMORY = 7,
	ACPI_RECLAIM_MEMORY = 9,
	ACPI_MEMORY_NVS = 10,
	MEMORY_MAPPED_IO = 11,
	MEMORY_MAPPED_IO_PORT_SPACE = 12,
};

/* UEFI 2.10, 7.2.3 "EFI_BOOT_SERVICES.GetMemoryMap()". */
#define MEMORY_WB      BIT(3)  /* can be cached */
#define MEMORY_NV      BIT(15) /* non-volatile */
#define MEMORY_SP      BIT(18) /* set aside for a special purpose */
#define MEMORY_RUNTIME BIT(63) /* the runtime services need it */

/* Above what any x86-64 CPU can address. */
#define PHYSICAL_END BIT(52)

/* RAM that may be used like any other: cached, volatile, nobody's. */
static bool ordinary(u64 attributes)
{
	return (attributes & MEMORY_WB) &&
	       !(attributes & (MEMORY_NV | MEMORY_SP | MEMORY_RUNTIME));
}

static enum boot_memory_kind kind_of(u32 type, u64 attributes)
{
	switch (type) {
	case LOADER_CODE:
	case LOADER_DATA:
	case BOOT_SERVICES_CODE:
	case BOOT_SERVICES_DATA:
	case CONVENTIONAL_MEMORY:
		return ordinary(attributes) ? BOOT_MEM_FREE : BOOT_MEM_RESERVED;
	case ACPI_RECLAIM_MEMORY:
	case ACPI_MEMORY_NVS:
		return BOOT_MEM_ACPI;
	case MEMORY_MAPPED_IO:
	case MEMORY_MAPPED_IO_PORT_SPACE:
		return BOOT_MEM_MMIO;
	default: /* runtime services, unusable, persistent, unaccepted, ... */
		return BOOT_MEM_RESERVED;
	}
}

/* A free page is wholly free; of the others, a touched page counts. */
struct span memory_map_span(u32 type, u64 base, u64 pages, u64 attributes)
{
	struct span s = {.kind = kind_of(type, attributes)};
	u64 room, end;

	base = MIN(base, PHYSICAL_END);
	room = (PHYSICAL_END - base) >> PAGE_SHIFT;
	end = base + (MIN(pages, room) << PAGE_SHIFT);
	if (s.kind == BOOT_MEM_FREE) {
		s.base = ALIGN_UP(base, PAGE_SIZE);
		s.end = MAX(s.base, ALIGN_DOWN(end, PAGE_SIZE));
	} else {
		s.base = ALIGN_DOWN(base, PAGE_SIZE);
		s.end = pages ? ALIGN_UP(end, PAGE_SIZE) : s.base;
	}
	return s;
}

u64 memory_map_top(const struct span *spans, size_t count)
{
	u64 top = 0;

	for (size_t i = 0; i < count; i++) {
		enum boot_memory_kind kind = spans[i].kind;

		if (kind == BOOT_MEM_FREE || kind == BOOT_MEM_KEEP ||
		    kind == BOOT_MEM_ACPI)
			top = MAX(top, spans[i].end);
	}
	return top;
}

static void sort(u64 *values, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		u64 value = values[i];
		size_t at = i;

		for (; at && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

/* The kind of base..end, which no span's edge divides. -1: in no span. */
static int strongest(const struct span *spans, size_t count, u64 base, u64 end)
{
	/* What the firmware claims for itself it must have. */
	static const u8 strength[] = {
		[BOOT_MEM_FREE] = 0, [BOOT_MEM_KEEP] = 1,
		[BOOT_MEM_ACPI] = 2, [BOOT_MEM_RESERVED] = 3,
		[BOOT_MEM_MMIO] = 4,
	};
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		const struct span *s = &spans[i];

		if (s->base <= base && s->end >= end &&
		    (best < 0 || strength[s->kind] > strength[best]))
			best = (int)s->kind;
	}
	return best;
}

/* Between two neighbouring edges the kind does not change. */
size_t memory_map_build(const struct span *spans, size_t count, u64 *edges,
			struct boot_region *regions)
{
	struct boot_region *last = NULL;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		edges[2 * i] = spans[i].base;
		edges[2 * i + 1] = spans[i].end;
	}
	sort(edges, 2 * count);

	for (size_t i = 0; i + 1 < 2 * count; i++) {
		u64 base = edges[i], end = edges[i + 1];
		int kind = -1;

		if (base < end)
			kind = strongest(spans, count, base, end);
		if (kind < 0)
			continue;
		if (last && last->kind == (u32)kind &&
		    last->base + last->size == base) {
			last->size += end - base;
			continue;
		}
		last = &regions[n++];
		*last = (struct boot_region){
			.base = base, .size = end - base, .kind = (u32)kind};
	}
	return n;
}
