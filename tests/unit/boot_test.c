/*
 * The boot program's pure parts: what it accepts as a kernel, the memory map
 * it hands over, the page tables it jumps on.
 *
 *	links: boot/elf.c boot/memory_map.c boot/paging.c
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"
#include "boot/elf.h"
#include "boot/memory_map.h"
#include "boot/paging.h"
#include "lib/types.h"
#include "tests/unit/test.h"

#define LIMIT	  (KERNEL_BASE + PAGING_KERNEL_MAX)
#define FILE_SIZE 0x3000u

/* A deterministic stream of numbers: xorshift64. */
static u64 random_state = 88172645463325252ULL;

static u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* --- the ELF image -------------------------------------------------------- */

/* Header, two program headers, and two pages of contents, by <elf.h>. */
struct sample {
	Elf64_Ehdr header;
	Elf64_Phdr text, data;
	u8 room[FILE_SIZE - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
};

static struct sample sample(void)
{
	return (struct sample){
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				       ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_entry = KERNEL_BASE + 0x10,
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2},
		.text = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_offset = 0x1000,
			 .p_vaddr = KERNEL_BASE,
			 .p_filesz = 0x900,
			 .p_memsz = 0x900},
		.data = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_W,
			 .p_offset = 0x2000,
			 .p_vaddr = KERNEL_BASE + 0x1000,
			 .p_filesz = 0x20,
			 .p_memsz = 0x5000},
	};
}

/* In a block of exactly that size, so that a read behind it is seen. */
static const char *parse(const struct sample *s, size_t size,
			 struct elf_image *image, int *culprit)
{
	void *copy = malloc(size);
	const char *why;

	memcpy(copy, s, size);
	why = elf_parse(copy, size, KERNEL_BASE, LIMIT, image, culprit);
	free(copy);
	return why ? why : "fine";
}

#define REFUSED(s, culprit_, words)                                        \
	do {                                                               \
		struct elf_image image_;                                   \
		int culprit_seen_;                                         \
                                                                           \
		CHECK_STR(parse(&(s), sizeof(s), &image_, &culprit_seen_), \
			  words);                                          \
		CHECK_EQ(culprit_seen_, culprit_);                         \
	} while (0)

TEST(elf_accepts_a_kernel)
{
	struct sample s = sample();
	struct elf_image image;
	int culprit;

	CHECK_STR(parse(&s, sizeof(s), &image, &culprit), "fine");
	CHECK_EQ(image.count, 2);
	CHECK_EQ(image.entry, KERNEL_BASE + 0x10);
	CHECK_EQ(image.size, 0x6000);
	CHECK_EQ(image.segments[0].vaddr, KERNEL_BASE);
	CHECK_EQ(image.segments[0].flags, ELF_R | ELF_X);
	CHECK_EQ(image.segments[1].offset, 0x2000);
	CHECK_EQ(image.segments[1].file_size, 0x20);
	CHECK_EQ(image.segments[1].memory_size, 0x5000);
}

TEST(elf_refuses_other_files)
{
	struct sample s = sample();

	s.header.e_ident[1] = 'X';
	REFUSED(s, -1, "not an ELF file");
	s = sample();
	s.header.e_ident[EI_CLASS] = ELFCLASS32;
	REFUSED(s, -1, "not an ELF64 file for x86-64");
	s = sample();
	s.header.e_machine = EM_AARCH64;
	REFUSED(s, -1, "not an ELF64 file for x86-64");
	s = sample();
	s.header.e_version = 2;
	REFUSED(s, -1, "unknown ELF version");
	s = sample();
	s.header.e_type = ET_DYN;
	REFUSED(s, -1, "not an executable (ET_EXEC)");
	s = sample();
	s.header.e_phentsize = 32;
	REFUSED(s, -1, "no program headers, or of unknown size");
	s = sample();
	s.text.p_type = s.data.p_type = PT_NOTE;
	REFUSED(s, -1, "nothing in it to load");
	s = sample();
	s.data.p_type = PT_INTERP;
	REFUSED(s, 1, "dynamically linked");
}

