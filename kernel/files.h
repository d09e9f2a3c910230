/* The files the loader brought along, by name. */
#ifndef FILES_H
#define FILES_H

#include "boot/boot_info.h"
#include "lib/types.h"

struct file {
	const char *name;
	const u8 *data;
	u64 size;
};

/* Once, at start; info stays where it is. */
void files_init(const struct boot_info *info);

/* false: there is none of that name. */
bool file_find(const char *name, struct file *file);

/* index counts from 0; false past the last. For `info` and messages. */
bool file_at(unsigned index, struct file *file);

#endif
