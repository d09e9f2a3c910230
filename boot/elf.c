/* System V ABI, "Object files" and "Program loading". */
#include "boot/elf.h"
#include "lib/string.h"

struct elf_header {
	u8 magic[4];
	u8 class;
	u8 data;
	u8 ident_version;
	u8 padding[9];
	u16 type;
	u16 machine;
	u32 version;
	u64 entry;
	u64 phoff;
	u64 shoff;
	u32 flags;
	u16 ehsize;
	u16 phentsize;
	u16 phnum;
	u16 shentsize;
	u16 shnum;
	u16 shstrndx;
};
ASSERT_SIZE(struct elf_header, 64);
ASSERT_OFFSET(struct elf_header, phoff, 32);

struct program_header {
	u32 type;
	u32 flags;
	u64 offset;
	u64 vaddr;
	u64 paddr;
	u64 file_size;
	u64 memory_size;
	u64 align;
};
ASSERT_SIZE(struct program_header, 56);

enum {
	ELFCLASS64 = 2,
	ELFDATA2LSB = 1,
	EV_CURRENT = 1,
	ET_EXEC = 2,
	EM_X86_64 = 62,
	PT_LOAD = 1,
	PT_INTERP = 3,
};

/* Is offset..offset+length within 0..size? */
static bool within(u64 offset, u64 length, u64 size)
{
	return offset <= size && length <= size - offset;
}

static const char *check_header(const struct elf_header *h, u64 size)
{
	if (memcmp(h->magic, "\177ELF", sizeof(h->magic)))
		return "not an ELF file";
	if (h->class != ELFCLASS64 || h->data != ELFDATA2LSB ||
	    h->machine != EM_X86_64)
		return "not an ELF64 file for x86-64";
	if (h->ident_version != EV_CURRENT || h->version != EV_CURRENT)
		return "unknown ELF version";
	if (h->type != ET_EXEC)
		return "not an executable (ET_EXEC)";
	if (!h->phnum || h->phentsize != sizeof(struct program_header))
		return "no program headers, or of unknown size";
	if (!within(h->phoff, (u64)h->phnum * h->phentsize, size))
		return "truncated: the program headers lie behind its end";
	return NULL;
}

static const char *check_segment(const struct elf_segment *s, u64 size,
				 u64 base, u64 limit)
{
	if (s->file_size > s->memory_size)
		return "larger in the file than in memory";
	if (!within(s->offset, s->file_size, size))
		return "truncated: the segment's bytes lie behind the end";
	if (s->vaddr < base || s->vaddr >= limit ||
	    s->memory_size > limit - s->vaddr)
		return "the segment lies outside of the kernel's addresses";
	if (s->vaddr & PAGE_MASK)
		return "the segment does not start on a page";
	if ((s->flags & ELF_W) && (s->flags & ELF_X))
		return "the segment is writable and executable";
	return NULL;
}

/*
 * Segments start on a page, so that two of them share one, and with it their
 * permissions, exactly if one starts before the other's last byte.
 */
static bool overlaps(const struct elf_image *image, const struct elf_segment *s)
{
	for (u32 i = 0; i < image->count; i++) {
		const struct elf_segment *t = &image->segments[i];

		if (s->vaddr <= t->vaddr + (t->memory_size - 1) &&
		    t->vaddr <= s->vaddr + (s->memory_size - 1))
			return true;
	}
	return false;
}

static const char *add_segment(const struct program_header *p, u64 size,
			       u64 base, u64 limit, struct elf_image *image)
{
	struct elf_segment s = {
		.vaddr = p->vaddr,
		.memory_size = p->memory_size,
		.offset = p->offset,
		.file_size = p->file_size,
		.flags = p->flags,
	};
	const char *why = check_segment(&s, size, base, limit);

	if (why)
		return why;
	if (!s.memory_size)
		return NULL;
	if (overlaps(image, &s))
		return "the segment overlaps another one";
	if (image->count == ELF_SEGMENTS_MAX)
		return "too many segments";
	image->segments[image->count++] = s;
	image->size = MAX(image->size, s.vaddr - base + s.memory_size);
	return NULL;
}

static bool entry_is_code(const struct elf_image *image)
{
	for (u32 i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segments[i];

		if ((s->flags & ELF_X) && image->entry >= s->vaddr &&
		    image->entry - s->vaddr < s->file_size)
			return true;
	}
	return false;
}

const char *elf_parse(const void *file, u64 size, u64 base, u64 limit,
		      struct elf_image *image, int *culprit)
{
	const char *why;
	struct elf_header h;

	*culprit = -1;
	*image = (struct elf_image){0};
	if (size < sizeof(h))
		return "not an ELF file: too short";
	memcpy(&h, file, sizeof(h));
	why = check_header(&h, size);
	if (why)
		return why;

	for (unsigned i = 0; i < h.phnum; i++) {
		struct program_header p;

		memcpy(&p, (const u8 *)file + h.phoff + i * sizeof(p),
		       sizeof(p));
		*culprit = (int)i;
		if (p.type == PT_INTERP)
			return "dynamically linked";
		if (p.type != PT_LOAD)
			continue;
		why = add_segment(&p, size, base, limit, image);
		if (why)
			return why;
	}
	*culprit = -1;
	image->entry = h.entry;
	if (!image->count)
		return "nothing in it to load";
	if (!entry_is_code(image))
		return "the entry point is not in an executable segment";
	return NULL;
}