TEST(elf_refuses_wild_segments)
{
	struct sample s = sample();
	Elf64_Phdr swap;

	s.text.p_flags |= PF_W;
	REFUSED(s, 0, "the segment is writable and executable");
	s = sample();
	s.data.p_filesz = 0x5001;
	REFUSED(s, 1, "larger in the file than in memory");
	s = sample();
	s.data.p_offset = ~0ULL;
	REFUSED(s, 1, "truncated: the segment's bytes lie behind the end");
	s = sample();
	s.text.p_vaddr = KERNEL_BASE - 0x1000;
	REFUSED(s, 0, "the segment lies outside of the kernel's addresses");
	s = sample();
	s.data.p_memsz = ~0ULL;
	REFUSED(s, 1, "the segment lies outside of the kernel's addresses");
	s = sample();
	s.data.p_vaddr += 8;
	REFUSED(s, 1, "the segment does not start on a page");
	s = sample();
	s.text.p_memsz = 0x1001;
	REFUSED(s, 1, "the segment overlaps another one");
	swap = s.text;
	s.text = s.data;
	s.data = swap;
	REFUSED(s, 1, "the segment overlaps another one");
	s = sample();
	s.header.e_entry = KERNEL_BASE + 0x900;
	REFUSED(s, -1, "the entry point is not in an executable segment");
	s = sample();
	s.header.e_entry = KERNEL_BASE + 0x1000;
	REFUSED(s, -1, "the entry point is not in an executable segment");
}

/* As many as there is room for, and one more. */
TEST(elf_counts_segments)
{
	struct sample s = sample();
	Elf64_Phdr more[ELF_SEGMENTS_MAX + 1];
	struct elf_image image;
	int culprit;

	for (unsigned i = 0; i < ARRAY_LEN(more); i++) {
		more[i] = s.text;
		more[i].p_vaddr += i * 0x1000;
	}
	memcpy(s.room, more, sizeof(more));
	s.header.e_phoff = offsetof(struct sample, room);
	s.header.e_phnum = ELF_SEGMENTS_MAX;
	CHECK_STR(parse(&s, sizeof(s), &image, &culprit), "fine");
	CHECK_EQ(image.count, ELF_SEGMENTS_MAX);
	s.header.e_phnum++;
	REFUSED(s, ELF_SEGMENTS_MAX, "too many segments");
}

/* The limit is a limit: up to it, not beyond. */
TEST(elf_knows_the_last_page)
{
	struct sample s = sample();
	struct elf_image image;
	int culprit;

	s.data.p_memsz = LIMIT - s.data.p_vaddr;
	CHECK_STR(parse(&s, sizeof(s), &image, &culprit), "fine");
	CHECK_EQ(image.size, PAGING_KERNEL_MAX);
	s.data.p_memsz++;
	REFUSED(s, 1, "the segment lies outside of the kernel's addresses");
}

/* Every shorter file is refused, and not read beyond its end. */
TEST(elf_refuses_every_truncation)
{
	struct sample s = sample();
	struct elf_image image;
	int culprit;

	for (size_t size = 0; size < 0x2020; size++)
		CHECK(strcmp(parse(&s, size, &image, &culprit), "fine"));
	CHECK_STR(parse(&s, 0x2020, &image, &culprit), "fine");
}

/* What is accepted can be loaded without looking again. */
static void check_accepted(const struct elf_image *image)
{
	CHECK(image->count >= 1 && image->count <= ELF_SEGMENTS_MAX);
	CHECK(image->size <= PAGING_KERNEL_MAX);
	for (u32 i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segments[i];

		CHECK(s->vaddr >= KERNEL_BASE);
		CHECK(s->vaddr - KERNEL_BASE <= image->size);
		CHECK(s->memory_size <= image->size - (s->vaddr - KERNEL_BASE));
		CHECK(s->file_size <= s->memory_size);
		CHECK(s->offset <= FILE_SIZE);
		CHECK(s->file_size <= FILE_SIZE - s->offset);
		CHECK((s->flags & (ELF_W | ELF_X)) != (ELF_W | ELF_X));
	}
}

