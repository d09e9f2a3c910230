/*
 * Loaders: ELF images of both classes, and images of every kind that are wrong
 * by chance.
 *
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/machine/load_parts.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/state_check.c
 *	links: kernel/vm/rules.c kernel/files.c kernel/lib/string.c
 *	links: tests/unit/fake_vm.c
 */
#include <elf.h>

#include "tests/unit/fake_image.h"

/* --- ELF --- */

#define PROGRAMS_AT 0x80u

static void put_multiboot_for_elf(size_t at)
{
	put32(at, 0x1badb002);
	put32(at + 4, 3);
	put32(at + 8, -(0x1badb002 + 3));
}

static Elf32_Ehdr *elf32(unsigned programs)
{
	Elf32_Ehdr *h = (Elf32_Ehdr *)image;

	image_size = 0x3000;
	memset(image, 0xcc, image_size);
	memset(h, 0, sizeof(*h));
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS32;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_EXEC;
	h->e_machine = EM_386;
	h->e_version = EV_CURRENT;
	h->e_entry = 0x200010;
	h->e_phoff = PROGRAMS_AT;
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(Elf32_Phdr);
	h->e_phnum = programs;
	put_multiboot_for_elf(0x1000);
	return h;
}

static Elf32_Phdr *program32(unsigned i)
{
	return (Elf32_Phdr *)(image + PROGRAMS_AT) + i;
}

/* Text at 2 MiB, data with bss just after it. */
static Elf32_Ehdr *usual_elf32(void)
{
	Elf32_Ehdr *h = elf32(3);

	*program32(0) = (Elf32_Phdr){PT_NOTE,	 0x7fffffff, 1, 1,
				     0x7fffffff, 0x7fffffff, 0, 0};
	*program32(1) = (Elf32_Phdr){PT_LOAD, 0x1000, 0x200000, 0x200000,
				     0x800,   0x800,  5,	0x1000};
	*program32(2) = (Elf32_Phdr){PT_LOAD, 0x1800, 0x201000, 0x201000,
				     0x100,   0x1100, 6,	0x1000};
	return h;
}

TEST(elf32_segments)
{
	start(MIB(4));
	guest_fill(&vm->memory, 0x200000, 0xee, 0x4000);
	usual_elf32();
	image[0x17ff] = 1;
	image[0x1800] = 2;
	image[0x18ff] = 3;
	image[0x1900] = 4;
	good();
	check_entry(0x200010);
	CHECK_EQ(guest32(0x200000), 0x1badb002);
	CHECK_EQ(guest32(0x2007fc), 0x01cccccc);
	CHECK_EQ(guest32(0x200800), 0xeeeeeeee);
	CHECK_EQ(guest32(0x201000), 0xcccccc02);
	CHECK_EQ(guest32(0x2010fc), 0x03cccccc);
	for (u32 at = 0x201100; at < 0x202100; at += 4)
		CHECK_EQ(guest32(at), 0);
	CHECK_EQ(guest32(0x202100), 0xeeeeeeee);
	CHECK_EQ(info(0), 0x24d);
	finish();
}

/* Linked high: the entry is virtual, the segment's address physical. */
TEST(elf32_virtual_entry)
{
	Elf32_Ehdr *h;

	start(MIB(4));
	h = usual_elf32();
	program32(1)->p_vaddr = 0xc0200000;
	program32(2)->p_vaddr = 0xc0201000;
	h->e_entry = 0xc0200010;
	good();
	check_entry(0x200010);
	fake_files_forget();
	h->e_entry = 0x200020; /* physical already */
	good();
	check_entry(0x200020);
	finish();
}

static void usual_elf64(Elf64_Ehdr **header, Elf64_Phdr **program)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)image;
	Elf64_Phdr *p = (Elf64_Phdr *)(image + PROGRAMS_AT);

	elf32(1);
	memset(image, 0, PROGRAMS_AT + 2 * sizeof(*p));
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_version = EV_CURRENT;
	h->e_entry = 0xffffffff80200010;
	h->e_phoff = PROGRAMS_AT;
	h->e_phentsize = sizeof(*p);
	h->e_phnum = 1;
	*p = (Elf64_Phdr){.p_type = PT_LOAD,
			  .p_offset = 0x1000,
			  .p_vaddr = 0xffffffff80200000,
			  .p_paddr = 0x200000,
			  .p_filesz = 0x1000,
			  .p_memsz = 0x2000};
	*header = h;
	*program = p;
}

