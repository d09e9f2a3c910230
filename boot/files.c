#include "boot/files.h"
#include "boot/memory.h"
#include "boot/say.h"
#include "lib/string.h"

static struct boot_file *table(const struct boot_info *info)
{
	return (struct boot_file *)info->files;
}

EFI_STATUS files_add(struct boot_info *info, const char *name, u64 size,
		     void **data)
{
	struct boot_file *file = &table(info)[info->file_count];
	size_t length = strlen(name);

	if (info->file_count == FILES_MAX)
		return fail(EFI_OUT_OF_RESOURCES, "%s: more than %u files",
			    name, FILES_MAX);
	if (!length || length >= sizeof(file->name))
		return fail(EFI_UNSUPPORTED,
			    "%s: a name has 1 to %u characters", name,
			    (unsigned)sizeof(file->name) - 1);

	/* An empty file has an address too. */
	*data = memory_alloc(MAX(size, 1), MEMORY_KEEP, 0);
	if (!*data)
		return fail(EFI_OUT_OF_RESOURCES,
			    "%s: out of memory for its %lu bytes", name, size);
	memcpy(file->name, name, length + 1);
	file->phys = (u64)*data;
	file->size = size;
	info->file_count++;
	say("  %40s %10lu bytes\n", name, size);
	return EFI_SUCCESS;
}

const struct boot_file *files_find(const struct boot_info *info,
				   const char *name)
{
	for (u32 i = 0; i < info->file_count; i++) {
		if (!strcmp(table(info)[i].name, name))
			return &table(info)[i];
	}
	return NULL;
}

EFI_STATUS files_load(EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
		      struct boot_info *info)
{
	EFI_STATUS status;

	info->files = (u64)memory_alloc(FILES_MAX * sizeof(struct boot_file),
					MEMORY_KEEP, 0);
	if (!info->files)
		return fail(EFI_OUT_OF_RESOURCES,
			    "out of memory for the list of files");

	status = esp_load(image, bs, info);
	if (status == EFI_NOT_FOUND)
		status = fw_cfg_load(info);
	if (status == EFI_NOT_FOUND)
		return fail(status, "no files: there is neither a folder "
				    "\\godwit beside \\EFI nor a QEMU fw_cfg "
				    "item opt/godwit/kernel.elf");
	return status;
}