TEST(elf_survives_any_header)
{
	static const u64 favourites[] = {
		0,	   1,	       0x1000,	       KERNEL_BASE,
		LIMIT,	   ~0ULL,      ~0xfffULL,      0x7fffffff,
		FILE_SIZE, 1ULL << 63, LIMIT - 0x1000, KERNEL_BASE + 0x1000,
	};
	const size_t words = (sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr)) / 8;
	unsigned accepted = 0;

	for (int round = 0; round < 300000; round++) {
		struct sample s = sample();
		struct elf_image image;
		int culprit;

		for (u64 n = 1 + random_u64() % 3; n; n--) {
			u64 value = favourites[random_u64() %
					       ARRAY_LEN(favourites)];

			if (random_u64() % 2)
				value += random_u64() % 64 - 32;
			if (random_u64() % 4 == 0)
				value = random_u64();
			memcpy((u8 *)&s + random_u64() % words * 8, &value, 8);
		}
		if (strcmp(parse(&s, sizeof(s), &image, &culprit), "fine"))
			continue;
		check_accepted(&image);
		accepted++;
	}
	CHECK(accepted > 1000);
}

/* --- the memory map ------------------------------------------------------- */

#define WB BIT(3)

static struct span span(u64 base, u64 end, enum boot_memory_kind kind)
{
	return (struct span){.base = base, .end = end, .kind = kind};
}

static size_t build(const struct span *spans, size_t count,
		    struct boot_region *regions)
{
	u64 edges[64];

	CHECK(2 * count <= ARRAY_LEN(edges));
	return memory_map_build(spans, count, edges, regions);
}