TEST(elf64)
{
	Elf64_Ehdr *h;
	Elf64_Phdr *p;

	start(MIB(4));
	usual_elf64(&h, &p);
	good();
	check_entry(0x200010);
	CHECK_EQ(guest32(0x200000), 0x1badb002);
	CHECK_EQ(guest32(0x200ffc), 0xcccccccc);
	CHECK_EQ(guest32(0x201000), 0);
	finish();
}

TEST(elf64_numbers_that_overflow)
{
	Elf64_Ehdr *h;
	Elf64_Phdr *p;

	start(MIB(4));
	usual_elf64(&h, &p);
	p->p_offset = ~0ULL - 0xfff;
	bad(E_FORMAT, "segment 0: 0x1000 bytes at offset 0xfffffffffffff000, "
		      "but the file has 0x3000");
	usual_elf64(&h, &p);
	p->p_filesz = ~0ULL;
	bad(E_FORMAT, "segment 0: 0xffffffffffffffff bytes at offset 0x1000, "
		      "but the file has 0x3000");
	usual_elf64(&h, &p);
	p->p_memsz = ~0ULL;
	bad(E_RANGE, "segment 0: 0xffffffffffffffff bytes at address 0x200000 "
		     "are not within usable memory (0-0x9fc00, "
		     "0x100000-0x400000)");
	usual_elf64(&h, &p);
	p->p_paddr = ~0ULL - 0xfff;
	bad(E_RANGE, "segment 0: 0x2000 bytes at address 0xfffffffffffff000 "
		     "are not within usable memory (0-0x9fc00, "
		     "0x100000-0x400000)");
	usual_elf64(&h, &p);
	p->p_paddr = 0x100200000; /* not its lower half */
	bad(E_RANGE, "segment 0: 0x2000 bytes at address 0x100200000 are not "
		     "within usable memory (0-0x9fc00, 0x100000-0x400000)");
	usual_elf64(&h, &p);
	h->e_phoff = ~0ULL - 1;
	bad(E_FORMAT,
	    "program header 0 is not within the file (table at offset "
	    "0xfffffffffffffffe)");
	usual_elf64(&h, &p);
	p->p_vaddr = 0;
	bad(E_FORMAT, "the entry address 0xffffffff80200010 is in no segment");
	finish();
}

TEST(elf_that_is_not_for_us)
{
	Elf32_Ehdr *h;

	start(MIB(4));
	h = usual_elf32();
	h->e_ident[EI_CLASS] = 3;
	bad(E_FORMAT, "ELF class 3 (expected 1 or 2: 32 or 64 bits)");
	h = usual_elf32();
	h->e_ident[EI_DATA] = ELFDATA2MSB;
	bad(E_FORMAT, "ELF data 2 (expected 1: little-endian)");
	h = usual_elf32();
	h->e_machine = EM_ARM;
	bad(E_FORMAT, "ELF machine 40 (expected 3 for 32 bits)");
	h = usual_elf32();
	h->e_ident[EI_CLASS] = ELFCLASS64;
	bad(E_FORMAT, "ELF machine 3 (expected 62 for 64 bits)");
	h = usual_elf32();
	h->e_type = ET_DYN;
	bad(E_FORMAT, "ELF type 3 (expected 2: an executable with fixed "
		      "addresses)");
	h = usual_elf32();
	h->e_phentsize = 31;
	bad(E_FORMAT, "the ELF header is cut off, or its program headers are "
		      "too small (31 bytes each)");
	h = usual_elf32();
	put32(0x1000, 0); /* no Multiboot header */
	bad(E_FORMAT, "an ELF file, but without a Multiboot header in its "
		      "first 8192 bytes, or PVH's note");
	finish();
}

TEST(elf_with_bad_segments)
{
	Elf32_Ehdr *h;

	start(MIB(4));
	usual_elf32();
	program32(2)->p_memsz = 0xff;
	bad(E_FORMAT, "segment 2: 0x100 bytes of file for 0xff of memory");
	usual_elf32();
	program32(2)->p_offset = 0x2f01;
	bad(E_FORMAT, "segment 2: 0x100 bytes at offset 0x2f01, but the file "
		      "has 0x3000");
	usual_elf32();
	program32(1)->p_paddr = 0x3ff801;
	bad(E_RANGE,
	    "segment 1: 0x800 bytes at address 0x3ff801 are not within "
	    "usable memory (0-0x9fc00, 0x100000-0x400000)");
	h = usual_elf32();
	h->e_phnum = 1;
	bad(E_FORMAT, "no segment to be loaded");
	h = usual_elf32();
	h->e_phnum = 0x200;
	memset(program32(3), 0, 0x1000 - PROGRAMS_AT - 3 * 32);
	h->e_phoff = 0x2000; /* headers of garbage, then the file's end */
	bad(E_FORMAT, "program header 128 is not within the file (table at "
		      "offset 0x2000)");
	h = usual_elf32();
	h->e_entry = 0x202100;
	bad(E_FORMAT, "the entry address 0x202100 is in no segment");
	h = usual_elf32();
	for (unsigned i = 0; i < 40; i++)
		*program32(i) = *program32(1);
	h->e_phnum = 40;
	bad(E_RANGE, "more than 32 pieces to be loaded");
	finish();
}

