#include "boot/handover.h"
#include "boot/memory.h"
#include "boot/memory_map.h"
#include "boot/paging.h"
#include "boot/say.h"

/* The map grows by our own allocations, and by timers' while we look. */
#define MAP_SPARE_DESCRIPTORS 64
#define EXIT_ATTEMPTS	      8

#define CR4_PGE	  BIT(7)
#define CR4_LA57  BIT(12)
#define CR4_PCIDE BIT(17)
#define CR4_CET	  BIT(23)

static EFI_STATUS take_map(struct handover *h)
{
	UINT32 version;

	h->map_size = h->map_room;
	return h->bs->GetMemoryMap(&h->map_size, h->map, &h->map_key,
				   &h->descriptor_size, &version);
}

/* The map's descriptors, then what we want to keep of it. */
static size_t fill_spans(struct handover *h)
{
	const struct extent *e;
	size_t n = 0;

	for (UINTN at = 0; at + h->descriptor_size <= h->map_size;
	     at += h->descriptor_size) {
		EFI_MEMORY_DESCRIPTOR *d = (void *)((u8 *)h->map + at);

		h->spans[n++] = memory_map_span(d->Type, d->PhysicalStart,
						d->NumberOfPages, d->Attribute);
	}
	for (size_t i = 0; (e = memory_extent(i)); i++) {
		if (e->use == MEMORY_KEEP)
			h->spans[n++] = (struct span){
				.base = e->base,
				.end = e->base + (e->pages << PAGE_SHIFT),
				.kind = BOOT_MEM_KEEP,
			};
	}
	return n;
}

EFI_STATUS handover_prepare(struct handover *h)
{
	EFI_STATUS status = take_map(h);
	u64 regions;

	if (status != EFI_BUFFER_TOO_SMALL)
		return fail(EFI_DEVICE_ERROR, "no memory map: %s",
			    status_text(status));
	h->map_room = h->map_size + MAP_SPARE_DESCRIPTORS * h->descriptor_size;
	h->spans_room = h->map_room / h->descriptor_size + EXTENTS_MAX;
	regions = 2 * h->spans_room;

	h->map = memory_alloc(h->map_room, MEMORY_SCRATCH, 0);
	h->spans = memory_alloc(h->spans_room * sizeof(*h->spans),
				MEMORY_SCRATCH, 0);
	h->edges = memory_alloc(regions * sizeof(*h->edges), MEMORY_SCRATCH, 0);
	h->info->regions = (u64)memory_alloc(
		regions * sizeof(struct boot_region), MEMORY_KEEP, 0);
	if (!h->map || !h->spans || !h->edges || !h->info->regions)
		return fail(EFI_OUT_OF_RESOURCES,
			    "out of memory for the memory map");
	return EFI_SUCCESS;
}

EFI_STATUS handover_page_tables(struct handover *h)
{
	struct boot_info *info = h->info;
	EFI_STATUS status = take_map(h);
	u64 bytes;
	void *tables;

	if (EFI_ERROR(status))
		return fail(status, "no memory map: %s", status_text(status));
	info->direct_size =
		MAX(GIB(4), memory_map_top(h->spans, fill_spans(h)));
	info->direct_size = ALIGN_UP(info->direct_size, GIB(1));
	if (info->direct_size > PAGING_DIRECT_MAX)
		return fail(EFI_UNSUPPORTED, "memory at 0x%lx is too far up",
			    info->direct_size);

	/* The other CPUs load CR3 in 32-bit code: below 4 GiB. */
	bytes = paging_bytes(info->direct_size);
	tables = memory_alloc(bytes, MEMORY_KEEP, GIB(4));
	if (!tables)
		return fail(EFI_OUT_OF_RESOURCES,
			    "out of memory for %lu KiB of page tables",
			    bytes >> 10);
	h->cr3 = paging_build(tables, info->direct_size, info->kernel_phys,
			      info->kernel_size);
	return EFI_SUCCESS;
}

static u64 read_cr4(void)
{
	u64 cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return cr4;
}

/*
 * This code runs on in the identity map. Leaving global pages, PCIDs and shadow
 * stacks off means that nothing of the firmware's tables outlives them.
 */
static NORETURN void jump(struct handover *h)
{
	u64 cr4 = read_cr4() & ~(CR4_PGE | CR4_PCIDE | CR4_CET);
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	h->info->jump_tsc = (u64)high << 32 | low;
	__asm__ volatile("cld\n\t"
			 "mov %0, %%cr4\n\t"
			 "mov %1, %%cr3\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "jmp *%2"
			 :
			 : "r"(cr4), "r"(h->cr3), "r"(h->entry),
			   "D"(DIRECT_MAP_BASE + (u64)h->info)
			 : "memory");
	__builtin_unreachable();
}

/*
 * UEFI 2.10, 7.4.6: when the map has changed since it was taken, the call fails
 * with EFI_INVALID_PARAMETER, and it is to be taken again; from then on only
 * the memory services may be called, so that nothing more can be said.
 */
static EFI_STATUS exit_boot_services(struct handover *h)
{
	EFI_STATUS status = EFI_INVALID_PARAMETER;

	for (unsigned i = 0; i < EXIT_ATTEMPTS; i++) {
		status = take_map(h);
		if (EFI_ERROR(status))
			return status;
		status = h->bs->ExitBootServices(h->image, h->map_key);
		if (status != EFI_INVALID_PARAMETER)
			return status;
	}
	return status;
}

EFI_STATUS handover_leave(struct handover *h)
{
	struct boot_info *info = h->info;
	EFI_STATUS status;

	/* 4-level tables cannot be loaded under 5-level paging. */
	if (read_cr4() & CR4_LA57)
		return fail(EFI_UNSUPPORTED,
			    "the firmware runs with 5-level paging");
	status = exit_boot_services(h);
	if (EFI_ERROR(status))
		return status;
	__asm__ volatile("cli");
	info->region_count =
		(u32)memory_map_build(h->spans, fill_spans(h), h->edges,
				      (struct boot_region *)info->regions);
	jump(h);
}
