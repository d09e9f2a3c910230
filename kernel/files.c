#include "files.h"

#include "lib/string.h"
#include "mm/pages.h"

static const struct boot_file *files;
static unsigned file_count;

void files_init(const struct boot_info *info)
{
	files = phys_to_virt(info->files);
	file_count = info->file_count;
}

bool file_at(unsigned index, struct file *file)
{
	if (index >= file_count)
		return false;
	file->name = files[index].name;
	file->data = phys_to_virt(files[index].phys);
	file->size = files[index].size;
	return true;
}

bool file_find(const char *name, struct file *file)
{
	for (unsigned i = 0; file_at(i, file); i++)
		if (!strcmp(file->name, name))
			return true;
	return false;
}
