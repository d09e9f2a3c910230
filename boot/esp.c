/*
 * Files from the EFI partition: UEFI 2.10, 13.4 "Simple File System Protocol"
 * and 13.5 "File Protocol".
 */
#include "boot/files.h"
#include "boot/say.h"
#include "lib/string.h"

#define DEPTH_MAX 8
#define PATH_SIZE 256

/* One directory being read; a deeper one continues its path. */
struct folder {
	EFI_FILE_HANDLE handle;
	unsigned depth;
	size_t path_length; /* with the '/' at its end, 0 for \godwit itself */
};

struct walk {
	struct boot_info *info;
	char path[PATH_SIZE]; /* relative to \godwit */
};

static EFI_STATUS read_folder(struct walk *walk, const struct folder *folder);

static EFI_STATUS read_bytes(EFI_FILE_HANDLE handle, const char *name, u8 *data,
			     u64 size)
{
	for (u64 done = 0; done < size;) {
		UINTN n = size - done;
		EFI_STATUS status = handle->Read(handle, &n, data + done);

		if (EFI_ERROR(status))
			return fail(status, "%s: read error: %s", name,
				    status_text(status));
		if (!n)
			return fail(EFI_END_OF_FILE,
				    "%s: truncated: %lu of %lu bytes", name,
				    done, size);
		done += n;
	}
	return EFI_SUCCESS;
}

static EFI_STATUS read_file(struct walk *walk, EFI_FILE_HANDLE handle, u64 size)
{
	void *data;
	EFI_STATUS status = files_add(walk->info, walk->path, size, &data);

	if (EFI_ERROR(status))
		return status;
	return read_bytes(handle, walk->path, data, size);
}

static EFI_STATUS read_subfolder(struct walk *walk, const struct folder *parent,
				 EFI_FILE_HANDLE handle)
{
	size_t length = strlen(walk->path);
	struct folder folder = {.handle = handle, .depth = parent->depth + 1};

	if (folder.depth > DEPTH_MAX || length + 2 > PATH_SIZE)
		return fail(EFI_UNSUPPORTED, "%s: folders nested too deep",
			    walk->path);
	walk->path[length] = '/';
	folder.path_length = length + 1;
	return read_folder(walk, &folder);
}

static bool is_dot(const CHAR16 *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static EFI_STATUS read_entry(struct walk *walk, const struct folder *folder,
			     EFI_FILE_INFO *entry)
{
	EFI_FILE_HANDLE handle;
	EFI_STATUS status;
	char *name = walk->path + folder->path_length;

	if (is_dot(entry->FileName))
		return EFI_SUCCESS;
	if (!ascii_from_ucs2(name, PATH_SIZE - folder->path_length,
			     entry->FileName))
		return fail(EFI_UNSUPPORTED,
			    "%s: the name is too long or not plain ASCII",
			    walk->path);
	status = folder->handle->Open(folder->handle, &handle, entry->FileName,
				      EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(status))
		return fail(status, "%s: cannot be opened: %s", walk->path,
			    status_text(status));
	if (entry->Attribute & EFI_FILE_DIRECTORY)
		status = read_subfolder(walk, folder, handle);
	else
		status = read_file(walk, handle, entry->FileSize);
	handle->Close(handle);
	return status;
}

/* Reading a directory gives one EFI_FILE_INFO a time, and 0 bytes at its end.
 */
static EFI_STATUS read_folder(struct walk *walk, const struct folder *folder)
{
	union {
		EFI_FILE_INFO info;
		u8 room[sizeof(EFI_FILE_INFO) + 256 * sizeof(CHAR16)];
	} entry;

	for (;;) {
		UINTN size = sizeof(entry);
		EFI_STATUS status =
			folder->handle->Read(folder->handle, &size, &entry);

		walk->path[folder->path_length] = '\0';
		if (EFI_ERROR(status))
			return fail(status, "\\godwit\\%s: read error: %s",
				    walk->path, status_text(status));
		if (!size)
			return EFI_SUCCESS;
		status = read_entry(walk, folder, &entry.info);
		if (EFI_ERROR(status))
			return status;
	}
}

static EFI_STATUS read_godwit(EFI_FILE_HANDLE handle, struct boot_info *info)
{
	static EFI_GUID file_info = EFI_FILE_INFO_ID;
	struct walk walk = {.info = info};
	struct folder folder = {.handle = handle};
	union {
		EFI_FILE_INFO info;
		u8 room[sizeof(EFI_FILE_INFO) + 256 * sizeof(CHAR16)];
	} self;
	UINTN size = sizeof(self);
	EFI_STATUS status = handle->GetInfo(handle, &file_info, &size, &self);

	if (EFI_ERROR(status))
		return fail(status, "\\godwit: cannot be examined: %s",
			    status_text(status));
	if (!(self.info.Attribute & EFI_FILE_DIRECTORY))
		return fail(EFI_UNSUPPORTED, "\\godwit: not a folder");
	info->source = BOOT_FROM_ESP;
	say("files from the EFI partition's folder \\godwit:\n");
	return read_folder(&walk, &folder);
}

/* EFI_NOT_FOUND: the image did not come from a file system. */
static EFI_STATUS open_volume(EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
			      EFI_FILE_HANDLE *root)
{
	static EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	static EFI_GUID simple_fs = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_LOADED_IMAGE_PROTOCOL *self;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs;
	EFI_STATUS status;

	status = bs->HandleProtocol(image, &loaded_image, (void **)&self);
	if (EFI_ERROR(status) || !self->DeviceHandle)
		return EFI_NOT_FOUND;
	status = bs->HandleProtocol(self->DeviceHandle, &simple_fs,
				    (void **)&fs);
	if (EFI_ERROR(status))
		return EFI_NOT_FOUND;
	status = fs->OpenVolume(fs, root);
	if (EFI_ERROR(status))
		return fail(status, "the EFI partition cannot be opened: %s",
			    status_text(status));
	return EFI_SUCCESS;
}

EFI_STATUS esp_load(EFI_HANDLE image, EFI_BOOT_SERVICES *bs,
		    struct boot_info *info)
{
	EFI_FILE_HANDLE root, godwit;
	EFI_STATUS status = open_volume(image, bs, &root);

	if (EFI_ERROR(status))
		return status;
	status = root->Open(root, &godwit, L"\\godwit", EFI_FILE_MODE_READ, 0);
	if (!EFI_ERROR(status)) {
		status = read_godwit(godwit, info);
		godwit->Close(godwit);
	} else if (status != EFI_NOT_FOUND) {
		fail(status, "\\godwit: cannot be opened: %s",
		     status_text(status));
	}
	root->Close(root);
	return status;
}
