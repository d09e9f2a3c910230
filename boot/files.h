/*
 * The files the kernel is given, from one of two places: the folder \godwit of
 * the partition this program came from, or the items opt/godwit/... that QEMU
 * was started with. Every file there is loaded.
 */
#ifndef BOOT_FILES_H
#define BOOT_FILES_H

#include <efi.h>

#include "boot/boot_info.h"
#include "lib/types.h"

#define FILES_MAX 256

/* Fills files, file_count and source. Says which files, or what went wrong. */
EFI_STATUS files_load(EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
		      struct boot_info *info);

/* NULL: there is none of that name. */
const struct boot_file *files_find(const struct boot_info *info,
				   const char *name);

/* The two places. EFI_NOT_FOUND, said by nobody: it has nothing of ours. */
EFI_STATUS esp_load(EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
		    struct boot_info *info);
EFI_STATUS fw_cfg_load(struct boot_info *info);

/* For them: a new entry of the list, and memory to read size bytes to. */
EFI_STATUS files_add(struct boot_info *info, const char *name, u64 size,
		     void **data);

#endif