TEST(memory_kinds_follow_type_and_attributes)
{
	static const struct {
		u32 type;
		u64 attributes;
		enum boot_memory_kind kind;
	} rows[] = {
		{1, WB, BOOT_MEM_FREE},	    /* LoaderCode */
		{2, WB, BOOT_MEM_FREE},	    /* LoaderData */
		{3, WB, BOOT_MEM_FREE},	    /* BootServicesCode */
		{4, WB, BOOT_MEM_FREE},	    /* BootServicesData */
		{7, WB, BOOT_MEM_FREE},	    /* Conventional */
		{7, 0x400f, BOOT_MEM_FREE}, /* may be cached and no-execute */
		{0, WB, BOOT_MEM_RESERVED},
		{5, WB | BIT(63), BOOT_MEM_RESERVED}, /* runtime code */
		{6, WB | BIT(63), BOOT_MEM_RESERVED},
		{8, WB, BOOT_MEM_RESERVED}, /* unusable */
		{9, WB, BOOT_MEM_ACPI},
		{10, WB, BOOT_MEM_ACPI},
		{11, BIT(63), BOOT_MEM_MMIO},
		{12, 0, BOOT_MEM_MMIO},
		{14, WB, BOOT_MEM_RESERVED},	      /* persistent */
		{15, WB, BOOT_MEM_RESERVED},	      /* unaccepted */
		{7, WB | BIT(15), BOOT_MEM_RESERVED}, /* non-volatile */
		{7, WB | BIT(18), BOOT_MEM_RESERVED}, /* special purpose */
		{4, WB | BIT(63), BOOT_MEM_RESERVED}, /* runtime */
		{7, 1, BOOT_MEM_RESERVED},	      /* uncached only */
		{0x80000000, WB, BOOT_MEM_RESERVED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span s = memory_map_span(rows[i].type, 0x1000, 2,
						rows[i].attributes);

		CHECK_EQ(s.kind, rows[i].kind);
		CHECK_EQ(s.base, 0x1000);
		CHECK_EQ(s.end, 0x3000);
	}
}

TEST(memory_spans_never_wrap)
{
	struct span s = memory_map_span(7, 0x1000, ~0ULL, WB);

	CHECK_EQ(s.end, BIT(52));
	s = memory_map_span(0, ~0ULL, ~0ULL, 0);
	CHECK(s.base <= s.end && s.end <= BIT(52));
	s = memory_map_span(7, 0x5000, 0, WB);
	CHECK_EQ(s.base, s.end);
	s = memory_map_span(0, 0x5010, 0, WB);
	CHECK_EQ(s.base, s.end);
}

/* A page that is free in part is not free, and one reserved in part is. */
TEST(memory_spans_round_to_the_safe_side)
{
	struct span s = memory_map_span(7, 0x1800, 3, WB);

	CHECK_EQ(s.base, 0x2000);
	CHECK_EQ(s.end, 0x4000);
	s = memory_map_span(0, 0x1800, 3, WB);
	CHECK_EQ(s.base, 0x1000);
	CHECK_EQ(s.end, 0x5000);
	s = memory_map_span(7, 0x1800, 1, WB);
	CHECK_EQ(s.base, s.end);
}

TEST(memory_map_sorts_merges_and_cuts)
{
	const struct span spans[] = {
		span(0x9000, 0xa000, BOOT_MEM_ACPI),
		span(0x3000, 0x8000, BOOT_MEM_FREE),
		span(0x1000, 0x3000, BOOT_MEM_FREE),
		span(0x5000, 0x6000, BOOT_MEM_KEEP),
		span(0x6000, 0x7000, BOOT_MEM_KEEP),
	};
	struct boot_region r[10];

	CHECK_EQ(build(spans, ARRAY_LEN(spans), r), 4);
	CHECK_EQ(r[0].base, 0x1000);
	CHECK_EQ(r[0].size, 0x4000);
	CHECK_EQ(r[0].kind, BOOT_MEM_FREE);
	CHECK_EQ(r[1].base, 0x5000);
	CHECK_EQ(r[1].size, 0x2000);
	CHECK_EQ(r[1].kind, BOOT_MEM_KEEP);
	CHECK_EQ(r[2].base, 0x7000);
	CHECK_EQ(r[2].size, 0x1000);
	CHECK_EQ(r[3].base, 0x9000);
	CHECK_EQ(r[3].kind, BOOT_MEM_ACPI);
	CHECK_EQ(memory_map_top(spans, ARRAY_LEN(spans)), 0xa000);
}

TEST(memory_map_of_nothing_is_empty)
{
	const struct span nothing = span(0x1000, 0x1000, BOOT_MEM_FREE);
	struct boot_region r[2];

	CHECK_EQ(build(&nothing, 0, r), 0);
	CHECK_EQ(build(&nothing, 1, r), 0);
	CHECK_EQ(memory_map_top(&nothing, 0), 0);
}

TEST(memory_top_ignores_what_is_not_ram)
{
	const struct span spans[] = {
		span(0, 0x8000, BOOT_MEM_FREE),
		span(0x8000, 0x9000, BOOT_MEM_RESERVED),
		span(0xf0000000, 0xf1000000, BOOT_MEM_MMIO),
	};

	CHECK_EQ(memory_map_top(spans, ARRAY_LEN(spans)), 0x8000);
}

#define MODEL_PAGES 48

/* Page by page, the slow and plain way: -1 is a hole. */
static void model(const struct span *spans, size_t count, int *kinds)
{
	/* From what is believed least to what is believed most. */
	static const enum boot_memory_kind order[] = {
		BOOT_MEM_FREE, BOOT_MEM_KEEP, BOOT_MEM_ACPI, BOOT_MEM_RESERVED,
		BOOT_MEM_MMIO};

	for (int page = 0; page < MODEL_PAGES; page++)
		kinds[page] = -1;
	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		for (size_t i = 0; i < count; i++) {
			if (spans[i].kind != order[k])
				continue;
			for (u64 at = spans[i].base; at < spans[i].end;
			     at += PAGE_SIZE)
				kinds[at / PAGE_SIZE] = (int)order[k];
		}
	}
}

