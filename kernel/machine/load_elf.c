/*
 * ELF programs, 32 and 64 bits, as a Multiboot loader takes them: executables
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

struct elf_note {
	u32 owner_size, size, type; /* owner and content follow, in words */
};

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
	if (!found && !load_is_taken(load, elf->entry))
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

/* --- notes */

/* The note at *offset, and in *offset where the next one is. */
static bool note_is(const struct file *file, u64 *offset, const char *owner,
		    u32 type, u64 *value)
{
	struct elf_note note;
	char name[8] = "";
	u64 content;
	bool wanted;

	if (!read_file(file, *offset, &note, sizeof(note)))
		return false;
	content = *offset + sizeof(note) + ALIGN_UP((u64)note.owner_size, 4);
	wanted = note.type == type && note.owner_size == strlen(owner) + 1 &&
		 note.owner_size <= sizeof(name) &&
		 read_file(file, *offset + sizeof(note), name,
			   note.owner_size) &&
		 !memcmp(name, owner, note.owner_size);
	*offset = content + ALIGN_UP((u64)note.size, 4);
	*value = 0;
	return wanted && (note.size == 4 || note.size == 8) &&
	       read_file(file, content, value, note.size);
}

err_t load_elf_note(const struct file *file, const char *owner, u32 type,
		    u64 *value)
{
	struct elf elf = {0};
	struct elf_ident ident;
	struct elf64_program p;

	if (!read_file(file, 0, &ident, sizeof(ident)) ||
	    ident.magic != ELF_MAGIC)
		return E_NOTFOUND;
	elf.is64 = ident.class == ELF_CLASS_64;
	if (!read_header(file, &elf))
		return E_NOTFOUND;
	for (unsigned i = 0; i < elf.phnum; i++) {
		u64 offset, end;

		if (!read_program(file, &elf, i, &p))
			return E_NOTFOUND;
		if (p.type != ELF_NOTE || p.offset > file->size)
			continue;
		offset = p.offset;
		end = offset + MIN(p.filesz, file->size - offset);
		while (offset < end)
			if (note_is(file, &offset, owner, type, value))
				return E_OK;
			else if (offset - p.offset < sizeof(struct elf_note))
				break;
	}
	return E_NOTFOUND;
}
