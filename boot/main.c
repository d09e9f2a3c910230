/*
 * BOOTX64.EFI: reads the kernel and what it needs, leaves the firmware, jumps.
 * Whatever fails before that is said on the console, and everything taken from
 * the firmware goes back to it.
 */
#include <efi.h>

#include "boot/boot_info.h"
#include "boot/elf.h"
#include "boot/files.h"
#include "boot/firmware.h"
#include "boot/handover.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "boot/say.h"
#include "lib/string.h"

#define KERNEL_NAME	 "kernel.elf"
#define KERNEL_PAGE_SIZE MIB(2)

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_STATUS make_info(struct handover *h)
{
	h->info = memory_alloc(sizeof(*h->info), MEMORY_KEEP, 0);
	if (!h->info)
		return fail(EFI_OUT_OF_RESOURCES, "out of memory");
	h->info->magic = BOOT_INFO_MAGIC;
	h->info->version = BOOT_INFO_VERSION;
	h->info->size = sizeof(*h->info);
	return EFI_SUCCESS;
}

static EFI_STATUS refuse_kernel(const char *why, int culprit)
{
	if (culprit >= 0)
		return fail(EFI_LOAD_ERROR,
			    KERNEL_NAME ": program header %u: "
					"%s",
			    (unsigned)culprit, why);
	return fail(EFI_LOAD_ERROR, KERNEL_NAME ": %s", why);
}

/* One block, 2 MiB aligned, so that large pages can map it. */
static EFI_STATUS place_kernel(struct handover *h, const u8 *file,
			       const struct elf_image *elf)
{
	u64 size = ALIGN_UP(elf->size, KERNEL_PAGE_SIZE);
	u8 *block = memory_alloc_aligned(size, KERNEL_PAGE_SIZE);

	if (!block)
		return fail(EFI_OUT_OF_RESOURCES,
			    KERNEL_NAME ": out of memory for its %lu KiB",
			    size >> 10);
	for (u32 i = 0; i < elf->count; i++) {
		const struct elf_segment *s = &elf->segments[i];

		memcpy(block + (s->vaddr - KERNEL_BASE), file + s->offset,
		       s->file_size);
	}
	h->info->kernel_phys = (u64)block;
	h->info->kernel_size = size;
	h->entry = elf->entry;
	say("kernel: %u segments, %lu KiB at 0x%lx\n", elf->count,
	    elf->size >> 10, h->info->kernel_phys);
	return EFI_SUCCESS;
}

static EFI_STATUS load_kernel(struct handover *h)
{
	const struct boot_file *file = files_find(h->info, KERNEL_NAME);
	struct elf_image elf;
	const char *why;
	int culprit;

	if (!file)
		return fail(EFI_NOT_FOUND,
			    KERNEL_NAME ": not found among these files");
	why = elf_parse((void *)file->phys, file->size, KERNEL_BASE,
			KERNEL_BASE + PAGING_KERNEL_MAX, &elf, &culprit);
	if (why)
		return refuse_kernel(why, culprit);
	return place_kernel(h, (u8 *)file->phys, &elf);
}

static EFI_STATUS ask_firmware(struct handover *h, EFI_SYSTEM_TABLE *system)
{
	struct boot_info *info = h->info;
	EFI_STATUS status = firmware_cpus(h->bs, info);

	firmware_tables(system, info);
	firmware_console(h->bs, info);
	say("machine: %u CPUs, ACPI %s, console port 0x%x, firmware %s\n",
	    info->cpu_count, info->rsdp ? "yes" : "no", info->console.port,
	    info->firmware);
	return status;
}

static EFI_STATUS boot(struct handover *h, EFI_SYSTEM_TABLE *system)
{
	EFI_STATUS status = make_info(h);

	if (!EFI_ERROR(status))
		status = files_load(h->image, h->bs, h->info);
	if (!EFI_ERROR(status))
		status = load_kernel(h);
	if (!EFI_ERROR(status))
		status = ask_firmware(h, system);
	if (!EFI_ERROR(status))
		status = handover_prepare(h);
	if (!EFI_ERROR(status))
		status = handover_page_tables(h);
	if (!EFI_ERROR(status))
		status = handover_leave(h);
	return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct handover h = {.image = image, .bs = system->BootServices};
	EFI_STATUS status;

	say_start(system);
	memory_start(h.bs);
	say("\nGodwit boots\n");
	status = boot(&h, system);
	memory_free_all();
	return status;
}
