/*
 * Judges the kernel's ELF image and says where its segments go. Pure: it reads
 * nothing but the bytes it is given, and the tests run it on the build host.
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "lib/types.h"

#define ELF_SEGMENTS_MAX 16

struct elf_segment {
	u64 vaddr;
	u64 memory_size;
	u64 offset; /* in the file */
	u64 file_size;
	u32 flags; /* ELF_X | ELF_W | ELF_R */
};

#define ELF_X 1u
#define ELF_W 2u
#define ELF_R 4u

struct elf_image {
	u64 entry;
	u64 size; /* from base to the end of the highest segment */
	u32 count;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/*
 * Accepts a static ELF64 x86-64 executable whose segments lie in base..limit,
 * do not share a page, and are not writable and executable at once. Returns
 * NULL, or what is wrong in words; *culprit is then the number of the program
 * header to blame, or -1.
 */
const char *elf_parse(const void *file, u64 size, u64 base, u64 limit,
		      struct elf_image *image, int *culprit);

#endif