/* Larger program headers than ours are stepped over whole. */
TEST(elf_with_wide_program_headers)
{
	Elf32_Ehdr *h;
	Elf32_Phdr text;

	start(MIB(4));
	h = usual_elf32();
	text = *program32(1);
	memset(image + PROGRAMS_AT, 0, 256);
	h->e_phentsize = 48;
	h->e_phnum = 2;
	memcpy(image + PROGRAMS_AT + 48, &text, sizeof(text));
	good();
	CHECK_EQ(guest32(0x200000), 0x1badb002);
	finish();
}

/* --- images that are wrong by chance --- */

/* Interesting numbers for 32-bit fields. */
static u32 odd_number(u64 *seed)
{
	static const u32 numbers[] = {
		0,	  1,	      0x7f,	  0x1000,     0x9fbff,
		0x9fc00,  0xfffff,    0x100000,	  0x1fffff,   0x200000,
		0x3fffff, 0x400000,   0x7fffffff, 0x80000000, 0xfffff000,
		~0u,	  0xbfffffff, 0x1badb002, 0x10003,    32};
	u64 r = fake_random(seed);

	return r & 1 ? numbers[(r >> 8) % ARRAY_LEN(numbers)] : r >> 32;
}

/* Headers are in the first 0x100 bytes and, for ELF, around 0x1000. */
static void mutate(u64 *seed)
{
	u64 changes = fake_random(seed) % 8;

	for (u64 i = 0; i <= changes; i++) {
		u64 r = fake_random(seed);
		size_t at = r % 0x100;

		if (r >> 60 == 0)
			at += 0xff0;
		switch (r >> 32 & 3) {
		case 0:
			image[at] ^= 1u << (r >> 40 & 7);
			break;
		case 1:
			image[at] = r >> 40;
			break;
		default:
			put32(at & ~3ul, odd_number(seed));
		}
	}
	if (fake_random(seed) % 8 == 0)
		image_size = fake_random(seed) % image_size;
}

/* Makes the checksum right again, so that the rest is looked at. */
static void mend_checksum(size_t at)
{
	u32 flags;

	memcpy(&flags, image + at + 4, 4);
	put32(at, 0x1badb002);
	put32(at + 8, -(0x1badb002 + flags));
}

static void make_seed_image(unsigned kind)
{
	Elf64_Ehdr *h;
	Elf64_Phdr *p;

	switch (kind) {
	case 0:
		make_flat_multiboot(&plain);
		break;
	case 1:
		usual_elf32();
		break;
	default:
		usual_elf64(&h, &p);
	}
}

TEST(mutated_images)
{
	static const enum loader_kind loaders[] = {
		LOADER_AUTO, LOADER_MULTIBOOT, LOADER_MULTIBOOT, LOADER_FLAT};
	unsigned loaded = 0, refused = 0;
	u64 seed = 0x60d317;

	start(MIB(4));
	for (unsigned i = 0; i < 30000; i++) {
		unsigned lines = fake_log_lines;
		unsigned kind = i % 3;

		make_seed_image(kind);
		mutate(&seed);
		if (i % 5)
			mend_checksum(kind ? 0x1000 : HEADER_AT);
		vm->config.loader = loaders[fake_random(&seed) % 4];
		vm->config.modules = 0;
		if (i % 7 == 0)
			add_module("k.bin again");
		fake_file("k.bin", image, image_size);
		state_reset(&vm->vcpu[0]->state, 0);
		if (load_guest(vm) == E_OK) {
			loaded++;
			check_state();
		} else {
			refused++;
		}
		/* One line says what was loaded, or what is wrong. */
		CHECK_EQ(fake_log_lines, lines + 1);
		fake_files_forget();
	}
	/* Both ways are travelled, or this test tests nothing. */
	CHECK(loaded > 3000);
	CHECK(refused > 3000);
	finish();
}