static void check_against_model(const struct span *spans, size_t count)
{
	struct boot_region r[40];
	size_t n = build(spans, count, r);
	int expected[MODEL_PAGES], seen[MODEL_PAGES];

	CHECK(n <= 2 * count);
	memset(seen, 0xff, sizeof(seen));
	for (size_t i = 0; i < n; i++) {
		const struct boot_region *p = &r[i ? i - 1 : 0];

		CHECK(r[i].size);
		if (i) {
			CHECK(r[i].base >= p->base + p->size);
			CHECK(r[i].base > p->base + p->size ||
			      r[i].kind != p->kind);
		}
		for (u64 at = 0; at < r[i].size; at += PAGE_SIZE)
			seen[(r[i].base + at) / PAGE_SIZE] = (int)r[i].kind;
	}
	model(spans, count, expected);
	CHECK_MEM(seen, expected, sizeof(seen));
}

TEST(memory_map_agrees_with_a_model)
{
	for (int round = 0; round < 50000; round++) {
		struct span spans[16];
		size_t count = random_u64() % ARRAY_LEN(spans) + 1;

		for (size_t i = 0; i < count; i++) {
			u64 a = random_u64() % (MODEL_PAGES + 1);
			u64 b = random_u64() % (MODEL_PAGES + 1);

			spans[i] =
				span(MIN(a, b) * PAGE_SIZE,
				     MAX(a, b) * PAGE_SIZE, random_u64() % 5);
		}
		check_against_model(spans, count);
	}
}

/* --- the page tables ------------------------------------------------------ */

#define NOT_MAPPED ~0ULL

/* As a CPU walks, Intel SDM volume 3, 4.5: bit 0 present, bit 7 a leaf. */
static u64 translate(u64 cr3, u64 virt)
{
	u64 *table = (u64 *)cr3;

	for (int shift = 39; shift >= 12; shift -= 9) {
		u64 entry = table[virt >> shift & 511];
		u64 offset = virt & (BIT(shift) - 1);

		if (!(entry & 1))
			return NOT_MAPPED;
		CHECK(entry & 2);
		CHECK(!(entry >> 63));
		if (shift == 12 || (shift < 39 && (entry & 0x80))) {
			CHECK_EQ(entry & 0xfffffffff000 & (BIT(shift) - 1), 0);
			return (entry & 0xfffffffff000) + offset;
		}
		table = (u64 *)(entry & 0xfffffffff000);
	}
	return NOT_MAPPED;
}

static void check_tables(u64 direct_size, u64 kernel_phys, u64 kernel_size)
{
	u64 bytes = paging_bytes(direct_size);
	void *tables = aligned_alloc(PAGE_SIZE, bytes);
	u64 cr3;

	memset(tables, 0, bytes);
	cr3 = paging_build(tables, direct_size, kernel_phys, kernel_size);
	CHECK_EQ(cr3, (u64)tables);
	for (int i = 0; i < 20000; i++) {
		u64 at = random_u64() % direct_size;
		u64 in_kernel = random_u64() % kernel_size;

		CHECK_EQ(translate(cr3, at), at);
		CHECK_EQ(translate(cr3, DIRECT_MAP_BASE + at), at);
		CHECK_EQ(translate(cr3, KERNEL_BASE + in_kernel),
			 kernel_phys + in_kernel);
	}
	CHECK_EQ(translate(cr3, direct_size - 1), direct_size - 1);
	CHECK_EQ(translate(cr3, direct_size), NOT_MAPPED);
	CHECK_EQ(translate(cr3, DIRECT_MAP_BASE + direct_size), NOT_MAPPED);
	CHECK_EQ(translate(cr3, KERNEL_BASE - 1), NOT_MAPPED);
	if (kernel_size < PAGING_KERNEL_MAX)
		CHECK_EQ(translate(cr3, KERNEL_BASE + kernel_size), NOT_MAPPED);
	free(tables);
}

TEST(page_tables_map_memory_twice_and_the_kernel)
{
	check_tables(GIB(4), MIB(6), MIB(2));
	check_tables(GIB(5), GIB(5) - MIB(64), MIB(64));
	check_tables(GIB(512), MIB(2), PAGING_KERNEL_MAX);
	check_tables(GIB(1030), GIB(1029), MIB(4)); /* three PML4 entries */
}
