#include "lib/elf.h"
#include "lib/printf.h"
#include "lib/symbols.h"

static const struct elf_section *sections;
static unsigned section_count;
static const struct elf_symbol *symbols;
static size_t symbol_count;
static const char *names;
static size_t names_size;

static bool inside(u64 offset, u64 len, size_t size)
{
	return offset <= size && len <= size - offset;
}

/* Section `index`, if its header and content lie inside the file. */
static const struct elf_section *section(const void *elf, size_t size,
					 unsigned index)
{
	const struct elf_header *header = elf;
	const struct elf_section *s;

	if (index >= header->shnum ||
	    !inside(header->shoff, (u64)header->shnum * sizeof(*s), size) ||
	    header->shoff % 8 != 0)
		return NULL;
	s = (const struct elf_section *)((const u8 *)elf + header->shoff);
	s += index;
	return inside(s->offset, s->size, size) ? s : NULL;
}

static err_t use_tables(const void *elf, size_t size,
			const struct elf_section *symtab,
			const struct elf_section *strtab)
{
	const char *strings = (const char *)elf + strtab->offset;

	sections = section(elf, size, 0);
	if (sections == NULL || symtab->entsize != sizeof(struct elf_symbol) ||
	    symtab->offset % 8 != 0 || strtab->type != ELF_SHT_STRTAB ||
	    strtab->size == 0 || strings[strtab->size - 1] != '\0')
		return E_FORMAT;
	section_count = ((const struct elf_header *)elf)->shnum;
	symbols = (const void *)((const u8 *)elf + symtab->offset);
	symbol_count = symtab->size / sizeof(struct elf_symbol);
	names = strings;
	names_size = strtab->size;
	return E_OK;
}

err_t symbols_init(const void *elf, size_t size)
{
	const struct elf_header *header = elf;

	symbol_count = 0;
	if (size < sizeof(*header) || header->magic != ELF_MAGIC ||
	    header->class != ELF_CLASS64 || header->data != ELF_DATA_LSB ||
	    header->shentsize != sizeof(struct elf_section))
		return E_FORMAT;
	for (unsigned i = 0; i < header->shnum; i++) {
		const struct elf_section *s = section(elf, size, i), *linked;

		if (s == NULL || s->type != ELF_SHT_SYMTAB)
			continue;
		linked = section(elf, size, s->link);
		return linked != NULL ? use_tables(elf, size, s, linked)
				      : E_FORMAT;
	}
	return E_NOTFOUND;
}

/* A symbol of a section with code, and addr is in that section too. */
static bool names_code(const struct elf_symbol *s, u64 addr)
{
	unsigned type = s->info & 15;
	const struct elf_section *in;

	if ((type != ELF_STT_FUNC && type != ELF_STT_NOTYPE) || s->name == 0 ||
	    s->name >= names_size || s->shndx == 0 || s->shndx >= section_count)
		return false;
	in = &sections[s->shndx];
	return (in->flags & ELF_SHF_EXECINSTR) && s->value <= addr &&
	       addr - in->addr < in->size;
}

/* Is a the better name for an address that both lie at or below? */
static bool better(const struct elf_symbol *a, const struct elf_symbol *b)
{
	if (b == NULL || a->value != b->value)
		return b == NULL || a->value > b->value;
	return (a->info & 15) == ELF_STT_FUNC && (b->info & 15) != ELF_STT_FUNC;
}

const char *symbol_at(u64 addr, u64 *offset)
{
	const struct elf_symbol *best = NULL;

	for (size_t i = 0; i < symbol_count; i++) {
		const struct elf_symbol *s = &symbols[i];

		if (names_code(s, addr) && better(s, best))
			best = s;
	}
	if (best == NULL ||
	    (best->size != 0 && addr - best->value > best->size))
		return NULL;
	*offset = addr - best->value;
	return names + best->name;
}

const char *symbol_text(char *buf, size_t size, u64 addr)
{
	u64 offset;
	const char *name = symbol_at(addr, &offset);

	if (name == NULL)
		snprintf(buf, size, "0x%lx", addr);
	else
		snprintf(buf, size, "%s+0x%lx", name, offset);
	return buf;
}
