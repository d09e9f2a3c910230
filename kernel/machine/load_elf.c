/*
 * ELF programs, 32 and 64 bits, as Multiboot and PVH take them: executables
 * for x86 whose PT_LOAD segments go to their physical addresses (System V gABI
 * chapters 4 and 5). The program headers of both classes are read into one
 * form; all that follows is common.
 */
#include "lib/string.h"
#include "machine/load.h"
#include "vm/vm.h"

#define ELF_MAGIC	   0x464c457fu /* "\177ELF" */
#define ELF_CLASS_32	   1
#define ELF_CLASS_64	   2
#define ELF_LITTLE_ENDIAN  1
#define ELF_TYPE_EXEC	   2
#define ELF_MACHINE_386	   3
#define ELF_MACHINE_X86_64 62
#define ELF_LOAD	   1 /* of a program header */
#define ELF_NOTE	   4

struct elf_ident {
	u32 magic;
	u8 class;
	u8 data;
	u8 version;
	u8 reserved[9];
	u16 type;
	u16 machine;
	u32 file_version;
};

struct elf32_header {
	struct elf_ident ident;
	u32 entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
ASSERT_SIZE(struct elf32_header, 52);

struct elf64_header {
	struct elf_ident ident;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
ASSERT_SIZE(struct elf64_header, 64);

struct elf32_program {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
ASSERT_SIZE(struct elf32_program, 32);

struct elf64_program {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
ASSERT_SIZE(struct elf64_program, 56);

struct elf {
	bool is64;
	u64 entry, phoff;
	u32 phentsize, phnum;
};

/* Copies out of the file; false when it ends before. */
static bool read_file(const struct file *file, u64 offset, void *to, size_t n)
{
	if (offset > file->size || n > file->size - offset)
		return false;
	memcpy(to, file->data + offset, n);
	return true;
}

bool load_is_elf(const struct file *file)
{
	u32 magic;

	return read_file(file, 0, &magic, sizeof(magic)) && magic == ELF_MAGIC;
}

static err_t read_ident(struct load *load, struct elf *elf)
{
	struct elf_ident ident;

	if (!read_file(&load->file, 0, &ident, sizeof(ident)) ||
	    ident.magic != ELF_MAGIC)
		return load_fail(load, E_FORMAT,
				 "no ELF file, and its Multiboot header gives "
				 "no addresses (flag 16)");
	elf->is64 = ident.class == ELF_CLASS_64;
	if (!elf->is64 && ident.class != ELF_CLASS_32)
		return load_fail(
			load, E_FORMAT,
			"ELF class %u (expected 1 or 2: 32 or 64 bits)",
			ident.class);
	if (ident.data != ELF_LITTLE_ENDIAN)
		return load_fail(load, E_FORMAT,
				 "ELF data %u (expected 1: little-endian)",
				 ident.data);
	if (ident.machine != (elf->is64 ? ELF_MACHINE_X86_64 : ELF_MACHINE_386))
		return load_fail(load, E_FORMAT,
				 "ELF machine %u (expected %u for %u bits)",
				 ident.machine,
				 elf->is64 ? ELF_MACHINE_X86_64
					   : ELF_MACHINE_386,
				 elf->is64 ? 64 : 32);
	if (ident.type != ELF_TYPE_EXEC)
		return load_fail(load, E_FORMAT,
				 "ELF type %u (expected 2: an executable with "
				 "fixed addresses)",
				 ident.type);
	return E_OK;
}

static bool read_header(const struct file *file, struct elf *elf)
{
	struct elf32_header h32;
	struct elf64_header h64;

	if (elf->is64) {
		if (!read_file(file, 0, &h64, sizeof(h64)))
			return false;
		elf->entry = h64.entry;
		elf->phoff = h64.phoff;
		elf->phentsize = h64.phentsize;
		elf->phnum = h64.phnum;
		return elf->phentsize >= sizeof(struct elf64_program);
	}
	if (!read_file(file, 0, &h32, sizeof(h32)))
		return false;
	elf->entry = h32.entry;
	elf->phoff = h32.phoff;
	elf->phentsize = h32.phentsize;
	elf->phnum = h32.phnum;
	return elf->phentsize >= sizeof(struct elf32_program);
}

/* The i-th program header in the larger form. */
static bool read_program(const struct file *file, const struct elf *elf,
			 unsigned i, struct elf64_program *program)
{
	struct elf32_program p;
	u64 offset;

	if (__builtin_add_overflow(elf->phoff, (u64)i * elf->phentsize,
				   &offset))
		return false;
	if (elf->is64)
		return read_file(file, offset, program, sizeof(*program));
	if (!read_file(file, offset, &p, sizeof(p)))
		return false;
	*program = (struct elf64_program){
		.type = p.type,
		.flags = p.flags,
		.offset = p.offset,
		.vaddr = p.vaddr,
		.paddr = p.paddr,
		.filesz = p.filesz,
		.memsz = p.memsz,
		.align = p.align,
	};
	return true;
}

/*
 * A kernel linked high has a virtual entry address: the segment that holds it
 * tells the physical one.
 */
static bool find_entry(const struct elf *elf, const struct elf64_program *p,
		       u32 *entry)
{
	if (elf->entry < p->vaddr || elf->entry - p->vaddr >= p->memsz)
		return false;
	*entry = elf->entry - p->vaddr + p->paddr;
	return true;
}

static err_t load_segments(struct load *load, const struct elf *elf, u32 *entry)
{
	bool found = false;

	for (unsigned i = 0; i < elf->phnum; i++) {
		struct elf64_program p;
		struct load_piece piece;
		err_t err;

		if (!read_program(&load->file, elf, i, &p))
			return load_fail(load, E_FORMAT,
					 "program header %u is not within the "
					 "file (table at offset 0x%lx)",
					 i, elf->phoff);
		if (p.type != ELF_LOAD || !p.memsz)
			continue;
		piece = (struct load_piece){"segment", i,	 p.paddr,
					    p.offset,  p.filesz, p.memsz};
		err = load_piece(load, &piece);
		if (err)
			return err;
		found = found || find_entry(elf, &p, entry);
	}
	if (!load->count)
		return load_fail(load, E_FORMAT, "no segment to be loaded");
	/* ... unless it is physical already. */
	if (!found && !load_is_used(load, elf->entry))
		return load_fail(load, E_FORMAT,
				 "the entry address 0x%lx is in no segment",
				 elf->entry);
	if (!found)
		*entry = elf->entry;
	return E_OK;
}

err_t load_elf(struct load *load, u32 *entry)
{
	struct elf elf = {0};
	err_t err = read_ident(load, &elf);

	if (err)
		return err;
	if (!read_header(&load->file, &elf))
		return load_fail(load, E_FORMAT,
				 "the ELF header is cut off, or its program "
				 "headers are too small (%u bytes each)",
				 elf.phentsize);
	return load_segments(load, &elf, entry);
}

/* --- notes: name and value, each padded to four bytes (gABI chapter 5) */

struct elf_note {
	u32 namesz, descsz, type;
};

#define XEN_NAME	 "Xen"
#define XEN_PHYS32_ENTRY 18
#define NOTES_MAX	 64

/* The note at `offset` is the one: its value, of 4 or 8 bytes. */
static bool is_pvh(const struct file *file, u64 offset,
		   const struct elf_note *note, u32 *entry)
{
	char name[sizeof(XEN_NAME)];

	return note->type == XEN_PHYS32_ENTRY && note->namesz == sizeof(name) &&
	       note->descsz >= sizeof(*entry) &&
	       read_file(file, offset + sizeof(*note), name, sizeof(name)) &&
	       !memcmp(name, XEN_NAME, sizeof(name)) &&
	       read_file(file, offset + sizeof(*note) + sizeof(name), entry,
			 sizeof(*entry));
}

static bool search_notes(const struct file *file, u64 offset, u64 size,
			 u32 *entry)
{
	struct elf_note note;

	for (unsigned i = 0; i < NOTES_MAX; i++) {
		u64 whole;

		if (size < sizeof(note) ||
		    !read_file(file, offset, &note, sizeof(note)))
			return false;
		if (is_pvh(file, offset, &note, entry))
			return true;
		whole = sizeof(note) + ALIGN_UP((u64)note.namesz, 4) +
			ALIGN_UP((u64)note.descsz, 4);
		if (whole > size)
			return false;
		offset += whole;
		size -= whole;
	}
	return false;
}

bool load_find_pvh(const struct file *file, u32 *entry)
{
	struct elf elf = {0};
	struct elf_ident ident;
	struct elf64_program p;

	if (!load_is_elf(file) || !read_file(file, 0, &ident, sizeof(ident)))
		return false;
	elf.is64 = ident.class == ELF_CLASS_64;
	if (!read_header(file, &elf))
		return false;
	for (unsigned i = 0; i < elf.phnum; i++)
		if (read_program(file, &elf, i, &p) && p.type == ELF_NOTE &&
		    search_notes(file, p.offset, p.filesz, entry))
			return true;
	return false;
}
